package cli

import (
	"strings"

	"k8s.io/cli-runtime/pkg/genericclioptions"
)

// underHelm takes over what Helm strips from a plugin's arguments and hands over in the environment instead
// (helm v3.22 cmd/helm/load_plugins.go, pkg/cli/environment.go).
func (o *Options) underHelm(env func(string) (string, bool)) {
	if _, ok := env("HELM_PLUGIN_DIR"); !ok {
		return
	}
	for name, flag := range map[string]*string{
		"HELM_KUBECONTEXT": o.Kube.Context, "HELM_KUBETOKEN": o.Kube.BearerToken, "HELM_KUBEASUSER": o.Kube.Impersonate,
		"HELM_KUBEAPISERVER": o.Kube.APIServer, "HELM_KUBECAFILE": o.Kube.CAFile, "HELM_KUBETLS_SERVER_NAME": o.Kube.TLSServerName,
	} {
		if value, ok := env(name); ok && value != "" && *flag == "" {
			*flag = value
		}
	}
	if groups, _ := env("HELM_KUBEASGROUPS"); groups != "" && len(*o.Kube.ImpersonateGroup) == 0 {
		*o.Kube.ImpersonateGroup = strings.Split(groups, ",")
	}
	yes := func(name string) bool { value, _ := env(name); return value == "true" || value == "1" }
	*o.Kube.Insecure = *o.Kube.Insecure || yes("HELM_KUBEINSECURE_SKIP_TLS_VERIFY")
	o.Debug = o.Debug || yes("HELM_DEBUG")
	// Helm always sets its namespace: the context's, or "default", when nobody named one.
	if ns, _ := env("HELM_NAMESPACE"); ns != "" && *o.Kube.Namespace == "" && ns != contextNamespace(o.Kube) {
		*o.Kube.Namespace = ns
	}
}

// contextNamespace is the namespace of the kubeconfig's context, and "default" where that names none.
func contextNamespace(flags *genericclioptions.ConfigFlags) string {
	// The loader of the flags themselves keeps the namespace that it saw first.
	own := genericclioptions.NewConfigFlags(false)
	own.Context, own.KubeConfig = flags.Context, flags.KubeConfig
	namespace, _, err := own.ToRawKubeConfigLoader().Namespace()
	if err != nil || namespace == "" {
		return "default"
	}
	return namespace
}
