package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// world is a small outside system: named values that steps read and write, with a log of what was done to it.
type world struct {
	mu     sync.Mutex
	values map[string]string
	log    []string
}

func newWorld(values map[string]string) *world {
	if values == nil {
		values = map[string]string{}
	}
	return &world{values: values}
}

func (w *world) get(key string) (string, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v, ok := w.values[key]
	return v, ok
}

func (w *world) set(key, value string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.values[key] = value
	w.log = append(w.log, "set "+key)
}

func (w *world) drop(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.values, key)
	w.log = append(w.log, "drop "+key)
}

// thing is a resource in the world: a key that should have a value.
type thing struct {
	w         *world
	key, want string
	input     *Output[string] // when set, the wanted value ends with it
	output    *Output[string] // when set, made known by an observation
	observe   func() error
	apply     func() error
	health    func() (Health, error)
	change    func(string) Change
}

type seenValue struct {
	value string
	there bool
	want  string
}

func (r *thing) Observe(context.Context) (seenValue, error) {
	if r.observe != nil {
		if err := r.observe(); err != nil {
			return seenValue{}, err
		}
	}
	s := seenValue{want: r.want}
	if r.input != nil {
		in, err := r.input.Get()
		if err != nil {
			return s, err
		}
		s.want += in
	}
	s.value, s.there = r.w.get(r.key)
	if s.there && r.output != nil {
		r.output.Set(s.value)
	}
	return s, nil
}

func (r *thing) Plan(s seenValue) Change {
	switch {
	case !s.there:
		return Change{Action: Create}
	case s.value == s.want:
		return Change{Action: Unchanged}
	case r.change != nil:
		return r.change(s.value)
	default:
		return Change{Action: Configure, Fields: []Field{{Path: "value", From: s.value, To: s.want}}}
	}
}

func (r *thing) Apply(_ context.Context, s seenValue) error {
	if r.apply != nil {
		if err := r.apply(); err != nil {
			return err
		}
	}
	r.w.set(r.key, s.want)
	return nil
}

func (r *thing) Remove(context.Context) error { r.w.drop(r.key); return nil }

// slowThing also has to become ready.
type slowThing struct{ thing }

func (r *slowThing) Ready(context.Context) (Health, error) { return r.health() }

func lines(p Plan) []string {
	var out []string
	for _, s := range p.Steps {
		line := string(s.ID) + " " + string(s.Change.Action)
		if s.Change.After != "" {
			line += " after " + string(s.Change.After)
		}
		out = append(out, line)
	}
	return out
}

