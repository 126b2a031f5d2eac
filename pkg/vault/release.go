package vault

import (
	"fmt"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// The two programs, which speak the same API and have charts of their own.
const (
	FlavorVault   = platform.VaultFlavorVault
	FlavorOpenBao = platform.VaultFlavorOpenBao
)

// GenerateRootPort is where OpenBao makes root tokens and other shares from key shares, if Release.GenerateRoot is set: on the pod's
// loopback only, which a port-forward reaches and the ingress does not.
const GenerateRootPort = 8210

// Release is the server as its Helm chart is to install it: hashicorp/vault 0.34.1, or openbao 0.29.2.
type Release struct {
	// Flavor is FlavorVault or FlavorOpenBao.
	Flavor string
	// Image with its tag, and with its registry unless that is docker.io: "hashicorp/vault:1.14.1".
	Image string
	// Dev is a server that forgets everything when its pod restarts. Its root token is made anew at each start; it stands
	// in the pod's log and in /home/vault/.vault-token, and in no Helm value.
	Dev bool
	// Replicas of raft, 1 or 3.
	Replicas int
	// Host and IngressClass of the ingress.
	Host, IngressClass string
	// Size of each volume, and its storage class; empty for the cluster's default.
	Size, StorageClass string
	// GenerateRoot keeps the ways open from key shares to a root token, which Vault 2 and OpenBao 2.5.3 close (see
	// Client.GenerateRoot), and to other key shares (rekey), which Vault 2 and OpenBao 2.5.0 close. On Vault anybody who
	// reaches the server may then disturb an attempt (CVE-2026-5807).
	GenerateRoot bool
}

// Name is the name of the release, and of its StatefulSet and Service.
func (r Release) Name() string { return r.Flavor }

// Pod is the name of the first server's pod, which is initialised and unsealed first.
func (r Release) Pod() string { return r.Name() + "-0" }

// DataFolder is where the volume is in the container.
func (r Release) DataFolder() string { return "/" + r.Flavor + "/data" }

// CLI is the program in the container.
func (r Release) CLI() string {
	if r.Flavor == FlavorOpenBao {
		return "bao"
	}
	return "vault"
}

// Values are the chart's values. Auto-unseal goes on top of them by environment, such as
// server.extraEnvironmentVars.VAULT_SEAL_TYPE, with credentials by server.extraSecretEnvironmentVars.
func (r Release) Values() (map[string]any, error) {
	image, err := r.image()
	if err != nil {
		return nil, err
	}
	server := map[string]any{
		"image":         image,
		"authDelegator": map[string]any{"enabled": false},
		"resources":     map[string]any{"requests": map[string]any{"cpu": "100m", "memory": "256Mi"}},
		// The chart's own probe starts a program every five seconds.
		"readinessProbe": map[string]any{"path": "/v1/sys/health?standbyok=true"},
		"ingress": map[string]any{
			"enabled": true, "ingressClassName": r.IngressClass, "hosts": []any{map[string]any{"host": r.Host, "paths": []any{"/"}}},
			"tls": []any{map[string]any{"hosts": []any{r.Host}}},
		},
	}
	if r.Dev {
		server["dev"] = map[string]any{"enabled": true, "devRootToken": ""}
	} else if err := r.raft(server); err != nil {
		return nil, err
	}
	return map[string]any{"fullnameOverride": r.Name(), "injector": map[string]any{"enabled": false}, "server": server}, nil
}

func (r Release) raft(server map[string]any) error {
	if r.Replicas != 1 && r.Replicas != 3 {
		return fmt.Errorf("%d replicas of vault: raft needs an odd number to outlive one: set vault.replicas to 1 or 3", r.Replicas)
	}
	storage := map[string]any{"enabled": true, "size": r.Size}
	if r.StorageClass != "" {
		storage["storageClass"] = r.StorageClass
	}
	server["dataStorage"] = storage
	server["ha"] = map[string]any{
		"enabled": true, "replicas": r.Replicas,
		"raft": map[string]any{"enabled": true, "setNodeId": true, "config": r.Config()},
		// With one replica the chart's budget forbids that its node is ever drained.
		"disruptionBudget": map[string]any{"enabled": r.Replicas > 1},
	}
	if r.Replicas == 1 {
		server["affinity"] = ""
	}
	if r.Flavor == FlavorOpenBao {
		// Else the second pod waits for the first to be unsealed. Vault's chart has it so by itself.
		server["podManagementPolicy"] = "Parallel"
	}
	return nil
}

// Config is the server's own configuration in HCL. The chart passes it through its template engine, and replaces words
// like HOST_IP in it.
func (r Release) Config() string {
	var b strings.Builder
	b.WriteString("ui = true\n")
	if r.Flavor == FlavorVault {
		b.WriteString("disable_mlock = true\n")
		if r.GenerateRoot {
			b.WriteString("enable_unauthenticated_access = [\"generate-root\", \"rekey\"]\n")
		}
	}
	b.WriteString("listener \"tcp\" {\n  tls_disable = 1\n  address = \"[::]:8200\"\n  cluster_address = \"[::]:8201\"\n}\n")
	fmt.Fprintf(&b, "storage \"raft\" {\n  path = %q\n", r.DataFolder())
	for i := 0; r.Replicas > 1 && i < r.Replicas; i++ {
		fmt.Fprintf(&b, "  retry_join {\n    leader_api_addr = \"http://%[1]s-%[2]d.%[1]s-internal:8200\"\n  }\n", r.Name(), i)
	}
	b.WriteString("}\nservice_registration \"kubernetes\" {}\n")
	if r.Flavor == FlavorOpenBao {
		fmt.Fprintf(&b, "audit \"file\" \"stdout\" {\n  description = %q\n  options {\n    file_path = \"stdout\"\n  }\n}\n", auditDescription)
		if r.GenerateRoot {
			fmt.Fprintf(&b, "listener \"tcp\" {\n  tls_disable = 1\n  address = \"127.0.0.1:%d\"\n  disable_unauthed_generate_root_endpoints = false\n  disable_unauthed_rekey_endpoints = false\n}\n", GenerateRootPort)
		}
	}
	return b.String()
}

// image splits the image as the chart takes it: OpenBao's has the registry apart.
func (r Release) image() (map[string]any, error) {
	at := strings.LastIndex(r.Image, "/") + 1
	name, tag, tagged := strings.Cut(r.Image[at:], ":")
	if !tagged || tag == "" || name == "" {
		return nil, fmt.Errorf("image %q of vault has no tag: name a version, for an image that moves may not read the old data", r.Image)
	}
	repository := r.Image[:at] + name
	if r.Flavor != FlavorOpenBao {
		return map[string]any{"repository": repository, "tag": tag}, nil
	}
	registry, rest, found := strings.Cut(repository, "/")
	if !found || !strings.ContainsAny(registry, ".:") && registry != "localhost" {
		registry, rest = "docker.io", repository
	}
	return map[string]any{"registry": registry, "repository": rest, "tag": tag}, nil
}
