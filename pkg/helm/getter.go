package helm

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/storage"
	"helm.sh/helm/v3/pkg/storage/driver"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

// maxHistory is how many revisions Helm keeps of a release.
const maxHistory = 5

// lastWords is how long Helm may still write its record after a run was interrupted.
const lastWords = 15 * time.Second

// getter gives Helm the connection that everything else uses: one discovery cache, one mapper, our rate limits. Requests
// end with the context.
type getter struct {
	kube      *kube.Client
	namespace string
	config    *rest.Config
}

func (c *Client) getter(ctx context.Context, namespace string) *getter {
	return &getter{kube: c.Kube, namespace: namespace, config: c.bound(ctx)}
}

// bound copies the configuration for requests that end with the context. What the server warns of reaches the admin once.
func (c *Client) bound(ctx context.Context) *rest.Config {
	config := rest.CopyConfig(c.Kube.Config)
	config.Wrap(func(base http.RoundTripper) http.RoundTripper { return &boundTransport{ctx: ctx, base: base} })
	config.WarningHandler = warnings{c}
	return config
}

func (g *getter) ToRESTConfig() (*rest.Config, error) { return rest.CopyConfig(g.config), nil }

func (g *getter) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	return g.kube.Flags.ToDiscoveryClient()
}

func (g *getter) ToRESTMapper() (meta.RESTMapper, error) { return g.kube.Mapper, nil }

func (g *getter) ToRawKubeConfigLoader() clientcmd.ClientConfig {
	return inNamespace{g.kube.Flags.ToRawKubeConfigLoader(), g.namespace}
}

// inNamespace is a kubeconfig whose default namespace is the release's. Helm would put objects that name no namespace
// into the kubeconfig's.
type inNamespace struct {
	kubeconfig
	namespace string
}

// kubeconfig is clientcmd.ClientConfig under a name that does not hide its method of the same name.
type kubeconfig = clientcmd.ClientConfig

func (n inNamespace) Namespace() (string, bool, error) { return n.namespace, true, nil }

// warnings takes what the API server warns of ("unknown field", "would violate PodSecurity").
type warnings struct{ client *Client }

func (w warnings) HandleWarningHeader(code int, _ string, text string) {
	// 299 is the only code of Kubernetes (RFC 7234, section 5.5).
	if code == 299 && text != "" {
		w.client.warn("the API server warns: " + text)
	}
}

// configuration makes what Helm's actions work with, for one release. Its records are written under a context that
// outlives an interrupt by a little, so that an interrupted release ends as failed and not as pending.
func (c *Client) configuration(ctx context.Context, name, namespace string) (*action.Configuration, *kubeClient, error) {
	set, err := kubernetes.NewForConfig(c.bound(outlive(ctx, lastWords)))
	if err != nil {
		return nil, nil, fmt.Errorf("release %s: %w", name, err)
	}
	secrets := driver.NewSecrets(set.CoreV1().Secrets(namespace))
	secrets.Log = c.debug
	store := storage.Init(records{secrets})
	store.Log = c.debug
	store.MaxHistory = maxHistory
	client := newKubeClient(ctx, c, name, namespace)
	return &action.Configuration{RESTClientGetter: client.getter, Releases: store, KubeClient: client, Log: c.debug}, client, nil
}

// outlive gives a context that ends a while after another one.
func outlive(ctx context.Context, d time.Duration) context.Context {
	later, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		time.AfterFunc(d, func() { cancel(context.Cause(ctx)) })
	})
	return later
}

// capabilities asks the server what it is and serves. It asks anew each time, because charts decide by it what to
// render, and steps before may have brought new kinds.
func (c *Client) capabilities() (*chartutil.Capabilities, error) {
	client, err := c.Kube.Flags.ToDiscoveryClient()
	if err != nil {
		return nil, fmt.Errorf("kubernetes discovery: %w", err)
	}
	client.Invalidate()
	version, err := client.ServerVersion()
	if err != nil {
		return nil, fmt.Errorf("kubernetes version: %w", err)
	}
	kinds, err := action.GetVersionSet(client)
	if err != nil {
		return nil, fmt.Errorf("kubernetes discovery: %w", err)
	}
	return &chartutil.Capabilities{
		APIVersions: kinds,
		KubeVersion: chartutil.KubeVersion{Version: version.GitVersion, Major: version.Major, Minor: version.Minor},
		HelmVersion: chartutil.DefaultCapabilities.HelmVersion,
	}, nil
}
