package kubetest

import (
	"fmt"
	"os"
	"path/filepath"
)

// ownUser is the test itself; the audit policy leaves it out.
const ownUser = "kubetest"

// auditPolicy logs every request that is not the cluster's own or the test's own. Watches, tunnels and commands are logged
// when they begin: their end comes after what ended them, and would fall into the count of whoever counts next.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, users: ["system:apiserver", "` + ownUser + `"]}
- {level: Metadata, omitStages: [ResponseComplete], verbs: [watch]}
- {level: Metadata, omitStages: [ResponseComplete], resources: [{group: "", resources: [pods/portforward, pods/exec, pods/attach]}]}
- {level: Metadata}
`

func (c *Cluster) auditLog() string { return filepath.Join(c.dir, "audit.log") }

func (c *Cluster) writeAuditPolicy() error {
	return os.WriteFile(filepath.Join(c.dir, "audit.yaml"), []byte(auditPolicy), 0o644)
}

func etcdFlags(dir, client, peer string) []string {
	return []string{
		"--data-dir=" + dir, "--unsafe-no-fsync", "--log-level=warn",
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=default=" + peer,
	}
}

// apiserverFlags differ from a cluster's in one point of behaviour: the ServiceAccount admission plugin is off, because
// no controller makes the accounts and tokens that it asks for.
func (c *Cluster) apiserverFlags(etcd string, port int) []string {
	in := func(name string) string { return filepath.Join(c.dir, name) }
	return []string{
		"--etcd-servers=" + etcd, "--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port),
		"--tls-cert-file=" + in("apiserver.crt"), "--tls-private-key-file=" + in("apiserver.key"), "--client-ca-file=" + in("ca.crt"),
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-signing-key-file=" + in("apiserver.key"), "--service-account-key-file=" + in("apiserver.crt"),
		"--service-cluster-ip-range=10.96.0.0/16", "--authorization-mode=RBAC", "--allow-privileged=true",
		"--disable-admission-plugins=ServiceAccount", "--endpoint-reconciler-type=none", "--profiling=false",
		"--kubelet-client-certificate=" + in("kubelet-client.crt"), "--kubelet-client-key=" + in("kubelet-client.key"), "--kubelet-preferred-address-types=InternalIP",
		"--audit-policy-file=" + in("audit.yaml"), "--audit-log-path=" + c.auditLog(), "--v=0",
	}
}
