package tls

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/acmetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/internal/kubetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

func TestMain(m *testing.M) { os.Exit(kubetest.Run(m)) }

// site is a cluster, a zone and an authority, with an installation that uses them.
type site struct {
	cluster *kubetest.Cluster
	dns     *acmetest.DNS
	ca      *acmetest.Authority
	config  platform.Config
	env     stage.Env

	mu   sync.Mutex
	said []string
}

func newSite(t *testing.T, o acmetest.Options) *site {
	t.Helper()
	s := &site{cluster: kubetest.Start(t), dns: acmetest.StartHiddenDNS(t)}
	s.ca = acmetest.Start(t, s.dns, o)
	s.dns.Setenv(t)
	s.config = platform.Config{Domain: acmetest.Zone}
	s.config.App.Namespace = s.cluster.Namespace(t)
	s.config.Ingress.Mode, s.config.Ingress.Namespace = "existing", s.cluster.Namespace(t)
	s.config.TLS.ACME = platform.ACME{Server: s.ca.Directory, CABundle: string(s.ca.CAPEM)}
	s.config.TLS.DNS = platform.DNS{Provider: "rfc2136", Resolvers: []string{s.dns.Addr}}
	s.complete(t)
	return s
}

// complete makes the environment anew from the configuration.
func (s *site) complete(t *testing.T) {
	t.Helper()
	p, err := platform.Complete(s.config)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kube.Connect(s.cluster.Flags(t))
	if err != nil {
		t.Fatal(err)
	}
	s.env = stage.Env{Platform: p, Kube: client, Warn: s.tell, Links: stage.NewLinks()}
}

func (s *site) tell(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, line)
}

func (s *site) transcript() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.said, "\n")
}

// known is the address of a controller that is not part of these tests.
type known struct{}

func (known) Observe(context.Context) (bool, error) { return true, nil }
func (known) Plan(bool) engine.Change               { return engine.Change{Action: engine.Unchanged} }
func (known) Apply(context.Context, bool) error     { return nil }

// run is the stage as a command runs it, with the namespaces of its surroundings.
func (s *site) run(t *testing.T, o Options) engine.Run {
	t.Helper()
	list, err := With(o).Steps(t.Context(), s.env)
	if err != nil {
		t.Fatal(err)
	}
	steps := engine.Stage("tls", list...)
	spaces := []string{s.config.App.Namespace}
	if s.config.Ingress.Mode != "existing" {
		spaces = append(spaces, s.config.Ingress.Namespace)
	}
	for _, ns := range spaces {
		steps = append(steps, engine.Stage("ingress", engine.New(stage.NamespaceID(ns), kube.NewNamespace(s.env.Kube, ns, kube.Baseline, kube.Baseline)))...)
	}
	steps = append(steps, engine.Stage("ingress", engine.New(stage.AddressID, known{}))...)
	return engine.Run{
		Steps:        steps,
		Selected:     func(s engine.Step) bool { return s.Stage == "tls" },
		StageCommand: func(name string) string { return "kubectl onyxia " + name + " install" },
	}
}

// issue plans and applies, and returns the plan's change for the certificate.
func (s *site) issue(ctx context.Context, t *testing.T, o Options) (engine.Change, error) {
	t.Helper()
	run := s.run(t, o)
	plan, err := run.Plan(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return plan.Steps[0].Change, run.Apply(ctx, plan, engine.Options{Timeout: time.Minute, Consent: func(context.Context, engine.ID, engine.Change, engine.Change) error { return nil }})
}

// must is issue with an action that has to come out.
func (s *site) must(t *testing.T, o Options, want engine.Action) engine.Change {
	t.Helper()
	change, err := s.issue(t.Context(), t, o)
	if err != nil || change.Action != want {
		t.Fatalf("%+v, %v; want %s\n%s", change, err, want, s.transcript())
	}
	return change
}

// renewal is a renewal asked for in a minute: times are noted to the second, and the certificate may be of this one.
func renewal() Options {
	soon := time.Now().Add(time.Minute)
	return Options{RenewBefore: soon, Now: func() time.Time { return soon }}
}

func (s *site) secret(t *testing.T) *corev1.Secret {
	t.Helper()
	got, err := s.cluster.Clientset().CoreV1().Secrets(s.config.Ingress.Namespace).Get(t.Context(), "onyxia-tls", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (s *site) noRecords(t *testing.T) {
	t.Helper()
	for _, name := range []string{"_acme-challenge.onyxia.demo.test", "_acme-challenge.lab.demo.test"} {
		if left := s.dns.TXT(t, name); len(left) > 0 {
			t.Errorf("%s still has %v", name, left)
		}
	}
}
