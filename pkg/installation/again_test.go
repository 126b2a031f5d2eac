package installation

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// down takes stages away.
func (s *site) down(t *testing.T, i *Installation, data map[engine.ID]bool, names ...string) error {
	t.Helper()
	r, err := i.Removal(t.Context(), nil, names, data)
	if err != nil {
		t.Fatal(err)
	}
	return engine.WithLock(t.Context(), i.Lock, r.Do)
}

// C2: two runs plan, and both wait at a question. The one that is answered last finds that the other has been at work, and takes
// nothing of that back; nor does a removal.
func TestC2TwoRunsThatBothWaitAtAQuestion(t *testing.T) {
	s := newSite(t)
	s.up(t, "ingress")
	plan := func(i *Installation) func(context.Context) error {
		t.Helper()
		run, err := i.Run(t.Context(), nil, "ingress", "app")
		if err != nil {
			t.Fatal(err)
		}
		plan, err := run.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return func(ctx context.Context) error { return run.Apply(ctx, plan, engine.Options{Timeout: time.Minute}) }
	}
	second, removing := s.open(t), s.open(t)
	s.options.Flags.Prefixes.User = "u-"
	first := s.open(t)
	applyFirst, applySecond := plan(first), plan(second)
	removal, err := removing.Removal(t.Context(), nil, []string{"ingress", "auth", "app"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.WithLock(t.Context(), first.Lock, applyFirst); err != nil {
		t.Fatal(err)
	}
	recorded := s.data(t, RecordName)
	mark := s.cluster.Mark(t)
	for name, err := range map[string]error{
		"up":   engine.WithLock(t.Context(), second.Lock, applySecond),
		"down": engine.WithLock(t.Context(), removing.Lock, removal.Do),
	} {
		var changed *engine.ChangedError
		if !errors.As(err, &changed) || !strings.Contains(err.Error(), "configmap "+s.namespace+"/"+RecordName+": another run has written the record") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, write := range mark.Writes(t) {
		if !strings.Contains(write, "/leases") {
			t.Errorf("wrote: %s", write)
		}
	}
	same(t, s.data(t, RecordName), recorded)
}

// C2: nothing is made, not even the namespace of the lock, where another run has taken the datalab away.
func TestC2GoneMeanwhile(t *testing.T) {
	s := newSite(t)
	s.cluster.KeepReady(t)
	s.up(t, "ingress")
	late := s.open(t)
	if err := s.down(t, s.open(t), nil, "ingress", "auth", "app"); err != nil {
		t.Fatal(err)
	}
	mark := s.cluster.Mark(t)
	_, err := late.Lock(t.Context())
	var changed *engine.ChangedError
	if !errors.As(err, &changed) {
		t.Errorf("got %v", err)
	}
	// A lock cannot be made where there is no namespace.
	for _, write := range mark.Writes(t) {
		if !strings.HasSuffix(write, "/leases 404") {
			t.Errorf("wrote: %s", write)
		}
	}
}

// C3: what data is called, and how it was wanted, stays with the data: the next person finds it without file or flags.
func TestC3RecordStaysWithTheData(t *testing.T) {
	s := newSite(t)
	s.cluster.KeepReady(t)
	s.options.Flags.Prefixes.User = "u-"
	s.up(t, "ingress", "auth")
	s.options.Flags = platform.Config{App: platform.App{Namespace: s.namespace}}
	all := []string{"ingress", "auth", "app"}
	if err := s.down(t, s.open(t), nil, all...); err != nil {
		t.Fatal(err)
	}
	i := s.open(t)
	if !i.Recorded || len(i.Present) > 0 || i.Platform.Domain != "a.org" || i.Platform.Prefixes.User != "u-" || s.data(t, "auth") == nil {
		t.Errorf("recorded %v, present %v, domain %q, prefix %q", i.Recorded, i.Present, i.Platform.Domain, i.Platform.Prefixes.User)
	}
	told := s.up(t, "ingress", "auth")
	if !slices.Contains(told, "configmap/auth unchanged") {
		t.Errorf("told %v", told)
	}
	if err := s.down(t, s.open(t), map[engine.ID]bool{"configmap/auth": true}, all...); err != nil {
		t.Fatal(err)
	}
	if left := s.data(t, RecordName); left != nil {
		t.Errorf("the record is left: %v", left)
	}
}

// stubborn is a thing that cannot be removed as long as it says so.
type stubborn struct{ stays bool }

func (s *stubborn) Observe(context.Context) (bool, error) { return true, nil }
func (s *stubborn) Plan(bool) engine.Change               { return engine.Change{Action: engine.Unchanged} }
func (s *stubborn) Apply(context.Context, bool) error     { return nil }
func (s *stubborn) Remove(context.Context) error {
	if s.stays {
		return errors.New("the server answers 500")
	}
	return nil
}

// C3: as long as something could not be removed, the next removal finds the datalab, and the stage of which something is left.
func TestC3RecordStaysUntilAllIsGone(t *testing.T) {
	s := newSite(t)
	s.cluster.KeepReady(t)
	client := &stubborn{stays: true}
	s.options.Stages[1].Steps = func(context.Context, stage.Env) ([]engine.Step, error) {
		return []engine.Step{engine.New("client/auth", client)}, nil
	}
	s.up(t, "ingress", "auth")
	s.options.Flags = platform.Config{App: platform.App{Namespace: s.namespace}}
	if err := s.down(t, s.open(t), nil, "auth"); err == nil {
		t.Error("no error")
	}
	same(t, s.open(t).Present, map[string]bool{"ingress": true, "auth": true})
	if err := s.down(t, s.open(t), nil, "ingress", "auth", "app"); err == nil {
		t.Error("no error")
	}
	same(t, s.open(t).Present, map[string]bool{"auth": true})
	client.stays = false
	if err := s.down(t, s.open(t), nil, "ingress", "auth", "app"); err != nil {
		t.Fatal(err)
	}
	if left := s.data(t, RecordName); left != nil {
		t.Errorf("the record is left: %v", left)
	}
}
