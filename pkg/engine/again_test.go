package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// C2: what a plan writes over is looked at again before anything is written. Progress in the same direction is no change.
func TestC2ChangedBetweenPlanAndApply(t *testing.T) {
	risky := func(from string) Change {
		return Change{Action: Configure, Risk: "users are logged out", Fields: []Field{{Path: "value", From: from, To: "1"}}}
	}
	for name, c := range map[string]struct {
		change    func(string) Change
		meanwhile string
		want      string // empty for a change
	}{
		"agreed to, changed":          {change: risky, meanwhile: "3"},
		"agreed to, the same":         {change: risky, meanwhile: "2", want: "1"},
		"written over, changed":       {meanwhile: "3"},
		"written over, the same":      {meanwhile: "2", want: "1"},
		"as wanted meanwhile":         {change: risky, meanwhile: "1", want: "1"},
		"less to do, and less a risk": {change: func(string) Change { return Change{Action: Configure} }, meanwhile: "3", want: "1"},
		"another party's now": {change: func(from string) Change {
			if from == "3" {
				return Change{Action: Configure, Adopts: &Adoption{What: "made by another party"}}
			}
			return Change{Action: Configure}
		}, meanwhile: "3"},
		"a person has to act now": {change: func(from string) Change {
			if from == "3" {
				return Change{Action: Blocked, Why: "somebody's"}
			}
			return Change{Action: Configure}
		}, meanwhile: "3"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(map[string]string{"a": "2"})
			run := Run{Steps: []Step{New("a", &thing{w: w, key: "a", want: "1", change: c.change}), New("b", &thing{w: w, key: "b", want: "1"})}}
			plan := mustPlan(t, run)
			w.values["a"] = c.meanwhile
			err := run.Apply(t.Context(), plan, Options{Consent: func(context.Context, ID, Change, Change) error { return nil }})
			var changed *ChangedError
			if errors.As(err, &changed) != (c.want == "") || c.want != "" && err != nil {
				t.Fatalf("got %v", err)
			}
			if c.want == "" && (len(w.log) > 0 || !strings.Contains(err.Error(), "a: the plan said configure") || !strings.Contains(err.Error(), "Nothing was written.")) {
				t.Errorf("wrote %v, said %v", w.log, err)
			}
			if got, _ := w.get("a"); c.want != "" && got != c.want {
				t.Errorf("it is %s", got)
			}
		})
	}
}

// C2: what cannot be read any more ends the run before it writes.
func TestC2UnreadableUnderTheLock(t *testing.T) {
	down := errors.New("no answer")
	w := newWorld(map[string]string{"a": "2"})
	a := &thing{w: w, key: "a", want: "1"}
	run := Run{Steps: []Step{New("a", a), New("b", &thing{w: w, key: "b", want: "1"})}}
	plan := mustPlan(t, run)
	a.observe = func() error { return down }
	if err := run.Apply(t.Context(), plan, Options{}); !errors.Is(err, down) || len(w.log) > 0 {
		t.Errorf("%v, wrote %v", err, w.log)
	}
}

// C2: a settled plan is not looked at again, so that a second run costs one look.
func TestC2SettledPlanIsReadOnce(t *testing.T) {
	w, looks := newWorld(map[string]string{"a": "1"}), 0
	run := Run{Steps: []Step{New("a", &thing{w: w, key: "a", want: "1", observe: func() error { looks++; return nil }})}}
	if err := run.Apply(t.Context(), mustPlan(t, run), Options{}); err != nil || looks != 1 {
		t.Errorf("%v, %d looks", err, looks)
	}
}