func mustPlan(t *testing.T, r Run) Plan {
	t.Helper()
	p, err := r.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestSecondRunWritesNothing(t *testing.T) {
	w := newWorld(map[string]string{"b": "old"})
	run := Run{Steps: Stage("demo",
		New("thing/a", &thing{w: w, key: "a", want: "1"}),
		New("thing/b", &thing{w: w, key: "b", want: "2"}, "thing/a"),
	)}
	plan := mustPlan(t, run)
	same(t, lines(plan), []string{"thing/a create", "thing/b configure"})
	if err := run.Apply(t.Context(), plan, Options{}); err != nil {
		t.Fatal(err)
	}
	same(t, w.log, []string{"set a", "set b"})

	again := mustPlan(t, run)
	if again.Writes() || !again.Settled() {
		t.Errorf("second plan: %v", lines(again))
	}
	if err := run.Apply(t.Context(), again, Options{}); err != nil {
		t.Fatal(err)
	}
	same(t, len(w.log), 2)
}

func TestOutputsAreKnownAfterTheirStep(t *testing.T) {
	w := newWorld(nil)
	accessor := NewOutput[string]("mount/jwt")
	run := Run{Steps: []Step{
		New("policy/onyxia", &thing{w: w, key: "policy", want: "path-", input: accessor}, "mount/jwt"),
		New("mount/jwt", &thing{w: w, key: "mount", want: "auth_jwt_1", output: accessor}),
	}}
	plan := mustPlan(t, run)
	same(t, lines(plan), []string{"mount/jwt create", "policy/onyxia create after mount/jwt"})
	if err := run.Apply(t.Context(), plan, Options{}); err != nil {
		t.Fatal(err)
	}
	got, _ := w.get("policy")
	same(t, got, "path-auth_jwt_1")
}

// A step of another stage that is needed is read, so that its outputs are known, but never written.
func TestNeededStepsOutsideTheRunAreOnlyRead(t *testing.T) {
	address := NewOutput[string]("service/ingress")
	steps := func(w *world) []Step {
		return append(
			Stage("ingress", New("service/ingress", &thing{w: w, key: "service", want: "192.0.2.1", output: address})),
			Stage("app", New("release/app", &thing{w: w, key: "app", want: "at ", input: address}, "service/ingress"))...)
	}
	selected := func(s Step) bool { return s.Stage == "app" }
	advice := func(stage string) string { return "kubectl onyxia " + stage + " install" }

	t.Run("there", func(t *testing.T) {
		w := newWorld(map[string]string{"service": "198.51.100.7"})
		run := Run{Steps: steps(w), Selected: selected}
		plan := mustPlan(t, run)
		same(t, lines(plan), []string{"release/app create"})
		if err := run.Apply(t.Context(), plan, Options{}); err != nil {
			t.Fatal(err)
		}
		same(t, w.log, []string{"set app"})
	})
	t.Run("not there", func(t *testing.T) {
		address = NewOutput[string]("service/ingress")
		w := newWorld(nil)
		run := Run{Steps: steps(w), Selected: selected, StageCommand: advice}
		plan := mustPlan(t, run)
		same(t, lines(plan), []string{"release/app blocked after service/ingress"})
		err := run.Apply(t.Context(), plan, Options{})
		var blocked *BlockedError
		if !errors.As(err, &blocked) || !strings.Contains(err.Error(), "run `kubectl onyxia ingress install` first") {
			t.Fatalf("got %v", err)
		}
		same(t, w.log, []string(nil))
	})
}

func TestUnreadableStep(t *testing.T) {
	refused := errors.New("connection refused")
	for name, c := range map[string]struct {
		release string
		want    []string
		fails   bool
	}{
		"its server is about to be made": {release: "", want: []string{"release/keycloak create", "realm/lab create after release/keycloak"}},
		"its server is as wanted":        {release: "26", want: []string{"release/keycloak unchanged", "realm/lab "}, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(nil)
			if c.release != "" {
				w = newWorld(map[string]string{"release": c.release})
			}
			run := Run{Steps: []Step{
				New("release/keycloak", &thing{w: w, key: "release", want: "26"}),
				New("realm/lab", &thing{w: w, key: "realm", want: "x", observe: func() error { return refused }}, "release/keycloak"),
			}}
			plan := mustPlan(t, run)
			same(t, lines(plan), c.want)
			if err := plan.Err(); errors.Is(err, refused) != c.fails {
				t.Errorf("plan.Err() = %v", err)
			}
		})
	}
}

func TestFailureSkipsDependentsOnly(t *testing.T) {
	w := newWorld(nil)
	boom := errors.New("quota exceeded")
	var mu sync.Mutex
	events := map[ID]EventKind{}
	run := Run{
		Steps: []Step{
			New("a", &thing{w: w, key: "a", want: "1", apply: func() error { return boom }}),
			New("b", &thing{w: w, key: "b", want: "1"}, "a"),
			New("c", &thing{w: w, key: "c", want: "1"}, "b"),
			New("d", &thing{w: w, key: "d", want: "1"}),
		},
		Report: func(e Event) { mu.Lock(); defer mu.Unlock(); events[e.ID] = e.Kind },
	}
	err := run.Apply(t.Context(), mustPlan(t, run), Options{})
	if !errors.Is(err, boom) || !strings.Contains(err.Error(), "a: quota exceeded") {
		t.Fatalf("got %v", err)
	}
	same(t, events, map[ID]EventKind{"a": Failed, "b": Skipped, "c": Skipped, "d": Done})
	same(t, w.log, []string{"set d"})
}

