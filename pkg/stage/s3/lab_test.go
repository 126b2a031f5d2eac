package s3

import (
	"context"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/kubetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/helm"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

func TestMain(m *testing.M) { os.Exit(kubetest.Run(m)) }

// lab is a real API server with an installation that wants S3.
type lab struct {
	cluster *kubetest.Cluster
	env     stage.Env
	// public is the ingress controller's address, for tests that have one.
	public netip.Addr

	mu   sync.Mutex
	said []string
}

func newLab(t *testing.T, change func(*platform.Config)) *lab {
	t.Helper()
	l := &lab{cluster: kubetest.Start(t)}
	config := platform.Config{Domain: "demo.test"}
	config.App.Namespace, config.S3.Namespace, config.Auth.Namespace = l.cluster.Namespace(t), "minio-"+l.cluster.Namespace(t), l.cluster.Namespace(t)
	if change != nil {
		change(&config)
	}
	client, err := kube.Connect(l.cluster.Flags(t))
	if err != nil {
		t.Fatal(err)
	}
	l.env = environment(t, config, client, l.warn)
	return l
}

// environment of a run in which the stages that S3 stands on stand.
func environment(t *testing.T, config platform.Config, client *kube.Client, warn func(string)) stage.Env {
	t.Helper()
	p, err := platform.Complete(config)
	if err != nil {
		t.Fatal(err)
	}
	catalogue, err := profile.Load(p.Profile)
	if err != nil {
		t.Fatal(err)
	}
	return stage.Env{
		Platform: p, Profile: catalogue, Kube: client, Helm: &helm.Client{Kube: client}, Links: stage.NewLinks(), Warn: warn,
		Present: map[string]bool{"ingress": true, "tls": true, "auth": true, Name: true}, Keycloak: stage.NewKeycloak(p, client),
	}
}

func (l *lab) say(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said = append(l.said, line)
}

// warn tells each doubt once, as the commands do.
func (l *lab) warn(line string) {
	if !strings.Contains(l.transcript(), line) {
		l.say(line)
	}
}

func (l *lab) transcript() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.said, "\n")
}

// apply plans and applies, and gives what was done by step.
func apply(ctx context.Context, t *testing.T, run engine.Run) (map[engine.ID]engine.Action, error) {
	t.Helper()
	done := map[engine.ID]engine.Action{}
	var mu sync.Mutex
	run.Report = func(e engine.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Kind == engine.Done && e.Change.Action != engine.Unchanged {
			done[e.ID] = e.Change.Action
		}
	}
	plan, err := run.Plan(ctx)
	if err != nil {
		t.Fatal(err)
	}
	err = run.Apply(ctx, plan, engine.Options{Timeout: 3 * time.Minute})
	mu.Lock()
	defer mu.Unlock()
	return done, err
}
