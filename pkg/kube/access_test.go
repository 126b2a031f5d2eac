package kube_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/kubetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

// The role that is printed for missing rights grants exactly those: applied and bound, nothing is missing any more.
func TestMissingRightsAsARoleThatGrantsThem(t *testing.T) {
	cluster, _, ns := connect(t)
	bob := clientFor(t, cluster.User(t, ns))
	rights := []kube.Right{
		{Group: "apps", Resource: "deployments", Verb: "create", Namespace: ns},
		{Group: "apps", Resource: "statefulsets", Verb: "create", Namespace: ns},
		{Group: "apps", Resource: "deployments", Verb: "create", Namespace: ns},
		{Resource: "secrets", Verb: "get", Namespace: ns, Name: "onyxia-tls"},
		{Resource: "secrets", Verb: "patch", Namespace: ns, Name: "onyxia-tls"},
		{Resource: "pods/portforward", Verb: "create", Namespace: ns},
		{Resource: "namespaces", Verb: "create"},
		{Group: "authorization.k8s.io", Resource: "selfsubjectaccessreviews", Verb: "create"},
	}
	missing, err := bob.Missing(t.Context(), rights)
	if err != nil {
		t.Fatal(err)
	}
	if len(missing) != 6 || slices.Contains(missing, rights[7]) {
		t.Fatalf("missing %v", missing)
	}
	text := kube.AsRole(missing)
	t.Log("\n" + text)
	for _, o := range objects(t, []byte(text), "") {
		if o.GetKind() == "Role" {
			o.SetNamespace(ns)
		} else {
			o.SetName(ns)
		}
		raw, err := yaml.Marshal(o.Object)
		if err != nil {
			t.Fatal(err)
		}
		grant(t, cluster.Clientset(), raw, ns, o.GetKind())
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		missing, err = bob.Missing(t.Context(), rights)
		if err != nil {
			t.Fatal(err)
		}
		if len(missing) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("still missing %v", missing)
		}
	}
	more, err := bob.Missing(t.Context(), []kube.Right{{Resource: "secrets", Verb: "get", Namespace: ns}, {Resource: "namespaces", Verb: "delete"}})
	if err != nil || len(more) != 2 {
		t.Errorf("the role grants more than it should: only %v missing, %v", more, err)
	}
	if kube.AsRole(nil) != "" {
		t.Error("a role for nothing")
	}
}

// grant applies a role and binds it to the user who has the namespace's name.
func grant(t *testing.T, set kubernetes.Interface, text []byte, ns, kind string) {
	t.Helper()
	subjects := []rbacv1.Subject{{Kind: "User", Name: ns}}
	api, options := set.RbacV1(), metav1.CreateOptions{}
	var e1, e2 error
	if kind == "Role" {
		var r rbacv1.Role
		if err := yaml.UnmarshalStrict(text, &r); err != nil {
			t.Fatal(err)
		}
		_, e1 = api.Roles(ns).Create(t.Context(), &r, options)
		_, e2 = api.RoleBindings(ns).Create(t.Context(), &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "b"}, RoleRef: rbacv1.RoleRef{Kind: kind, Name: r.Name}, Subjects: subjects}, options)
	} else {
		var r rbacv1.ClusterRole
		if err := yaml.UnmarshalStrict(text, &r); err != nil {
			t.Fatal(err)
		}
		_, e1 = api.ClusterRoles().Create(t.Context(), &r, options)
		_, e2 = api.ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: ns}, RoleRef: rbacv1.RoleRef{Kind: kind, Name: r.Name}, Subjects: subjects}, options)
	}
	if err := errors.Join(e1, e2); err != nil {
		t.Fatal(err)
	}
}

