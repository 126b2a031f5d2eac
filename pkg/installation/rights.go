package installation

import (
	"slices"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/tls"
)

// Rights are what the named stages take: to be looked at, or also to be put up and taken away. It is asked for when a
// right is found missing, so that an administrator grants all of them at once. It makes do with the options when the
// installation could not be opened; then it is nil.
func Rights(o Options, i *Installation, names []string, writes bool) []kube.Right {
	if i == nil {
		i = unrecorded(o)
	}
	// A certificate is renewed by a machine's own user, day after day. It gets nothing to put up a controller with.
	certificate := slices.Equal(names, []string{"tls"})
	verbs := []string{"get", "list"}
	if writes && !certificate {
		verbs = append(verbs, "create", "update", "patch", "delete")
	}
	var rights []kube.Right
	add := func(namespace, group string, verbs []string, resources ...string) {
		for _, resource := range resources {
			for _, verb := range verbs {
				rights = append(rights, kube.Right{Namespace: namespace, Group: group, Resource: resource, Verb: verb})
			}
		}
	}
	add("", "", verbs, "namespaces")
	add("", "", verbs[:2], "nodes")
	add("", "storage.k8s.io", verbs[:1], "storageclasses")
	add("", "networking.k8s.io", verbs, "ingressclasses")
	add("", "apiextensions.k8s.io", verbs, "customresourcedefinitions")
	add("", "rbac.authorization.k8s.io", verbs, "clusterrolebindings", "clusterroles")
	for _, namespace := range i.namespaces(names) {
		add(namespace, "", verbs, "configmaps", "persistentvolumeclaims", "secrets", "serviceaccounts", "services")
		add(namespace, "", verbs[:2], "events", "pods")
		add(namespace, "apps", verbs, "daemonsets", "deployments", "statefulsets")
		add(namespace, "apps", verbs[:2], "replicasets")
		add(namespace, "batch", verbs, "jobs")
		add(namespace, "autoscaling", verbs, "horizontalpodautoscalers")
		add(namespace, "policy", verbs, "poddisruptionbudgets")
		add(namespace, "networking.k8s.io", verbs, "ingresses", "networkpolicies")
		add(namespace, "rbac.authorization.k8s.io", verbs, "rolebindings", "roles")
		if !certificate {
			add(namespace, "", []string{"create"}, "pods/portforward")
		}
	}
	if certificate {
		if writes {
			rights = append(rights, i.certificateRights()...)
		}
		return rights
	}
	if p := i.Platform; slices.Contains(names, "vault") && (p.Vault.Mode == platform.VaultInstall || p.Vault.Mode == platform.VaultDev) {
		// Vault's answer to its initialisation is laid down beside its data; in dev mode its token stands in its pod only.
		add(p.Vault.Namespace, "", []string{"create"}, "pods/exec")
	}
	if p := i.Platform; slices.Contains(names, "auth") && p.Auth.InstallsKeycloak() && p.Auth.Database.Mode == platform.DatabaseCloudNativePG {
		add(p.Auth.Namespace, "postgresql.cnpg.io", verbs, "clusters")
	}
	if writes {
		add(i.Platform.Namespace(), "coordination.k8s.io", verbs, "leases")
		if ns := i.ingressNamespace(); ns != "" {
			add(ns, "traefik.io", verbs, "*")
		}
		// The charts make roles with rights that this user need not have; Kubernetes asks for these two instead.
		add("", "rbac.authorization.k8s.io", []string{"bind", "escalate"}, "clusterroles")
	}
	return rights
}

// certificateRights are what it takes to order a certificate and to keep it, with the ACME account and the record of it. The
// rest of the cluster is only looked at.
func (i *Installation) certificateRights() []kube.Right {
	var rights []kube.Right
	add := func(namespace, group, resource, name string, verbs ...string) {
		for _, verb := range verbs {
			rights = append(rights, kube.Right{Namespace: namespace, Group: group, Resource: resource, Name: name, Verb: verb})
		}
	}
	home := i.Platform.Namespace()
	// A right to create cannot be one for a single name.
	add(home, "coordination.k8s.io", "leases", "", "get", "create", "update", "patch", "delete")
	add(home, "", "configmaps", "", "create")
	add(home, "", "configmaps", RecordName, "update", "patch")
	add(home, "", "secrets", "", "create")
	add(home, "", "secrets", tls.AccountSecret, "update", "patch")
	if ns := i.ingressNamespace(); ns != "" {
		add(ns, "", "secrets", "", "create")
		add(ns, "", "secrets", i.Platform.TLS.SecretName, "update", "patch")
	}
	if namespace, name, ok := strings.Cut(i.Platform.TLS.ACME.EAB.HMACSecret, "/"); ok {
		add(namespace, "", "secrets", name, "get")
	}
	return rights
}

// unrecorded is what can be told of an installation whose record may not be read.
func unrecorded(o Options) *Installation {
	i := &Installation{stages: o.Stages, warn: func(string) {}}
	keys, file, err := o.readFile()
	if err == nil {
		i.config, err = layered(o.Flags, keys, platform.Config{})
	}
	if err == nil {
		i.Platform, err = platform.Complete(i.config)
	}
	if err == nil {
		i.Profile, err = chosenProfile(i.Platform)
	}
	if err != nil {
		// The domain may stand in the record alone. Without it only the namespaces are told that have their default names.
		i.Platform.App.Namespace = recordNamespace(o.Flags, file)
	}
	return i
}

func (i *Installation) ingressNamespace() string {
	return stage.Env{Platform: i.Platform, Profile: i.Profile}.IngressNamespace()
}

// namespaces of the stages, those that are not known left out.
func (i *Installation) namespaces(names []string) []string {
	p := i.Platform
	byStage := map[string]string{"ingress": i.ingressNamespace(), "tls": i.ingressNamespace()}
	if p.Auth.InstallsKeycloak() {
		byStage["auth"] = p.Auth.Namespace
	}
	if p.S3.InstallsMinIO() {
		byStage["s3"] = p.S3.Namespace
	}
	if !p.Vault.External() {
		byStage["vault"] = p.Vault.Namespace
	}
	all := []string{p.Namespace()}
	for _, name := range names {
		if ns := byStage[name]; ns != "" {
			all = append(all, ns)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