func TestObservedAgainBeforeItActs(t *testing.T) {
	replace := func(from string) Change { return Change{Action: Replace, Risk: "the objects in " + from} }
	for name, c := range map[string]struct {
		consent func(context.Context, ID, Change, Change) error
		fails   string
		value   string
	}{
		"nobody to ask": {fails: `the plan said "create", but now it would be "replace"`, value: "grown meanwhile"},
		"refused":       {consent: func(context.Context, ID, Change, Change) error { return errors.New("no") }, fails: "no", value: "grown meanwhile"},
		"agreed":        {consent: func(context.Context, ID, Change, Change) error { return nil }, value: "1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(nil)
			run := Run{Steps: []Step{New("volume/a", &thing{w: w, key: "a", want: "1", change: replace})}}
			plan := mustPlan(t, run)
			w.set("a", "grown meanwhile")
			err := run.Apply(t.Context(), plan, Options{Consent: c.consent})
			if c.fails == "" && err != nil || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
				t.Fatalf("got %v", err)
			}
			got, _ := w.get("a")
			same(t, got, c.value)
		})
	}
}

func TestMadeByAnotherRunMeanwhile(t *testing.T) {
	w := newWorld(nil)
	run := Run{Steps: []Step{New("a", &thing{w: w, key: "a", want: "1"})}}
	plan := mustPlan(t, run)
	w.set("a", "1")
	if err := run.Apply(t.Context(), plan, Options{}); err != nil {
		t.Fatal(err)
	}
	same(t, w.log, []string{"set a"})
}

func TestWhatDoesNotStayIsSaid(t *testing.T) {
	w := newWorld(nil)
	fighter := &thing{w: w, key: "a", want: "1"}
	fighter.output = NewOutput[string]("a")
	run := Run{Steps: []Step{New("a", Resource[seenValue](&fought{fighter}))}}
	err := run.Apply(t.Context(), mustPlan(t, run), Options{})
	if err == nil || !strings.Contains(err.Error(), "still not as wanted (configure): value") {
		t.Fatalf("got %v", err)
	}
}

// fought is a thing that something else puts back at once.
type fought struct{ *thing }

func (f *fought) Apply(context.Context, seenValue) error { f.w.set(f.key, "put back"); return nil }

func TestWaiting(t *testing.T) {
	ready := Health{Ready: true}
	for name, c := range map[string]struct {
		health  []Health
		timeout time.Duration
		reasons []string
		fails   string
		isTime  bool
	}{
		"ready at once":     {health: []Health{ready}, timeout: time.Minute},
		"says why it waits": {health: []Health{{Reason: "ContainerCreating"}, {Reason: "ContainerCreating"}, ready}, timeout: time.Minute, reasons: []string{"ContainerCreating"}},
		"says a new reason": {health: []Health{{Reason: "Pending"}, {Reason: "Starting"}, ready}, timeout: time.Minute, reasons: []string{"Pending", "Starting"}},
		"gives up at once":  {health: []Health{{Reason: "ErrImagePull: no such image", Hopeless: true}}, timeout: time.Minute, fails: "waiting will not help: ErrImagePull"},
		"gives up in the end": {
			health: []Health{{Reason: "FailedScheduling: 0/1 nodes"}}, timeout: 700 * time.Millisecond,
			reasons: []string{"FailedScheduling: 0/1 nodes"}, fails: "not ready after 1s: FailedScheduling", isTime: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(nil)
				n := 0
				slow := &slowThing{thing{w: w, key: "a", want: "1", health: func() (Health, error) {
					h := c.health[min(n, len(c.health)-1)]
					n++
					return h, nil
				}}}
				var reasons []string
				run := Run{Steps: []Step{New("release/a", slow)}, Report: func(e Event) {
					if e.Kind == Waiting {
						reasons = append(reasons, e.Reason)
					}
				}}
				err := run.Apply(t.Context(), mustPlan(t, run), Options{Timeout: c.timeout})
				if c.fails == "" && err != nil || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
					t.Fatalf("got %v", err)
				}
				same(t, reasons, c.reasons)
				same(t, errors.Is(err, ErrTimeout), c.isTime)
			})
		})
	}
}

