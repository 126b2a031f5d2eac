package installation

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/kubetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

func TestMain(m *testing.M) { os.Exit(kubetest.Run(m)) }

// certificate is a PEM certificate that signed itself.
func certificate(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// site is an installation on the shared API server, in a namespace of its own, with small stages: each is one ConfigMap.
// That of the app says which other stages it knows of.
type site struct {
	cluster   *kubetest.Cluster
	namespace string
	options   Options
	said      []string
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{cluster: kubetest.Start(t)}
	client, err := kube.Connect(s.cluster.Flags(t))
	if err != nil {
		t.Fatal(err)
	}
	s.namespace = "lab-" + strings.TrimPrefix(s.cluster.Namespace(t), "t-")
	t.Chdir(t.TempDir())
	s.options = Options{
		Flags: platform.Config{Domain: "a.org", App: platform.App{Namespace: s.namespace}}, Kube: client,
		Warn: func(line string) { s.said = append(s.said, line) },
		Stages: []stage.Stage{
			{Name: "ingress", Verb: "install", Steps: s.steps("ingress")},
			{Name: "auth", Verb: "install", On: []string{"ingress"}, Rerenders: true, Steps: s.steps("auth")},
			{Name: "app", Verb: "install", On: []string{"ingress"}, Steps: s.steps("app")},
		},
	}
	return s
}

func (s *site) steps(name string) func(context.Context, stage.Env) ([]engine.Step, error) {
	return func(_ context.Context, env stage.Env) ([]engine.Step, error) {
		env.Warn("a doubt about " + name)
		content := map[string]any{"is": name}
		if name == "app" && env.Has("auth") {
			content["login"] = "yes"
		}
		object := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name, "namespace": s.namespace}, "data": content,
		}}
		step := engine.New(engine.ID("configmap/"+name), kube.NewObject(env.Kube, kube.Fixed(object)), stage.NamespaceID(s.namespace))
		if name == "auth" {
			step = step.HoldingData("all users")
		}
		return []engine.Step{step}, nil
	}
}

