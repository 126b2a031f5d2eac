package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// PlanRemoval observes every step and plans to take away what is there. Steps that hold data are kept unless named.
func (r Run) PlanRemoval(ctx context.Context, named map[ID]bool) (Plan, error) {
	g, err := r.graph()
	if err != nil {
		return Plan{}, err
	}
	lines := &observed{lines: map[ID]Planned{}}
	g.walk(withRound(ctx, roundOf(ctx)+1), false, func(ctx context.Context, s Step) {
		if g.selected[s.ID] {
			line := r.removal(ctx, s, named)
			if line.Err != nil && g.goes(s, lines) {
				line.Change = Change{Action: Kept, Why: "cannot be read, and what it is in goes or has gone: " + line.Error}
				line.Err, line.Error = nil, ""
			}
			lines.put(line)
		}
	})
	plan := NewPlan()
	plan.named = named
	kept := map[ID][]ID{} // data of a step and of those that need it
	for _, id := range slices.Backward(g.order) {
		s, line := g.steps[id], lines.get(id)
		if line.keepsData() {
			kept[id] = append(kept[id], id)
		}
		for _, need := range s.Needs {
			kept[need] = append(kept[need], kept[id]...)
			slices.Sort(kept[need])
			kept[need] = slices.Compact(kept[need])
		}
		if !g.selected[id] || s.remove == nil {
			continue
		}
		if s.names && line.Change.Action == Delete && len(kept[id]) > 0 {
			line.Change = Change{Action: Kept, Why: "names what is kept: " + abridged(kept[id])}
		}
		plan.Steps = append(plan.Steps, line)
	}
	return plan, context.Cause(ctx)
}

// keepsData reports whether a plan of removal keeps the step for its data, which can be named. What stays for another reason was
// made by others, and is found by them.
func (p Planned) keepsData() bool { return p.Change.Action == Kept && p.Change.Fix != "" }

// removal makes the plan line for taking one step away.
func (r Run) removal(ctx context.Context, s Step, named map[ID]bool) Planned {
	line := Planned{ID: s.ID, Stage: s.Stage, Needs: s.Needs, Data: s.Data}
	if s.remove == nil {
		return line
	}
	if why := r.refusal(ctx, s, named); why != "" {
		line.Change = Change{Action: Kept, Why: why}
		return line
	}
	there, err := present(ctx, s)
	switch {
	case err != nil:
		line.Err, line.Error = err, err.Error()
	case !there:
		line.Change = Change{Action: Unchanged, Why: "not there"}
	case s.Data != "" && !named[s.ID]:
		line.Change = Change{Action: Kept, Why: "holds " + s.Data, Fix: "--delete-data " + string(s.ID)}
	case s.Data != "":
		line.Change = Change{Action: Delete, Risk: "loses " + s.Data}
	default:
		line.Change = Change{Action: Delete}
	}
	return line
}

func (r Run) refusal(ctx context.Context, s Step, named map[ID]bool) string {
	if r.Adopted != nil {
		switch was, err := r.Adopted.Adopted(ctx, s.ID); {
		case err != nil:
			return "cannot tell whether it was adopted: " + err.Error()
		case was != "":
			return "was there before and was adopted: " + was
		}
	}
	switch r := s.resource.(type) {
	case Refuser:
		return r.RefuseRemoval(ctx)
	case Container:
		return r.KeptBy(ctx, named)
	}
	return ""
}

// goes tells whether a server that a step needs, directly or not, is to be taken away or is not there: what is in a server
// that is down must not keep it. Servers are what can be waited for.
func (g *graph) goes(s Step, lines *observed) bool {
	for _, need := range s.Needs {
		if !g.selected[need] {
			continue
		}
		server, line := g.steps[need], lines.get(need)
		leaves := line.Change.Action == Delete || line.Change.Action == Unchanged && server.remove != nil
		if server.ready != nil && line.Err == nil && leaves || g.goes(server, lines) {
			return true
		}
	}
	return false
}

// present tells whether there is anything to take away. What cannot be known yet is not there.
func present(ctx context.Context, s Step) (bool, error) {
	if p, ok := s.resource.(Presence); ok {
		return p.Present(ctx)
	}
	seen, err := s.observe(ctx)
	var notYet *NotYetError
	if errors.As(err, &notYet) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return s.plan(seen).Action != Create, nil
}

// Remove carries out a removal plan, dependents first. Everything is looked at again before, and a *ChangedError says that more
// would go than the plan said. What needs a step that could not be removed is tried all the same, but for steps that go last.
func (r Run) Remove(ctx context.Context, plan Plan) error {
	if err := plan.Err(); err != nil {
		return err
	}
	g, err := r.graph()
	if err != nil {
		return err
	}
	now, err := r.PlanRemoval(withRound(ctx, roundOf(ctx)+1), plan.named)
	if err != nil {
		return err
	}
	if err := errors.Join(now.Err(), takesMore(plan, now)); err != nil {
		return err
	}
	a := &applier{run: r, graph: g, results: map[ID]result{}, planned: map[ID]Planned{}, dependents: g.predecessors(true)}
	for _, line := range now.Steps {
		a.planned[line.ID] = line
	}
	g.walk(ctx, true, a.takeAway)
	return a.err(ctx)
}

func (a *applier) takeAway(ctx context.Context, s Step) {
	line, planned := a.planned[s.ID]
	left := a.left(s.ID)
	if !planned {
		a.record(s.ID, result{left: left})
		return
	}
	began := time.Now()
	change := line.Change
	var err error
	switch {
	case change.Action != Delete:
	case s.last && left != "":
		change = Change{Action: Kept, Why: "the next removal needs it: " + string(left) + " could not be removed"}
	default:
		if err = cmp.Or(context.Cause(ctx), StillLocked(ctx)); err == nil {
			a.run.report(Event{Kind: Started, ID: s.ID, Stage: s.Stage, Change: change})
			change, err = a.remove(ctx, s, change, began)
		}
	}
	if err != nil {
		left = s.ID
	}
	a.record(s.ID, result{wrote: change.Action.Writes(), err: err, left: left})
	if err != nil {
		a.run.report(Event{Kind: Failed, ID: s.ID, Stage: s.Stage, Change: change, Elapsed: time.Since(began), Err: fmt.Errorf("could not be removed: %w", err)})
		return
	}
	a.run.report(Event{Kind: Done, ID: s.ID, Stage: s.Stage, Change: change, Result: change.Action.done(), Elapsed: time.Since(began)})
}

// left is a step, of those that need this one, that could not be removed; empty for none.
func (a *applier) left(id ID) ID {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, other := range a.dependents[id] {
		if left := a.results[other].left; left != "" {
			return left
		}
	}
	return ""
}

// remove takes one thing away and waits until it is gone. It returns what became of it.
func (a *applier) remove(ctx context.Context, s Step, change Change, began time.Time) (Change, error) {
	_, err := a.again(ctx, s, began, func() (Change, error) { return change, s.remove(ctx) })
	var kept Keeper
	switch {
	case errors.As(err, &kept):
		return Change{Action: Kept, Why: kept.Kept()}, nil
	case err != nil || s.gone == nil:
		return change, err
	}
	err = a.await(ctx, s, s.gone, began)
	var still *NotReadyError
	if errors.As(err, &still) {
		still.Leaving = true
	}
	return change, err
}
