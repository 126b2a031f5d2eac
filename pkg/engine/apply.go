package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options of an apply.
type Options struct {
	// Timeout is how long one step may take to become ready.
	Timeout time.Duration
	// Consent is asked when a step, observed again just before it is written, needs something graver than the plan
	// said. It returns an error to stop. Nil always stops.
	Consent func(ctx context.Context, id ID, planned, now Change) error
}

// ErrStopped is matched by the error of a run that ended before all of its steps were tried.
var ErrStopped = errors.New("stopped")

// Apply carries out a plan that this run made: dependency order, independent steps at once. What the plan writes over is looked
// at again first, and a *ChangedError says that it is not what the plan saw. Every step is observed again just before it is
// written and once more after. Steps after a failed one are skipped, the others go on.
func (r Run) Apply(ctx context.Context, plan Plan, opts Options) error {
	if err := plan.Err(); err != nil {
		return err
	}
	g, err := r.graph()
	if err != nil {
		return err
	}
	a := &applier{run: r, graph: g, timeout: opts.Timeout, consent: opts.Consent, results: map[ID]result{}, planned: map[ID]Planned{}}
	for _, line := range plan.Steps {
		a.planned[line.ID] = line
	}
	a.round.Store(int64(roundOf(ctx)) + 1)
	if err := a.lookAgain(ctx); err != nil {
		return err
	}
	g.walk(ctx, false, a.visit)
	return a.err(ctx)
}

type result struct {
	wrote   bool
	skipped bool
	err     error
	// left is what could not be removed of this step and those that need it; empty for nothing.
	left ID
}

type applier struct {
	run     Run
	graph   *graph
	timeout time.Duration
	consent func(context.Context, ID, Change, Change) error
	planned map[ID]Planned
	round   atomic.Int64
	// dependents are the steps that need one, for a removal.
	dependents map[ID][]ID

	mu      sync.Mutex
	results map[ID]result
}

// fresh gives a context in which shared reads are made anew.
func (a *applier) fresh(ctx context.Context) context.Context {
	return withRound(ctx, int(a.round.Add(1)))
}

func (a *applier) visit(ctx context.Context, s Step) {
	if !a.graph.selected[s.ID] {
		a.record(s.ID, result{})
		return
	}
	if reason := a.obstacle(ctx, s); reason != "" {
		a.record(s.ID, result{skipped: true})
		a.run.report(Event{Kind: Skipped, ID: s.ID, Stage: s.Stage, Reason: reason})
		return
	}
	began := time.Now()
	change, err := a.bring(ctx, s, began)
	// What was waited for is not what the plan saw, whoever changed it.
	a.record(s.ID, result{wrote: change.Action.Writes() || a.planned[s.ID].Change.Action == Pending, err: err})
	if err != nil {
		a.run.report(Event{Kind: Failed, ID: s.ID, Stage: s.Stage, Change: change, Elapsed: time.Since(began), Err: err})
		return
	}
	a.run.report(Event{Kind: Done, ID: s.ID, Stage: s.Stage, Change: change, Result: change.Action.done(), Elapsed: time.Since(began)})
}

// obstacle says why a step must not be tried; empty for none.
func (a *applier) obstacle(ctx context.Context, s Step) string {
	if ctx.Err() != nil {
		return context.Cause(ctx).Error()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, need := range s.Needs {
		if r := a.results[need]; r.err != nil || r.skipped {
			return fmt.Sprintf("needs %s", need)
		}
	}
	return ""
}

func (a *applier) record(id ID, r result) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.results[id] = r
}

// needsWrote tells whether a step that this one needs was written in this run, so that its own observation is stale.
func (a *applier) needsWrote(s Step) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, need := range s.Needs {
		if a.results[need].wrote {
			return true
		}
	}
	return false
}

// bring makes one step as wanted and waits until it works. It returns what was done.
func (a *applier) bring(ctx context.Context, s Step, began time.Time) (Change, error) {
	planned := a.planned[s.ID]
	change := planned.Change
	if change.Action.Writes() || change.Action == Pending || a.needsWrote(s) {
		var err error
		if change, err = a.write(ctx, s, planned.Change, began); err != nil {
			return change, err
		}
	} else if planned.Health == nil || planned.Health.Ready {
		return change, nil
	}
	if s.ready == nil {
		return change, nil
	}
	if err := a.ready(ctx, s, began); err != nil {
		return change, err
	}
	return a.settle(ctx, s, change, began)
}

// How often a step is written when what fails may pass, and the first pause between two tries, which doubles.
const (
	tries      = 5
	firstPause = 500 * time.Millisecond
)

// again does something to a step until it works, fails for good, or was tried often enough. Each try has to look at what is
// there first, because a write that got no answer may have been carried out.
func (a *applier) again(ctx context.Context, s Step, began time.Time, do func() (Change, error)) (Change, error) {
	pause := firstPause
	for n := 1; ; n++ {
		change, err := do()
		if err == nil || n == tries || a.run.Passing == nil || !a.run.Passing(err) {
			return change, err
		}
		a.run.report(Event{Kind: Waiting, ID: s.ID, Stage: s.Stage, Reason: "trying again: " + err.Error(), Elapsed: time.Since(began)})
		select {
		case <-ctx.Done():
			return change, err
		case <-time.After(pause):
		}
		pause *= 2
	}
}