// C2: a question that came up during the run is asked again when the answer is out of date.
func TestC2AnswerThatTookAWhile(t *testing.T) {
	w := newWorld(nil)
	replace := func(from string) Change { return Change{Action: Replace, Risk: "the objects in " + from} }
	run := Run{Steps: []Step{New("a", &thing{w: w, key: "a", want: "1", change: replace})}}
	plan := mustPlan(t, run)
	w.set("a", "first")
	var asked []string
	err := run.Apply(t.Context(), plan, Options{Consent: func(_ context.Context, _ ID, _, now Change) error {
		asked = append(asked, now.Risk)
		w.values["a"] = "second"
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	same(t, asked, []string{"the objects in first", "the objects in second"})
}

// C2: what a removal would take is looked at again. What has gone, or has to stay by now, is no reason to stop.
func TestC2ChangedBetweenPlanAndRemoval(t *testing.T) {
	for name, c := range map[string]struct {
		before, meanwhile map[string]string
		changed           bool
		log               []string
	}{
		"more is there": {before: map[string]string{"a": "1"}, meanwhile: map[string]string{"a": "1", "b": "1"}, changed: true},
		"less is there": {before: map[string]string{"a": "1", "b": "1"}, meanwhile: map[string]string{"a": "1"}, log: []string{"drop a"}},
		"the same":      {before: map[string]string{"a": "1", "b": "1"}, meanwhile: map[string]string{"a": "1", "b": "1"}, log: []string{"drop b", "drop a"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(c.before)
			run := Run{Steps: []Step{New("a", &thing{w: w, key: "a", want: "1"}), New("b", &thing{w: w, key: "b", want: "1"}, "a")}}
			plan, err := run.PlanRemoval(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			w.values = c.meanwhile
			err = run.Remove(t.Context(), plan)
			var changed *ChangedError
			if errors.As(err, &changed) != c.changed || !c.changed && err != nil {
				t.Fatalf("got %v", err)
			}
			same(t, w.log, c.log)
		})
	}
}

// stuck is a thing that cannot be removed.
type stuck struct{ *thing }

func (s *stuck) Remove(context.Context) error { return errors.New("the server answers 500") }

// C3: what the next removal needs to find or reach the rest goes last, and only when all that needs it went.
func TestC3GoesLastAndOnlyIfAllWent(t *testing.T) {
	for name, c := range map[string]struct {
		stuck ID
		log   []string
		told  []string
	}{
		"all goes": {log: []string{"drop client", "drop account", "drop other", "drop record"}},
		"the client stays": {stuck: "client", log: []string{"drop other"}, told: []string{
			"account kept: the next removal needs it: client could not be removed", "record kept: the next removal needs it: client could not be removed"}},
		"the other stays": {stuck: "other", log: []string{"drop client", "drop account"}, told: []string{
			"record kept: the next removal needs it: other could not be removed"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(map[string]string{"record": "1", "account": "1", "client": "1", "other": "1"})
			step := func(id ID, needs ...ID) Step {
				one := &thing{w: w, key: string(id), want: "1"}
				if id == c.stuck {
					return New(id, &stuck{one}, needs...)
				}
				return New(id, one, needs...)
			}
			var told []string
			run := Run{Steps: []Step{
				step("record").NamingData(), step("account", "record").GoesLast(), step("realm", "account"), step("client", "realm"), step("other", "record"),
			}, Report: func(e Event) {
				if e.Change.Action == Kept {
					told = append(told, string(e.ID)+" "+e.Result+": "+e.Change.Why)
				}
			}}
			plan, err := run.PlanRemoval(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := run.Remove(t.Context(), plan); (err != nil) != (c.stuck != "") {
				t.Errorf("got %v", err)
			}
			slices.Sort(told)
			same(t, told, c.told)
			got := slices.Sorted(slices.Values(w.log))
			same(t, got, slices.Sorted(slices.Values(c.log)))
			if _, there := w.get("record"); there != (c.stuck != "") {
				t.Errorf("record there: %v", there)
			}
		})
	}
}

// refused is a thing that others made.
type refused struct{ *thing }

func (r *refused) RefuseRemoval(context.Context) string { return "was there before" }

// C3: what names data stays with it; what others made is found by them.
func TestC3RecordStaysWithTheDataThatItNames(t *testing.T) {
	for name, c := range map[string]struct {
		named map[ID]bool
		want  []string
	}{
		"data is kept":  {want: []string{"realm kept", "volume kept", "record kept", "home kept"}},
		"data is named": {named: map[ID]bool{"volume": true}, want: []string{"realm kept", "volume delete", "record delete", "home delete"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(map[string]string{"home": "1", "record": "1", "volume": "1", "realm": "1"})
			step := func(id ID, needs ...ID) Step { return New(id, &thing{w: w, key: string(id), want: "1"}, needs...) }
			run := Run{Steps: []Step{
				step("home").NamingData(), step("record", "home").NamingData(), step("volume", "record").HoldingData("all files"),
				New("realm", &refused{&thing{w: w, key: "realm", want: "1"}}, "record").HoldingData("the users"),
			}}
			plan, err := run.PlanRemoval(t.Context(), c.named)
			if err != nil {
				t.Fatal(err)
			}
			same(t, lines(plan), c.want)
			if why := plan.Steps[2].Change.Why; c.named == nil && why != "names what is kept: volume" {
				t.Errorf("said %q", why)
			}
			if err := run.Remove(t.Context(), plan); err != nil {
				t.Fatal(err)
			}
			if _, there := w.get("record"); there != (c.named == nil) {
				t.Errorf("record there: %v", there)
			}
		})
	}
}

// D: the lock is asked for before each step, by its time: a run that learns of the loss late writes nothing more.
func TestDLockIsAskedForBeforeEachStep(t *testing.T) {
	w := newWorld(nil)
	lock := &fakeLock{lost: make(chan struct{})}
	locked := func(do func(context.Context) error) error {
		return WithLock(t.Context(), func(context.Context) (Lock, error) { return lock, nil }, do)
	}
	run := Run{Steps: []Step{
		New("a", &thing{w: w, key: "a", want: "1", apply: func() error { lock.expired = true; return nil }}),
		New("b", &thing{w: w, key: "b", want: "1"}, "a"),
	}}
	plan := mustPlan(t, run)
	err := locked(func(ctx context.Context) error { return run.Apply(ctx, plan, Options{}) })
	if !errors.Is(err, ErrLockLost) {
		t.Errorf("got %v", err)
	}
	same(t, w.log, []string{"set a"})

	plan, err = run.PlanRemoval(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := locked(func(ctx context.Context) error { return run.Remove(ctx, plan) }); !errors.Is(err, ErrLockLost) {
		t.Errorf("got %v", err)
	}
	same(t, w.log, []string{"set a"})
}

// The lock is given back by a request of its own when the run's context has ended.
func TestUnlockAfterTheContextEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	lock := &fakeLock{lost: make(chan struct{})}
	_ = WithLock(ctx, func(context.Context) (Lock, error) { return lock, nil }, func(context.Context) error { cancel(); return nil })
	if !lock.unlocked || lock.ended != nil {
		t.Errorf("unlocked %v, its context: %v", lock.unlocked, lock.ended)
	}
}

// A risk that the plan did not have is asked about, also where the action is a mild one; what a person has to do first stops.
func TestGraverWhenItsTurnComes(t *testing.T) {
	for name, c := range map[string]struct {
		now   Change
		fails string
	}{
		"a new risk":              {now: Change{Action: Configure, Risk: "users are logged out"}, fails: `the plan said "create", but now it would be "configure" (users are logged out)`},
		"a person has to act now": {now: Change{Action: Blocked, Why: "somebody's", Fix: "choose another name"}, fails: "a: somebody's; choose another name"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(nil)
			run := Run{Steps: []Step{New("a", &thing{w: w, key: "a", want: "1", change: func(string) Change { return c.now }})}}
			plan := mustPlan(t, run)
			w.values["a"] = "of others"
			if err := run.Apply(t.Context(), plan, Options{}); err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("got %v", err)
			}
			same(t, w.log, []string(nil))
		})
	}
}

// slowFought is put back by something else, and works.
type slowFought struct{ *slowThing }

func (f *slowFought) Apply(context.Context, seenValue) error { f.w.set(f.key, "put back"); return nil }

func TestWhatWasWaitedForIsVerified(t *testing.T) {
	w := newWorld(nil)
	ready := func() (Health, error) { return Health{Ready: true}, nil }
	run := Run{Steps: []Step{New("a", Resource[seenValue](&slowFought{&slowThing{thing{w: w, key: "a", want: "1", health: ready}}}))}}
	err := run.Apply(t.Context(), mustPlan(t, run), Options{Timeout: time.Minute})
	if err == nil || !strings.Contains(err.Error(), "still not as wanted") {
		t.Errorf("got %v", err)
	}
}

// listed is a thing that is seen through a read that it shares with others.
type listed struct {
	*thing
	list *Shared[map[string]string]
}

func (l *listed) Observe(ctx context.Context) (seenValue, error) {
	list, err := l.list.Get(ctx)
	value, there := list[l.key]
	return seenValue{value: value, there: there, want: l.want}, err
}

// A shared read of before is of no use for what is written: neither that of the plan, nor one before another step wrote.
func TestNothingIsWrittenByAStaleRead(t *testing.T) {
	w := newWorld(nil)
	list := NewShared(func(context.Context) (map[string]string, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		copied := map[string]string{}
		for k, v := range w.values {
			copied[k] = v
		}
		return copied, nil
	})
	run := Run{Steps: []Step{
		New("meanwhile", &listed{&thing{w: w, key: "meanwhile", want: "1"}, list}),
		New("first", &listed{&thing{w: w, key: "first", want: "1", apply: func() error { w.set("second", "1"); return nil }}, list}, "meanwhile"),
		New("second", &listed{&thing{w: w, key: "second", want: "1"}, list}, "first"),
	}}
	plan := mustPlan(t, run)
	w.set("meanwhile", "1")
	if err := run.Apply(t.Context(), plan, Options{}); err != nil {
		t.Fatal(err)
	}
	same(t, w.log, []string{"set meanwhile", "set second", "set first"})
}

// container keeps itself for what it holds.
type container struct{ *thing }

func (c *container) KeptBy(_ context.Context, named map[ID]bool) string {
	if named["volume"] {
		return ""
	}
	return "holds volume"
}

func TestContainerStaysForWhatItHolds(t *testing.T) {
	w := newWorld(map[string]string{"a": "1"})
	run := Run{Steps: []Step{New("namespace/a", &container{&thing{w: w, key: "a", want: "1"}})}}
	for want, named := range map[string]map[ID]bool{"namespace/a kept": nil, "namespace/a delete": {"volume": true}} {
		plan, err := run.PlanRemoval(t.Context(), named)
		if err != nil {
			t.Fatal(err)
		}
		same(t, lines(plan), []string{want})
	}
}

// What a step needs and this run is not about has to be there, unless the step is as wanted already.
func TestMissingNeed(t *testing.T) {
	for name, c := range map[string]struct {
		there map[string]string
		want  string
	}{
		"to be made":         {want: "release/app blocked"},
		"as wanted":          {there: map[string]string{"app": "1"}, want: "release/app unchanged"},
		"with what it needs": {there: map[string]string{"ns": "1"}, want: "release/app create"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(c.there)
			steps := append(Stage("ingress", New("namespace/a", &thing{w: w, key: "ns", want: "1"})),
				Stage("app", New("release/app", &thing{w: w, key: "app", want: "1"}, "namespace/a"))...)
			plan := mustPlan(t, Run{Steps: steps, Selected: func(s Step) bool { return s.Stage == "app" }})
			same(t, lines(plan), []string{c.want})
			if fix := plan.Steps[0].Change.Fix; plan.Steps[0].Change.Action == Blocked && fix != "put up stage ingress first" {
				t.Errorf("fix %q", fix)
			}
		})
	}
}

// What the end of something blocks is not blocked when this run waits for that end, and only then.
func TestBlockedUntilWhatIsWaitedForHasGone(t *testing.T) {
	blocked := func(string) Change { return Change{Action: Blocked, After: "namespace/a", Why: "is being deleted"} }
	for name, c := range map[string]struct {
		namespace Action
		selected  bool
		want      string
	}{
		"waited for":      {namespace: Pending, selected: true, want: "secret/b create after namespace/a"},
		"not waited for":  {namespace: Unchanged, selected: true, want: "secret/b blocked after namespace/a"},
		"not in this run": {namespace: Pending, want: "secret/b blocked after namespace/a"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(map[string]string{"a": "x", "b": "x"})
			run := Run{Steps: []Step{
				New("namespace/a", &thing{w: w, key: "a", want: "1", change: func(string) Change { return Change{Action: c.namespace} }}),
				New("secret/b", &thing{w: w, key: "b", want: "1", change: blocked}, "namespace/a"),
			}, Selected: func(s Step) bool { return c.selected || s.ID == "secret/b" }}
			got := lines(mustPlan(t, run))
			same(t, got[len(got)-1], c.want)
		})
	}
}