// What is as wanted but does not work is waited for too: a run that was killed while it waited is continued.
func TestUnchangedButNotReady(t *testing.T) {
	w := newWorld(map[string]string{"a": "1"})
	asked := 0
	slow := &slowThing{thing{w: w, key: "a", want: "1", health: func() (Health, error) {
		asked++
		return Health{Ready: asked > 2, Reason: "Starting"}, nil
	}}}
	run := Run{Steps: []Step{New("release/a", slow)}}
	plan := mustPlan(t, run)
	if plan.Writes() || plan.Settled() {
		t.Errorf("writes %v, settled %v", plan.Writes(), plan.Settled())
	}
	if err := run.Apply(t.Context(), plan, Options{Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	same(t, asked, 3)
	same(t, w.log, []string(nil))
}

func TestStopped(t *testing.T) {
	w := newWorld(nil)
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupted := errors.New("interrupted")
	run := Run{Steps: []Step{
		New("a", &thing{w: w, key: "a", want: "1", apply: func() error { cancel(interrupted); return nil }}),
		New("b", &thing{w: w, key: "b", want: "1"}, "a"),
	}}
	err := run.Apply(ctx, mustPlan(t, run), Options{})
	if !errors.Is(err, ErrStopped) || !errors.Is(err, interrupted) {
		t.Fatalf("got %v", err)
	}
	same(t, w.log, []string{"set a"})
}

func TestRemoval(t *testing.T) {
	steps := func(w *world) []Step {
		return Stage("s3",
			New("namespace/minio", &thing{w: w, key: "namespace", want: "1"}),
			New("volume/minio", &thing{w: w, key: "volume", want: "1"}, "namespace/minio").HoldingData("the objects of all users"),
			New("release/minio", &thing{w: w, key: "release", want: "1"}, "volume/minio"),
			New("policy/gone", &thing{w: w, key: "policy", want: "1"}, "release/minio"),
		)
	}
	there := map[string]string{"namespace": "1", "volume": "1", "release": "changed by hand"}
	for name, c := range map[string]struct {
		named map[ID]bool
		plan  []string
		log   []string
	}{
		"data is kept": {
			plan: []string{"policy/gone unchanged", "release/minio delete", "volume/minio kept", "namespace/minio delete"},
			log:  []string{"drop release", "drop namespace"},
		},
		"data is named": {
			named: map[ID]bool{"volume/minio": true},
			plan:  []string{"policy/gone unchanged", "release/minio delete", "volume/minio delete", "namespace/minio delete"},
			log:   []string{"drop release", "drop volume", "drop namespace"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(map[string]string{})
			for k, v := range there {
				w.values[k] = v
			}
			run := Run{Steps: steps(w)}
			plan, err := run.PlanRemoval(t.Context(), c.named)
			if err != nil {
				t.Fatal(err)
			}
			same(t, lines(plan), c.plan)
			if err := run.Remove(t.Context(), plan); err != nil {
				t.Fatal(err)
			}
			same(t, w.log, c.log)
		})
	}
}

func TestGraphErrors(t *testing.T) {
	step := func(id ID, needs ...ID) Step { return New(id, &thing{w: newWorld(nil)}, needs...) }
	for name, c := range map[string]struct {
		steps []Step
		fails string
	}{
		"twice":   {steps: []Step{step("a"), step("a")}, fails: "step a is there twice"},
		"unknown": {steps: []Step{step("a", "b")}, fails: "step a needs b, which does not exist"},
		"circle":  {steps: []Step{step("a", "b"), step("b", "a")}, fails: "a -> b -> a"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Run{Steps: c.steps}.Plan(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestIndependentStepsRunAtOnce(t *testing.T) {
	w := newWorld(nil)
	both := make(chan struct{})
	var once sync.WaitGroup
	once.Add(2)
	go func() { once.Wait(); close(both) }()
	meet := func() error {
		once.Done()
		select {
		case <-both:
			return nil
		case <-time.After(time.Minute):
			return errors.New("alone")
		}
	}
	run := Run{Steps: []Step{
		New("a", &thing{w: w, key: "a", want: "1", apply: meet}),
		New("b", &thing{w: w, key: "b", want: "1", apply: meet}),
	}}
	if err := run.Apply(t.Context(), mustPlan(t, run), Options{}); err != nil {
		t.Fatal(err)
	}
}

func TestSharedIsReadOncePerRound(t *testing.T) {
	reads := 0
	shared := NewShared(func(context.Context) (int, error) { reads++; return reads, nil })
	first := withRound(t.Context(), 1)
	for range 3 {
		if _, err := shared.Get(first); err != nil {
			t.Fatal(err)
		}
	}
	same(t, reads, 1)
	got, _ := shared.Get(withRound(t.Context(), 2))
	same(t, got, 2)
	shared.Forget()
	got, _ = shared.Get(first)
	same(t, got, 3)
}

// In a round a server that is down is asked once; after it, and outside of rounds, it is asked again.
func TestSharedErrorsAreKeptForTheirRound(t *testing.T) {
	reads, fail := 0, true
	shared := NewShared(func(context.Context) (int, error) {
		reads++
		if fail {
			return 0, errors.New("down")
		}
		return 7, nil
	})
	first := withRound(t.Context(), 1)
	for range 3 {
		if _, err := shared.Get(first); err == nil {
			t.Fatal("no error")
		}
	}
	same(t, reads, 1)
	if _, err := shared.Get(t.Context()); err == nil {
		t.Fatal("no error")
	}
	same(t, reads, 2)
	fail = false
	for _, ctx := range []context.Context{t.Context(), withRound(t.Context(), 2), withRound(t.Context(), 2)} {
		if got, err := shared.Get(ctx); err != nil || got != 7 {
			t.Fatalf("got %d, %v", got, err)
		}
	}
	same(t, reads, 4)
}

// A server that is to go, or has gone, cannot be asked for what is in it any more. That must not keep it from going.
//
// What has no server, or one that stays, has to be read: with its record gone nobody would know of it.
func TestRemovalOfWhatCannotBeReadAnyMore(t *testing.T) {
	w := newWorld(map[string]string{"server": "1", "client": "1"})
	steps := func(server map[string]string) []Step {
		down := func() error { return errors.New("no answer") }
		return append(
			Stage("onyxia", New("record", &thing{w: newWorld(map[string]string{"record": "1"}), key: "record", want: "1"})),
			Stage("auth",
				New("release/server", &slowThing{thing{w: newWorld(server), key: "server", want: "1"}}, "record"),
				New("client/x", &thing{w: w, key: "client", want: "1", observe: down}, "release/server"),
				New("other", &thing{w: newWorld(nil), key: "other", want: "1"}, "record"))...)
	}
	for name, c := range map[string]struct {
		server   map[string]string
		selected ID // empty for all
		want     []string
		fails    bool
	}{
		"server goes too": {server: map[string]string{"server": "1"}, want: []string{"other unchanged", "client/x kept", "release/server delete", "record delete"}},
		"server is gone":  {want: []string{"other unchanged", "client/x kept", "release/server unchanged", "record delete"}},
		"server stays":    {server: map[string]string{"server": "1"}, selected: "client/x", want: []string{"client/x "}, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			run := Run{Steps: steps(c.server), Selected: func(s Step) bool { return c.selected == "" || s.ID == c.selected }}
			plan, err := run.PlanRemoval(t.Context(), nil)
			if err != nil || (plan.Err() != nil) != c.fails {
				t.Fatalf("%v, %v", err, plan.Err())
			}
			same(t, lines(plan), c.want)
			if !c.fails && (!strings.Contains(plan.Steps[1].Change.Why, "no answer") || run.Remove(t.Context(), plan) != nil) {
				t.Errorf("%+v", plan.Steps[1].Change)
			}
		})
	}
}

// Many steps that fail for one reason are one error.
func TestOneReasonIsToldOnce(t *testing.T) {
	down := func() error { return errors.New("no answer") }
	w := newWorld(nil)
	var steps []Step
	for _, id := range []ID{"a", "b", "c", "d"} {
		steps = append(steps, New(id, &thing{w: w, observe: down}))
	}
	steps = append(steps, New("e", &thing{w: w, observe: func() error { return errors.New("no rights") }}))
	err := mustPlan(t, Run{Steps: steps}).Err()
	if got, want := err.Error(), "a, b and 2 more: no answer\ne: no rights"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

type fakeLock struct {
	lost     chan struct{}
	expired  bool
	unlocked bool
	ended    error // of the context that it was given back with
}

func (l *fakeLock) Lost() <-chan struct{} { return l.lost }
func (l *fakeLock) Held() bool            { return !l.expired }
func (l *fakeLock) Unlock(ctx context.Context) error {
	l.unlocked, l.ended = true, ctx.Err()
	return nil
}

func TestWithLock(t *testing.T) {
	t.Run("given back after an error", func(t *testing.T) {
		lock := &fakeLock{lost: make(chan struct{})}
		err := WithLock(t.Context(), func(context.Context) (Lock, error) { return lock, nil }, func(context.Context) error { return errors.New("x") })
		if err == nil || !lock.unlocked {
			t.Fatalf("err %v, unlocked %v", err, lock.unlocked)
		}
	})
	t.Run("held by another", func(t *testing.T) {
		held := errors.New("held by ana")
		err := WithLock(t.Context(), func(context.Context) (Lock, error) { return nil, held }, func(context.Context) error { t.Error("ran"); return nil })
		if !errors.Is(err, held) {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("lost", func(t *testing.T) {
		lock := &fakeLock{lost: make(chan struct{})}
		err := WithLock(t.Context(), func(context.Context) (Lock, error) { return lock, nil }, func(ctx context.Context) error {
			close(lock.lost)
			<-ctx.Done()
			return context.Cause(ctx)
		})
		if !errors.Is(err, ErrLockLost) {
			t.Fatalf("got %v", err)
		}
	})
}

// The JSON form is a contract: a change of this test is a change of docs/plan.md.
func TestPlanAsJSON(t *testing.T) {
	w := newWorld(map[string]string{"b": "1"})
	run := Run{Steps: Stage("demo",
		New("thing/a", &thing{w: w, key: "a", want: "1"}),
		New("thing/b", &thing{w: w, key: "b", want: "2"}, "thing/a"),
	)}
	got, err := json.Marshal(mustPlan(t, run))
	if err != nil {
		t.Fatal(err)
	}
	same(t, string(got), `{"apiVersion":"onyxia.sh/v1","kind":"Plan","steps":[`+
		`{"id":"thing/a","stage":"demo","change":{"action":"create"}},`+
		`{"id":"thing/b","stage":"demo","needs":["thing/a"],"change":{"action":"configure","fields":[{"path":"value","from":"1","to":"2"}]}}]}`)
}

// Many steps with many needs: every one is applied once and after what it needs.
func TestOrderOfManySteps(t *testing.T) {
	w := newWorld(nil)
	var steps []Step
	for i := range 60 {
		var needs []ID
		for j := i / 2; j < i; j += 7 {
			needs = append(needs, ID(fmt.Sprint(j)))
		}
		steps = append(steps, New(ID(fmt.Sprint(i)), &thing{w: w, key: fmt.Sprint(i), want: "1"}, needs...))
	}
	run := Run{Steps: steps}
	if err := run.Apply(t.Context(), mustPlan(t, run), Options{}); err != nil {
		t.Fatal(err)
	}
	same(t, len(w.log), 60)
	for _, s := range steps {
		for _, need := range s.Needs {
			if slices.Index(w.log, "set "+string(need)) > slices.Index(w.log, "set "+string(s.ID)) {
				t.Errorf("%s was applied before %s", s.ID, need)
			}
		}
	}
}

// notes are adoptions in memory.
type notes map[ID]string

func (n notes) Adopted(_ context.Context, id ID) (string, error) { return n[id], nil }

func (n notes) Note(_ context.Context, id ID, what string) error {
	if n[id] = what; what == "" {
		delete(n, id)
	}
	return nil
}

// C1: what another party made is changed when that was agreed to, or named if it holds data; it is remembered before it is
// changed, and kept at removal.
func TestAdoption(t *testing.T) {
	theirs := func(holds string) func(string) Change {
		return func(string) Change {
			return Change{Action: Configure, Adopts: &Adoption{What: "release a of their chart", Lost: "values.a", Holds: holds, Instead: "set a.mode to existing"}}
		}
	}
	for name, c := range map[string]struct {
		holds  string
		named  bool
		action Action
		says   []string
	}{
		"asked":                {"", false, Configure, []string{"release a of their chart, would be taken over", "this is lost: values.a", "set a.mode to existing"}},
		"named":                {"", true, Configure, nil},
		"with data":            {"all users", false, Blocked, []string{"this is lost: values.a", "it holds all users", "set a.mode to existing", "--adopt release.helm/a"}},
		"with data, and named": {"all users", true, Configure, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w, kept := newWorld(map[string]string{"a": "theirs"}), notes{}
			run := Run{Adopted: kept, Adopt: map[ID]bool{"release.helm/a": c.named}, Steps: []Step{New("release.helm/a", &thing{
				w: w, key: "a", want: "1", change: theirs(c.holds),
				apply: func() error {
					if kept["release.helm/a"] == "" {
						t.Error("changed before it was remembered")
					}
					return nil
				}})}}
			plan := mustPlan(t, run)
			change := plan.Steps[0].Change
			if change.Action != c.action {
				t.Errorf("%+v", change)
			}
			said := change.Risk + change.Why + change.Fix
			if len(c.says) == 0 && said != "" {
				t.Errorf("said %q", said)
			}
			for _, want := range c.says {
				if !strings.Contains(said, want) {
					t.Errorf("%q is not said: %s", want, said)
				}
			}
			if c.action == Blocked {
				return
			}
			if err := run.Apply(t.Context(), plan, Options{}); err != nil {
				t.Fatal(err)
			}
			removal, err := run.PlanRemoval(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if c := removal.Steps[0].Change; c.Action != Kept || !strings.Contains(c.Why, "was adopted: release a of their chart") {
				t.Errorf("%+v", c)
			}
			// What they took away, and is made anew, is ours.
			w.drop("a")
			run.Steps[0] = New("release.helm/a", &thing{w: w, key: "a", want: "1"})
			if err := run.Apply(t.Context(), mustPlan(t, run), Options{}); err != nil {
				t.Fatal(err)
			}
			same(t, len(kept), 0)
		})
	}
}

// What turns out to be another party's only when it is written is asked about then.
func TestAdoptionThatThePlanDidNotSee(t *testing.T) {
	w := newWorld(nil)
	step := &thing{w: w, key: "a", want: "1", change: func(string) Change { return Change{Action: Configure, Adopts: &Adoption{What: "theirs"}} }}
	run := Run{Adopted: notes{}, Steps: []Step{New("a", step)}}
	plan := mustPlan(t, run)
	w.set("a", "made meanwhile")
	if err := run.Apply(t.Context(), plan, Options{}); err == nil || !strings.Contains(err.Error(), "theirs, would be taken over") {
		t.Errorf("got %v", err)
	}
}
