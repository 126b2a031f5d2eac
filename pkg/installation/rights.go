package installation

import (
	"slices"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
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
	if certificateAlone(names) {
		return i.certificateRights(writes)
	}
	verbs := []string{"get", "list"}
	if writes {
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
		// What it holds is looked at before a namespace goes.
		add(namespace, "batch", verbs[:2], "cronjobs")
		add(namespace, "autoscaling", verbs, "horizontalpodautoscalers")
		add(namespace, "policy", verbs, "poddisruptionbudgets")
		add(namespace, "networking.k8s.io", verbs, "ingresses", "networkpolicies")
		add(namespace, "rbac.authorization.k8s.io", verbs, "rolebindings", "roles")
		add(namespace, "", []string{"create"}, "pods/portforward")
	}
	if p := i.Platform; slices.Contains(names, "vault") && (p.Vault.Mode == platform.VaultInstall || p.Vault.Mode == platform.VaultDev) {
		// Vault's answer to its initialisation is laid down beside its data; in dev mode its token stands in its pod only.
		add(p.Vault.Namespace, "", []string{"create"}, "pods/exec")
	}
	if p := i.Platform; slices.Contains(names, "auth") && p.Auth.InstallsDatabase() {
		// Only the volume says which version the data is of.
		add(p.Auth.Namespace, "", []string{"create"}, "pods/exec")
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

// certificateAlone: a certificate is renewed by a machine's own user, day after day. Such a run reads no release, whose Secrets can
// be had all or none, and needs nothing to put up a controller with.
func certificateAlone(names []string) bool { return slices.Equal(names, []string{"tls"}) }

// withoutRelease reads the controller's address from its Service alone.
func withoutRelease(steps []engine.Step) []engine.Step {
	for n, s := range steps {
		if s.ID == stage.AddressID {
			steps[n].Needs = slices.DeleteFunc(slices.Clone(s.Needs), func(id engine.ID) bool { return id != configID })
		}
	}
	return steps
}

// certificateRights are what it takes to look at a certificate, and to order it and keep it, with the ACME account, the record and
// the lock. Every Secret is named.
func (i *Installation) certificateRights(writes bool) []kube.Right {
	var rights []kube.Right
	add := func(namespace, group, resource, name string, verbs ...string) {
		for _, verb := range verbs {
			rights = append(rights, kube.Right{Namespace: namespace, Group: group, Resource: resource, Name: name, Verb: verb})
		}
	}
	// A right to create cannot be one for a single name.
	keep := func(namespace, group, resource, name string) {
		add(namespace, group, resource, name, "get")
		if writes {
			add(namespace, group, resource, name, "update", "patch")
			add(namespace, group, resource, "", "create")
		}
	}
	home, controller := i.Platform.Namespace(), i.ingressNamespace()
	add("", "", "namespaces", home, "get")
	keep(home, "", "configmaps", RecordName)
	keep(home, "coordination.k8s.io", "leases", RecordName)
	keep(home, "", "secrets", tls.AccountSecret)
	if writes {
		add(home, "coordination.k8s.io", "leases", RecordName, "delete")
	}
	if i.Platform.Ingress.Provider == "" && !i.Platform.Ingress.Existing() {
		add("", "", "nodes", "", "list")
	}
	if i.Platform.Ingress.Existing() && i.Platform.Ingress.Service == "" {
		add("", "", "services", "", "list")
	}
	if namespace, name, ok := strings.Cut(i.Platform.Ingress.Service, "/"); ok {
		add(namespace, "", "services", name, "get")
	}
	if controller != "" {
		add("", "", "namespaces", controller, "get")
		keep(controller, "", "secrets", i.Platform.TLS.SecretName)
		// Where the controller is, and what it has been told to serve.
		add(controller, "", "services", "", "get", "list")
		add(controller, "", "events", "", "list")
		add(controller, "apps", "deployments", "", "list")
		add(controller, "apps", "daemonsets", "", "list")
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