// write makes a step as wanted. A try that finds nothing left to do shows that the one before it was carried out.
func (a *applier) write(ctx context.Context, s Step, planned Change, began time.Time) (Change, error) {
	var wrote *Change
	change, err := a.again(ctx, s, began, func() (Change, error) {
		now, err := a.writeOnce(ctx, s, planned)
		if now.Action.Writes() {
			// What was agreed to is not asked again.
			planned, wrote = now, &now
		}
		return now, err
	})
	if err == nil && !change.Action.Writes() && wrote != nil {
		return *wrote, nil
	}
	return change, err
}

// writeOnce observes a step again, applies what is still to do, and checks by another observation that it was done.
func (a *applier) writeOnce(ctx context.Context, s Step, planned Change) (Change, error) {
	fresh := a.fresh(ctx)
	seen, err := s.observe(fresh)
	if err != nil {
		return Change{}, err
	}
	now := a.run.change(s, seen)
	switch {
	case now.Action == Blocked:
		return now, &BlockedError{ID: s.ID, Why: now.Why, Fix: now.Fix}
	case !now.Action.Writes():
		return now, nil
	}
	if now.needsConsent(planned) {
		if err := a.askConsent(ctx, s.ID, planned, now); err != nil {
			return now, err
		}
		// The answer may have taken a while: what was agreed to has to be what is there.
		return a.writeOnce(ctx, s, now)
	}
	if err := StillLocked(ctx); err != nil {
		return now, err
	}
	if err := a.run.noteAdoption(fresh, s.ID, now); err != nil {
		return now, err
	}
	a.run.report(Event{Kind: Started, ID: s.ID, Stage: s.Stage, Change: now})
	if err := s.apply(fresh, seen); err != nil {
		return now, err
	}
	if s.ready != nil {
		return now, nil
	}
	return now, a.verify(ctx, s)
}

// noteAdoption remembers what is about to be taken over before it is: a run that is cut off between the two must not leave a
// thing of another party that looks like ours. What is made anew is ours.
func (r Run) noteAdoption(ctx context.Context, id ID, now Change) error {
	switch {
	case r.Adopted == nil:
		return nil
	case now.Adopts != nil:
		return r.Adopted.Note(ctx, id, now.Adopts.What)
	case now.Action != Create:
		return nil
	}
	was, err := r.Adopted.Adopted(ctx, id)
	if err != nil || was == "" {
		return err
	}
	return r.Adopted.Note(ctx, id, "")
}

// settle checks a step that was waited for. A gate's own observation, which may set an output, is made here. What somebody
// else had to deliver first, the end of a namespace for instance, may leave something to write.
func (a *applier) settle(ctx context.Context, s Step, change Change, began time.Time) (Change, error) {
	if change.Action.Writes() {
		return change, a.verify(ctx, s)
	}
	if change.Action != Pending {
		return change, nil
	}
	now, err := a.write(ctx, s, change, began)
	switch {
	case err != nil:
		return now, err
	case now.Action == Unchanged:
		return change, nil
	case !now.Action.Writes():
		return change, fmt.Errorf("it was ready, and is not any more%s", differing(now))
	}
	if err := a.ready(ctx, s, began); err != nil {
		return now, err
	}
	return now, a.verify(ctx, s)
}

// verify observes a step after it was written: what was applied has to be what is there.
func (a *applier) verify(ctx context.Context, s Step) error {
	seen, err := s.observe(a.fresh(ctx))
	if err != nil {
		return fmt.Errorf("written, but could not be read back: %w", err)
	}
	if left := s.plan(seen); left.Action != Unchanged {
		return fmt.Errorf("written, but still not as wanted (%s)%s; something else may be changing it", left.Action, differing(left))
	}
	return nil
}

func differing(c Change) string {
	if len(c.Fields) == 0 {
		return ": " + c.Why
	}
	paths := make([]string, 0, len(c.Fields))
	for _, f := range c.Fields {
		paths = append(paths, f.Path)
	}
	return ": " + strings.Join(paths, ", ")
}

func (a *applier) askConsent(ctx context.Context, id ID, planned, now Change) error {
	if a.consent != nil {
		return a.consent(ctx, id, planned, now)
	}
	return fmt.Errorf("the plan said %q, but now it would be %q (%s%s): nothing was done; look at the new plan first",
		planned.Action, now.Action, now.Why, now.Risk)
}

// err joins what failed. A run that was stopped says so even if no step failed.
func (a *applier) err(ctx context.Context) error {
	var failed failures
	for _, id := range a.graph.order {
		if err := a.results[id].err; err != nil {
			failed.add(id, err)
		}
	}
	if ctx.Err() != nil {
		failed.errs = append(failed.errs, fmt.Errorf("%w: %w", ErrStopped, context.Cause(ctx)))
	}
	return failed.join()
}