func TestExplainMissingRights(t *testing.T) {
	cluster, _, ns := connect(t)
	bob := clientFor(t, cluster.User(t, "bob"))
	_, e1 := bob.Clientset.CoreV1().Secrets(ns).List(t.Context(), metav1.ListOptions{})
	_, e2 := bob.Clientset.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	e3 := bob.Mend(t.Context(), object(t, deployment(`[{name: a, image: b}]`), ns))
	_, e4 := bob.Forward(t.Context(), ns, "x", 80)
	other := errors.New("something else")
	err := kube.Explain(errors.Join(fmt.Errorf("secret/x: %w", e1), e2, other, fmt.Errorf("more: %w", errors.Join(e3)), e4, e1))
	var denied *kube.ClusterError
	if !errors.As(err, &denied) || !errors.Is(err, other) {
		t.Fatalf("got %v", err)
	}
	want := []kube.Right{
		{Resource: "nodes", Verb: "list"},
		{Resource: "secrets", Verb: "list", Namespace: ns},
		{Resource: "services", Verb: "get", Namespace: ns},
		{Group: "apps", Resource: "deployments", Verb: "get", Namespace: ns},
	}
	if !slices.Equal(denied.Missing, want) {
		t.Errorf("missing %v", denied.Missing)
	}
	for _, part := range []string{"this user may not list nodes in the whole cluster, list secrets in namespace " + ns, "kind: ClusterRole\n", "kind: Role\n", "get deployments.apps in namespace"} {
		if !strings.Contains(denied.Error(), part) {
			t.Errorf("lacks %q:\n%v", part, denied)
		}
	}
	if !apierrors.IsForbidden(denied) {
		t.Error("what the API server said is lost")
	}
}

func TestExplainGrantingMoreThanOneHas(t *testing.T) {
	cluster, _, ns := connect(t)
	grant(t, cluster.Clientset(), []byte(`{kind: Role, apiVersion: rbac.authorization.k8s.io/v1, metadata: {name: r, namespace: `+ns+`}, rules: [{apiGroups: [rbac.authorization.k8s.io], resources: [roles], verbs: [create, get]}]}`), ns, "Role")
	bob := clientFor(t, cluster.User(t, ns))
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		err = bob.Mend(t.Context(), object(t, `{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: x}, rules: [{apiGroups: [""], resources: [secrets], verbs: [get]}]}`, ns))
		if strings.Contains(err.Error(), "attempting to grant") {
			break
		}
	}
	if got := kube.Explain(err); !strings.Contains(got.Error(), "cluster-admin") || !apierrors.IsForbidden(got) {
		t.Errorf("got %v", got)
	}
}

// tryList asks the API server for something as client-go does, with a changed connection.
func tryList(t *testing.T, change func(*rest.Config)) error {
	t.Helper()
	config := rest.CopyConfig(kubetest.Start(t).Config)
	config.Timeout = time.Minute
	change(config)
	set, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	_, err = set.CoreV1().Secrets("default").List(t.Context(), metav1.ListOptions{})
	return err
}

// noSuchName fails as a look-up does; the test asks no name server.
func noSuchName(context.Context, string, string) (net.Conn, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "cluster.invalid", IsNotFound: true}}
}

// nobody is an address where nothing listens, now and later: a port that was free a moment ago may be somebody's.
const nobody = "127.0.0.1:1"

// refused fails as a connection does where nothing listens, whatever the address.
func refused(ctx context.Context, network, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, nobody)
}