func (s *site) open(t *testing.T) *Installation {
	t.Helper()
	i, err := Open(t.Context(), s.options)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// up puts up the stages, and tells what it did.
func (s *site) up(t *testing.T, names ...string) []string {
	t.Helper()
	i := s.open(t)
	var told []string
	run, err := i.Run(t.Context(), tell(&told), names...)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := run.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.WithLock(t.Context(), i.Lock, func(ctx context.Context) error { return run.Apply(ctx, plan, engine.Options{Timeout: time.Minute}) }); err != nil {
		t.Fatal(err)
	}
	slices.Sort(told)
	return told
}

func tell(told *[]string) func(engine.Event) {
	var mu sync.Mutex
	return func(e engine.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Kind == engine.Done {
			*told = append(*told, fmt.Sprint(e.ID, " ", e.Result))
		}
	}
}

func (s *site) data(t *testing.T, name string) map[string]string {
	t.Helper()
	m, err := s.cluster.Clientset().CoreV1().ConfigMaps(s.namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		return nil
	}
	return m.Data
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// Another person, without file and flags, finds what the first one wanted, and what stands.
func TestRecordServesTheNextPerson(t *testing.T) {
	s := newSite(t)
	if i := s.open(t); i.Recorded || len(i.Present) > 0 {
		t.Errorf("before anything was done: %+v", i)
	}
	s.options.Flags.Prefixes.User = "u-"
	told := s.up(t, "ingress")
	same(t, told, []string{
		"configmap/ingress created", "configmap/kubectl-onyxia created", "namespace/" + s.namespace + " created", "stage.onyxia/ingress created",
	})
	same(t, s.data(t, RecordName), map[string]string{
		"onyxia.yaml": "app:\n  namespace: " + s.namespace + "\ndomain: a.org\nprefixes:\n  user: u-\n", "stage.ingress": "current",
	})

	s.options.Flags = platform.Config{App: platform.App{Namespace: s.namespace}}
	i := s.open(t)
	same(t, i.Present, map[string]bool{"ingress": true})
	if !i.Recorded || i.Platform.Domain != "a.org" || i.Platform.Prefixes.User != "u-" {
		t.Errorf("domain %q, prefix %q", i.Platform.Domain, i.Platform.Prefixes.User)
	}
	mark := s.cluster.Mark(t)
	s.up(t, "ingress")
	for _, write := range mark.Writes(t) {
		if !strings.Contains(write, "/leases") {
			t.Errorf("the second run wrote: %s", write)
		}
	}

	if err := os.WriteFile("onyxia.yaml", []byte("prefixes: {user: null}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.up(t, "ingress")
	if text := s.data(t, RecordName)["onyxia.yaml"]; strings.Contains(text, "prefixes") {
		t.Errorf("a key that was set back is still recorded:\n%s", text)
	}
}

// A newer version may record stages and keys that this one does not know. They are left alone, and the record with them.
func TestRecordOfANewerVersion(t *testing.T) {
	s := newSite(t)
	s.cluster.KeepReady(t)
	s.up(t, "ingress")
	newer := "1"
	for _, key := range []string{"stage.rocket", "format"} {
		if err := s.open(t).record.put(t.Context(), key, &newer); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.down(t, s.open(t), nil, "ingress", "auth", "app"); err != nil {
		t.Fatal(err)
	}
	if left := s.data(t, RecordName); left["stage.rocket"] != newer || left["format"] != newer || left["stage.ingress"] != "" {
		t.Errorf("left of the record: %v", left)
	}
	text := "domain: a.org\nrocket: yes\n"
	if err := s.open(t).record.put(t.Context(), configKey, &text); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), s.options)
	if err == nil || !strings.Contains(err.Error(), `unknown key "rocket"`) || !strings.Contains(err.Error(), "written by a newer version, or by hand") {
		t.Errorf("got %v", err)
	}
}

// The app is configured anew when a stage comes that it has to know of, and before such a stage goes.
func TestAppFollowsTheStages(t *testing.T) {
	s := newSite(t)
	s.up(t, "ingress", "app")
	same(t, s.data(t, "app"), map[string]string{"is": "app"})
	s.up(t, "auth")
	same(t, s.data(t, "app"), map[string]string{"is": "app", "login": "yes"})

	run, needed, err := s.open(t).WithoutStages(t.Context(), nil, []string{"auth"})
	if err != nil || !needed {
		t.Fatalf("%v, %v", needed, err)
	}
	plan, err := run.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Apply(t.Context(), plan, engine.Options{Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	same(t, s.data(t, "app"), map[string]string{"is": "app"})
	same(t, s.data(t, "auth"), map[string]string{"is": "auth"})

	for name, names := range map[string][]string{"the app goes too": {"auth", "app"}, "the app does not know of it": {"ingress"}} {
		if _, needed, err := s.open(t).WithoutStages(t.Context(), nil, names); needed || err != nil {
			t.Errorf("%s: %v, %v", name, needed, err)
		}
	}
}

func TestRemoval(t *testing.T) {
	s := newSite(t)
	s.up(t, "ingress", "auth", "app")

	plan := func(names []string, data ...engine.ID) ([]string, error) {
		named := map[engine.ID]bool{}
		for _, id := range data {
			named[id] = true
		}
		r, err := s.open(t).Removal(t.Context(), nil, names, named)
		if err != nil {
			return nil, err
		}
		var lines []string
		for _, line := range r.Plan.Steps {
			lines = append(lines, fmt.Sprint(line.ID, " ", line.Change.Action))
		}
		slices.Sort(lines)
		return lines, r.Plan.Err()
	}
	for name, c := range map[string]struct {
		names []string
		data  []engine.ID
		want  []string
		fails string
	}{
		"what others stand on": {names: []string{"ingress"}, fails: "auth stands on ingress: take it away first, or name both"},
		"data stays":           {names: []string{"auth"}, want: []string{"configmap/auth kept", "stage.onyxia/auth delete"}},
		"data that is named":   {names: []string{"auth"}, data: []engine.ID{"configmap/auth"}, want: []string{"configmap/auth delete", "stage.onyxia/auth delete"}},
		"a slip":               {names: []string{"auth"}, data: []engine.ID{"configmap/atuh"}, fails: "configmap/atuh holds no data: give a name as --dry-run prints it"},
		"what holds no data":   {names: []string{"app"}, data: []engine.ID{"configmap/app"}, fails: "configmap/app holds no data: give a name as --dry-run prints it"},
		"of another stage":     {names: []string{"app"}, data: []engine.ID{"configmap/auth"}, fails: "configmap/auth is part of stage auth, which is not taken away here: name that stage too"},
		"all of it": {names: []string{"ingress", "auth", "app"}, want: []string{
			"configmap/app delete", "configmap/auth kept", "configmap/ingress delete", "configmap/kubectl-onyxia kept",
			"namespace/" + s.namespace + " kept", "stage.onyxia/app delete", "stage.onyxia/auth delete", "stage.onyxia/ingress delete",
		}},
		"all of it, with the data": {names: []string{"ingress", "auth", "app"}, data: []engine.ID{"configmap/auth"}, want: []string{
			"configmap/app delete", "configmap/auth delete", "configmap/ingress delete", "configmap/kubectl-onyxia delete",
			"namespace/" + s.namespace + " delete", "stage.onyxia/app delete", "stage.onyxia/auth delete", "stage.onyxia/ingress delete",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := plan(c.names, c.data...)
			if c.fails != "" {
				if err == nil || err.Error() != c.fails {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, c.want)
		})
	}
}

// Taking away tells no doubts about what goes, and leaves no record of it.
func TestRemovalLeavesNoRecord(t *testing.T) {
	s := newSite(t)
	s.cluster.KeepReady(t)
	s.up(t, "ingress", "app")
	s.said = nil
	for _, names := range [][]string{{"app"}, {"ingress"}} {
		r, err := s.open(t).Removal(t.Context(), nil, names, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Do(t.Context()); err != nil {
			t.Fatal(err)
		}
		if names[0] == "app" {
			same(t, s.open(t).Present, map[string]bool{"ingress": true})
		}
	}
	if got := s.data(t, RecordName); got != nil || len(s.said) > 0 {
		t.Errorf("record %v, said %v", got, s.said)
	}
	if _, err := Open(t.Context(), s.options); err != nil {
		t.Error(err)
	}
}

// A namespace that holds the ACME account stays with it.
func TestHomeStaysWithWhatItHolds(t *testing.T) {
	s := newSite(t)
	s.up(t, "ingress")
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "onyxia-acme-account", "namespace": s.namespace},
	}}
	if err := s.options.Kube.Mend(t.Context(), object); err != nil {
		t.Fatal(err)
	}
	why := s.open(t).home().KeptBy(t.Context(), nil)
	if !strings.Contains(why, "secret/onyxia-acme-account") {
		t.Errorf("got %q", why)
	}
}

// Neither record nor lock can be made in a namespace that is being deleted, so its end comes first.
func TestAwaitHome(t *testing.T) {
	s := newSite(t)
	s.up(t, "ingress")
	var told []string
	report := func(e engine.Event) {
		told = append(told, fmt.Sprint(e.Kind, " ", e.ID, " ", strings.Contains(e.Reason, "is being deleted since")))
		s.cluster.EndNamespace(t, s.namespace)
	}
	if waited, err := s.open(t).AwaitHome(t.Context(), time.Minute, report); waited || err != nil || told != nil {
		t.Errorf("%v, %v, told %v", waited, err, told)
	}
	if err := s.cluster.Clientset().CoreV1().Namespaces().Delete(t.Context(), s.namespace, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.open(t).Lock(t.Context()); err == nil || !strings.Contains(err.Error(), "is being deleted") {
		t.Errorf("locked: %v", err)
	}
	waited, err := s.open(t).AwaitHome(t.Context(), time.Minute, report)
	if !waited || err != nil {
		t.Errorf("%v, %v", waited, err)
	}
	same(t, told, []string{"waiting namespace/" + s.namespace + " true"})
	if i := s.open(t); i.Recorded {
		t.Error("a record of what is gone was read")
	}
	s.up(t, "ingress")
}

// A run learns of another one, and not of itself.
func TestBusy(t *testing.T) {
	s := newSite(t)
	i := s.open(t)
	held, err := i.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if who, err := i.busy(t.Context()); who != "" || err != nil {
		t.Errorf("ourselves: %q, %v", who, err)
	}
	if err := held.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
	holder, seconds := "ana@desk/7", int32(30)
	since, now := metav1.NewMicroTime(time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)), metav1.NowMicro()
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: RecordName}, Spec: coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, AcquireTime: &since, RenewTime: &now}}
	if _, err := s.cluster.Clientset().CoordinationV1().Leases(s.namespace).Create(t.Context(), lease, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if who, err := i.busy(t.Context()); who != "ana@desk/7 since 2026-01-01T09:00:00Z" || err != nil {
		t.Errorf("another: %q, %v", who, err)
	}
}

func TestLock(t *testing.T) {
	s := newSite(t)
	first, err := s.open(t).Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.open(t).Lock(t.Context())
	var locked *kube.LockedError
	if !errors.As(err, &locked) || locked.Since.IsZero() || locked.Holder == "" {
		t.Errorf("got %v", err)
	}
	if err := first.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// The rights cover reading and writing in the namespaces of the stages named, and no others.
func TestRights(t *testing.T) {
	s := newSite(t)
	s.options.Flags.Ingress.Namespace = "edge"
	in := func(rights []kube.Right) (namespaces, verbs []string) {
		for _, r := range rights {
			namespaces, verbs = append(namespaces, r.Namespace), append(verbs, r.Verb)
		}
		slices.Sort(namespaces)
		slices.Sort(verbs)
		return slices.Compact(namespaces), slices.Compact(verbs)
	}
	namespaces, verbs := in(Rights(s.options, nil, []string{"ingress"}, false))
	same(t, namespaces, []string{"", "edge", s.namespace})
	same(t, verbs, []string{"create", "get", "list"}) // create: a port-forward is made to be read through
	namespaces, verbs = in(Rights(s.options, s.open(t), []string{"ingress", "auth"}, true))
	same(t, namespaces, []string{"", "edge", "keycloak", s.namespace})
	same(t, verbs, []string{"bind", "create", "delete", "escalate", "get", "list", "patch", "update"})

	// Vault's pod is gone into: for the answer of its initialisation, or for the token that dev mode leaves there.
	for mode, want := range map[string]bool{"install": true, "dev": true, "external": false} {
		s.options.Flags.Vault.Mode, s.options.Flags.Vault.URL = mode, map[string]string{"external": "https://vault.example.org"}[mode]
		goes := slices.ContainsFunc(Rights(s.options, nil, []string{"vault"}, false), func(r kube.Right) bool { return r.Resource == "pods/exec" && r.Namespace == "vault" })
		if goes != want {
			t.Errorf("vault.mode %s: pods/exec %v", mode, goes)
		}
	}

	s.options.Flags.Domain = "" // it may stand in the record, which this user cannot read
	namespaces, _ = in(Rights(s.options, nil, []string{"ingress"}, true))
	same(t, namespaces, []string{"", s.namespace})
}

// Whoever renews the certificate may write two Secrets, the record and the lock, and can get no further rights by it.
func TestRightsOfACertificate(t *testing.T) {
	s := newSite(t)
	s.options.Flags.TLS.ACME.EAB = platform.EAB{Kid: "kid", HMACSecret: "acme/eab"}
	var written []string
	for _, r := range Rights(s.options, nil, []string{"tls"}, true) {
		if r.Verb != "get" && r.Verb != "list" || r.Namespace == "acme" {
			written = append(written, r.String())
		}
		// B6: every Secret that can be read is named; the script rights runs with exactly this role.
		if r.Resource == "secrets" && r.Verb != "create" && r.Name == "" {
			t.Errorf("may %s", r)
		}
		if strings.HasPrefix(r.Group, "rbac") && !slices.Contains([]string{"get", "list"}, r.Verb) {
			t.Errorf("may %s", r)
		}
	}
	home := " in namespace " + s.namespace
	want := []string{
		"update configmaps kubectl-onyxia" + home, "patch configmaps kubectl-onyxia" + home, "create configmaps" + home,
		"update leases.coordination.k8s.io kubectl-onyxia" + home, "patch leases.coordination.k8s.io kubectl-onyxia" + home,
		"create leases.coordination.k8s.io" + home,
		"update secrets onyxia-acme-account" + home, "patch secrets onyxia-acme-account" + home, "create secrets" + home,
		"delete leases.coordination.k8s.io kubectl-onyxia" + home,
		"update secrets onyxia-tls in namespace traefik", "patch secrets onyxia-tls in namespace traefik", "create secrets in namespace traefik",
		"get secrets eab in namespace acme",
	}
	same(t, written, want)
	for _, r := range Rights(s.options, nil, []string{"tls"}, false) {
		if r.Verb != "get" && r.Verb != "list" {
			t.Errorf("to look at it: %s", r)
		}
	}
}

// What is asked once a run has gone through is told of the stages that were run, and its failure is no failure of the run.
func TestDoubtsAfterARun(t *testing.T) {
	var said []string
	doubts := func(line string, err error) func(context.Context, stage.Env) ([]string, error) {
		return func(context.Context, stage.Env) ([]string, error) { return []string{line}, err }
	}
	i := &Installation{warn: func(line string) { said = append(said, line) }, stages: []stage.Stage{
		{Name: "auth", Doubts: doubts("an administrator is left", nil)}, {Name: "s3", Doubts: doubts("never", nil)},
		{Name: "vault", Doubts: doubts("a key is left", errors.New("no answer"))}, {Name: "app"},
	}}
	i.TellDoubts(t.Context(), "auth", "vault", "app")
	want := []string{"an administrator is left", "a key is left", "stage vault: not everything that may be wrong could be looked at: no answer"}
	if d := cmp.Diff(want, said); d != "" {
		t.Error(d)
	}
}
