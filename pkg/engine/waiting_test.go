package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// ending is a thing whose former self is still on its way out: it can be made when that has gone.
type ending struct {
	slowThing
	leaves int // how often it has to be asked until the former self is gone
}

func (r *ending) Plan(s seenValue) Change {
	if r.leaves > 0 {
		return Change{Action: Pending, Why: "is being deleted"}
	}
	return r.slowThing.Plan(s)
}

func (r *ending) Ready(context.Context) (Health, error) {
	if r.leaves > 0 {
		r.leaves--
		return Health{Reason: "is being deleted"}, nil
	}
	return Health{Ready: true}, nil
}

// What had to be waited for is made afterwards, and what needs it is looked at again: it was seen in the former self.
func TestMadeAfterItWasWaitedFor(t *testing.T) {
	w := newWorld(map[string]string{"b": "1"})
	namespace := &ending{slowThing: slowThing{thing{w: w, key: "a", want: "1"}}, leaves: 3}
	inside := &thing{w: w, key: "b", want: "1"}
	namespace.apply = func() error { delete(w.values, "b"); return nil }
	var told []string
	run := Run{Steps: []Step{New("namespace/a", namespace), New("thing/b", inside, "namespace/a")}, Report: func(e Event) {
		told = append(told, strings.TrimSpace(string(e.ID)+" "+string(e.Kind)+" "+e.Result+e.Reason))
	}}
	plan := mustPlan(t, run)
	same(t, lines(plan), []string{"namespace/a pending", "thing/b unchanged"})
	if err := run.Apply(t.Context(), plan, Options{Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	same(t, w.log, []string{"set a", "set b"})
	same(t, told, []string{
		"namespace/a waiting is being deleted", "namespace/a started", "namespace/a done created", "thing/b started", "thing/b done created",
	})
}

// A thing that was ready and is not any more when it is looked at is no success.
func TestReadyForAMoment(t *testing.T) {
	w := newWorld(map[string]string{"a": "other"})
	gate := &slowThing{thing{w: w, key: "a", want: "1", change: func(string) Change { return Change{Action: Pending, Why: "no address"} }, health: func() (Health, error) {
		return Health{Ready: true}, nil
	}}}
	run := Run{Steps: []Step{New("address/a", gate)}}
	err := run.Apply(t.Context(), mustPlan(t, run), Options{Timeout: time.Minute})
	if err == nil || !strings.Contains(err.Error(), "it was ready, and is not any more: no address") {
		t.Errorf("got %v", err)
	}
}

// impatient is waited for as long as it says itself.
type impatient struct {
	slowThing
	limit time.Duration
}

func (r *impatient) Patience() time.Duration { return r.limit }

func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		step := &impatient{slowThing: slowThing{thing{w: w, key: "a", want: "1", health: func() (Health, error) { return Health{Reason: "no such record"}, nil }}}}
		run := Run{Steps: []Step{New("names/a", step)}}
		began := time.Now()
		err := run.Apply(t.Context(), mustPlan(t, run), Options{Timeout: time.Hour})
		if !errors.Is(err, ErrTimeout) || !strings.Contains(err.Error(), "names/a: not ready after 0s: no such record; look at it, then run the same command again") {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took > pollInterval {
			t.Errorf("took %s", took)
		}
	})
}

// slow is a thing that takes a while to say how it is, and does not say it to whoever has no time.
type slow struct {
	slowThing
	takes time.Duration
}

func (r *slow) Ready(ctx context.Context) (Health, error) {
	select {
	case <-ctx.Done():
		return Health{}, ctx.Err()
	case <-time.After(r.takes):
		return Health{Reason: "no address"}, nil
	}
}

// A wait that is shorter than one look still says what it waited for.
func TestFirstLookIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		run := Run{Steps: []Step{New("address/a", &slow{slowThing{thing{w: newWorld(nil), key: "a", want: "1"}}, 3 * time.Second})}, Report: func(e Event) {
			if e.Kind == Waiting {
				told = append(told, e.Reason)
			}
		}}
		err := run.Apply(t.Context(), mustPlan(t, run), Options{Timeout: time.Second})
		if !errors.Is(err, ErrTimeout) || !strings.Contains(err.Error(), "not ready after 3s: no address") {
			t.Errorf("got %v", err)
		}
		same(t, told, []string{"no address"})
	})
}

// leaving is a thing that is still there for a while after its removal.
type leaving struct {
	thing
	health []Health
}

func (r *leaving) Gone(context.Context) (Health, error) {
	h := r.health[0]
	if len(r.health) > 1 {
		r.health = r.health[1:]
	}
	return h, nil
}

func TestRemovalIsWaitedFor(t *testing.T) {
	terminating := Health{Reason: "pods are remaining"}
	for name, c := range map[string]struct {
		health []Health
		told   []string
		fails  string
	}{
		"gone at once": {health: []Health{{Ready: true}}, told: []string{"started", "done deleted"}},
		"in a while":   {health: []Health{terminating, terminating, {Ready: true}}, told: []string{"started", "waiting pods are remaining", "done deleted"}},
		"never":        {health: []Health{terminating}, told: []string{"started", "waiting pods are remaining", "failed"}, fails: "namespace/a: not gone after 1s: pods are remaining; look at it, then run the same command again"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(map[string]string{"a": "1"})
				var told []string
				run := Run{Steps: []Step{New("namespace/a", &leaving{thing{w: w, key: "a", want: "1"}, c.health})}, Report: func(e Event) {
					told = append(told, strings.TrimSpace(string(e.Kind)+" "+e.Result+e.Reason))
				}}
				plan, err := run.PlanRemoval(t.Context(), nil)
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeoutCause(t.Context(), 1200*time.Millisecond, ErrTimeout)
				defer cancel()
				err = run.Remove(ctx, plan)
				if c.fails == "" && err != nil || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
					t.Errorf("got %v", err)
				}
				same(t, told, c.told)
			})
		})
	}
}

// keeping finds out only when it is removed that it holds what is not ours.
type keeping struct{ thing }

type keptError struct{}

func (keptError) Error() string { return "stays" }
func (keptError) Kept() string  { return "holds Helm release other" }

func (r *keeping) Remove(context.Context) error { return keptError{} }

func TestWhatStaysIsSaidToBeKept(t *testing.T) {
	w := newWorld(map[string]string{"a": "1"})
	var told []Event
	run := Run{Steps: []Step{New("namespace/a", &keeping{thing{w: w, key: "a", want: "1"}})}, Report: func(e Event) { told = append(told, e) }}
	plan, err := run.PlanRemoval(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Remove(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	last := told[len(told)-1]
	if last.Kind != Done || last.Result != "kept" || last.Change.Why != "holds Helm release other" {
		t.Errorf("%+v", last)
	}
}