func TestExplainWhyTheClusterIsNotReached(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	stranger := httptest.NewUnstartedServer(http.NotFoundHandler())
	stranger.Config.ErrorLog = log.New(io.Discard, "", 0)
	stranger.StartTLS()
	defer stranger.Close()
	plugin := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(plugin, []byte(`{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}], clusters: [{name: c, cluster: {server: "`+kubetest.Start(t).Address+`"}}],
  users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: no-such-program, interactiveMode: Never}}}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		change func(*rest.Config)
		say    string
	}{
		"nothing there":          {func(c *rest.Config) { c.Host = "https://" + nobody }, "nothing answers at the API server's address " + nobody + " (connection refused); check that the cluster runs"},
		"no kubeconfig":          {func(c *rest.Config) { *c = rest.Config{Host: "http://localhost:8080", Dial: refused} }, "no cluster is configured"},
		"no answer":              {func(c *rest.Config) { c.Host, c.Timeout = "https://"+silent.Addr().String(), 2*time.Second }, "did not answer in time"},
		"no such host":           {func(c *rest.Config) { c.Dial = noSuchName }, "the name of the API server, cluster.invalid, is not known to DNS"},
		"credentials refused":    {func(c *rest.Config) { c.CertData, c.KeyData, c.BearerToken = nil, nil, "expired" }, "does not accept these credentials; they may have expired; log in"},
		"authority unknown":      {func(c *rest.Config) { c.Host = stranger.URL }, "is signed by an authority that the kubeconfig does not know"},
		"authority not given":    {func(c *rest.Config) { c.CAData = nil }, "is signed by an authority that the kubeconfig does not know"},
		"certificate of another": {func(c *rest.Config) { c.ServerName = "other.example.org" }, "certificate is not for"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := tryList(t, tt.change)
			got := kube.Explain(fmt.Errorf("read something: %w", err))
			var told *kube.ClusterError
			if !errors.As(got, &told) || !strings.Contains(got.Error(), tt.say) || strings.Contains(got.Error(), "\n") {
				t.Errorf("\n got %v\n for %v", got, err)
			}
			if !errors.Is(got, err) {
				t.Error("the cause is lost")
			}
		})
	}
	t.Run("program for credentials", func(t *testing.T) {
		_, err := clientFor(t, plugin).Clientset.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
		if got := kube.Explain(err); !strings.Contains(got.Error(), "program for credentials failed") || !strings.Contains(got.Error(), "no-such-program") {
			t.Errorf("got %v", got)
		}
	})
	t.Run("many steps, one cause", func(t *testing.T) {
		err := tryList(t, tests["nothing there"].change)
		got := kube.Explain(errors.Join(fmt.Errorf("a: %w", err), fmt.Errorf("b: %w", err)))
		if strings.Count(got.Error(), "nothing answers") != 1 {
			t.Errorf("got %v", got)
		}
	})
}

func TestExplainLeavesOtherErrorsAlone(t *testing.T) {
	response, err := http.Get("http://" + nobody + "/realms/datalab")
	if err == nil {
		response.Body.Close()
		t.Fatal("somebody listens on port 1")
	}
	for _, other := range []error{nil, errors.New("x"), err, errors.Join(errors.New("a"), err)} {
		if got := kube.Explain(other); fmt.Sprint(got) != fmt.Sprint(other) {
			t.Errorf("%v became %v", other, got)
		}
	}
}

func TestProviderWithoutTheRightToSeeNodes(t *testing.T) {
	cluster, c, _ := connect(t)
	if got, err := c.Provider(t.Context()); err != nil || got != kube.GenericProvider {
		t.Errorf("%s %v", got, err)
	}
	got, err := clientFor(t, cluster.User(t, "bob")).Provider(t.Context())
	if got != kube.GenericProvider || !apierrors.IsForbidden(err) {
		t.Errorf("%s %v", got, err)
	}
}

func TestAddressesOfAService(t *testing.T) {
	cluster, c, ns := connect(t)
	mended(t, c, manifest(t, "service.yaml", ns)...)
	if got, err := c.Addresses(t.Context(), ns, "web"); err != nil || len(got) != 0 {
		t.Errorf("%v %v", got, err)
	}
	cluster.MakeReady(t, "Service", ns, "web")
	if got, err := c.Addresses(t.Context(), ns, "web"); err != nil || len(got) != 1 || got[0].String() != kubetest.LoadBalancerIP {
		t.Errorf("%v %v", got, err)
	}
	if _, err := c.Addresses(t.Context(), ns, "none"); !apierrors.IsNotFound(err) {
		t.Errorf("%v", err)
	}
}
