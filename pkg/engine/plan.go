package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Planned is one line of a plan.
type Planned struct {
	ID     ID     `json:"id"`
	Stage  string `json:"stage"`
	Needs  []ID   `json:"needs,omitempty"`
	Change Change `json:"change"`
	// Health is set for steps that can be waited for and are there.
	Health *Health `json:"health,omitempty"`
	// Data says which data the thing holds.
	Data string `json:"data,omitempty"`
	// Err is why the thing could not be observed.
	Err error `json:"-"`
	// Error is Err for machines.
	Error string `json:"error,omitempty"`
}

// Plan is what a run would do, in dependency order. Its JSON form is a contract, see docs/plan.md.
type Plan struct {
	APIVersion string    `json:"apiVersion"`
	Kind       string    `json:"kind"`
	Steps      []Planned `json:"steps"`

	// named are the steps whose data a removal may take.
	named map[ID]bool
}

// NewPlan is a plan without steps.
func NewPlan() Plan { return Plan{APIVersion: "onyxia.sh/v1", Kind: "Plan", Steps: []Planned{}} }

// Writes tells whether applying the plan would change anything.
func (p Plan) Writes() bool {
	for _, s := range p.Steps {
		if s.Change.Action.Writes() {
			return true
		}
	}
	return false
}

// Settled tells whether there is nothing to write and nothing to wait for.
func (p Plan) Settled() bool {
	for _, s := range p.Steps {
		if s.Change.Action != Unchanged || s.Health != nil && !s.Health.Ready {
			return false
		}
	}
	return true
}

// Err joins what keeps the plan from being applied: things that could not be read, and things a person has to do first.
func (p Plan) Err() error {
	var failed failures
	for _, s := range p.Steps {
		switch {
		case s.Err != nil:
			failed.add(s.ID, s.Err)
		case s.Change.Action == Blocked:
			failed.errs = append(failed.errs, &BlockedError{ID: s.ID, Why: s.Change.Why, Fix: s.Change.Fix})
		}
	}
	return failed.join()
}

// BlockedError says that a person has to do something before a step can be applied.
type BlockedError struct {
	ID       ID
	Why, Fix string
}

func (e *BlockedError) Error() string {
	if e.Fix == "" {
		return fmt.Sprintf("%s: %s", e.ID, e.Why)
	}
	return fmt.Sprintf("%s: %s; %s", e.ID, e.Why, e.Fix)
}

// Run is a set of steps and what is wanted of them.
type Run struct {
	// Steps are all steps of the installation. Those not selected are read where a selected one needs them, never written.
	Steps []Step
	// Selected tells the steps that this run is about. Nil means all.
	Selected func(Step) bool
	// Report is told what happens while it happens; it may be called concurrently. Nil means nobody listens.
	Report func(Event)
	// Passing reports whether an error may be gone at the next look: a connection that was cut, a server in trouble. A step
	// that fails so is observed and written again, a few times. Nil means that none is.
	Passing func(error) bool
	// StageCommand gives the command that puts up a stage, for the advice in errors.
	StageCommand func(stage string) string
	// Adopt names the steps whose things this run may take over although another party made them.
	Adopt map[ID]bool
	// Adopted remembers what was taken over; nil where nothing is.
	Adopted Adoptions
}

// Adoptions remember, for every later run, what another party made and a run took over.
type Adoptions interface {
	// Adopted is what the thing was; empty for one that was not adopted.
	Adopted(ctx context.Context, id ID) (string, error)
	// Note remembers it; an empty text forgets it.
	Note(ctx context.Context, id ID, what string) error
}

// change is what a step needs after what was seen of it.
func (r Run) change(s Step, seen any) Change { return s.plan(seen).consented(s.ID, r.Adopt[s.ID]) }

func (r Run) graph() (*graph, error) {
	selected := r.Selected
	if selected == nil {
		selected = func(Step) bool { return true }
	}
	return newGraph(r.Steps, selected)
}

func (r Run) report(e Event) {
	if r.Report != nil {
		r.Report(e)
	}
}

// observed collects the plan lines of a walk.
type observed struct {
	mu    sync.Mutex
	lines map[ID]Planned
}

func (o *observed) put(p Planned) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lines[p.ID] = p
}

func (o *observed) get(id ID) Planned {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.lines[id]
}

// Plan observes every step and compares. It writes nothing. Steps that could not be read carry their error; ask Plan.Err.
func (r Run) Plan(ctx context.Context) (Plan, error) {
	g, err := r.graph()
	if err != nil {
		return Plan{}, err
	}
	lines := &observed{lines: map[ID]Planned{}}
	g.walk(withRound(ctx, roundOf(ctx)+1), false, func(ctx context.Context, s Step) {
		line := r.observe(ctx, g, s, lines)
		lines.put(line)
	})
	plan := NewPlan()
	for _, id := range g.order {
		if g.selected[id] {
			plan.Steps = append(plan.Steps, lines.get(id))
		}
	}
	return plan, context.Cause(ctx)
}

// observe makes the plan line of one step; everything it needs has its line already.
func (r Run) observe(ctx context.Context, g *graph, s Step, lines *observed) Planned {
	line := Planned{ID: s.ID, Stage: s.Stage, Needs: s.Needs, Data: s.Data}
	seen, err := s.observe(ctx)
	if err != nil {
		line.Change, line.Err = r.unobserved(g, s, lines, err)
		if line.Err != nil {
			line.Error = line.Err.Error()
		}
		return line
	}
	line.Change = r.unblocked(g, r.change(s, seen), lines)
	if missing, fix := r.missingNeed(g, s, lines); missing != "" && line.Change.Action != Unchanged {
		line.Change = Change{Action: Blocked, Why: "needs " + string(missing) + ", which is not there", Fix: fix}
	}
	if s.ready != nil && (line.Change.Action == Unchanged || line.Change.Action == Pending) {
		health, err := s.ready(ctx)
		if err != nil {
			health = Health{Reason: err.Error()}
		}
		line.Health = &health
	}
	return line
}

// unblocked looks at what blocks a step: the end of something that this run waits for blocks it no longer when its turn comes.
func (r Run) unblocked(g *graph, c Change, lines *observed) Change {
	if c.Action == Blocked && g.selected[c.After] && lines.get(c.After).Change.Action == Pending {
		return Change{Action: Create, After: c.After, Why: c.Why}
	}
	return c
}

// unobserved decides what a failed observation means: not knowable yet, blocked by a stage that is not there, or an error.
func (r Run) unobserved(g *graph, s Step, lines *observed, err error) (Change, error) {
	var notYet *NotYetError
	if errors.As(err, &notYet) {
		if source, known := g.steps[notYet.After]; known && !g.selected[source.ID] && g.selected[s.ID] {
			return Change{Action: Blocked, After: notYet.After, Why: notYet.Error(), Fix: r.advice(source.Stage)}, nil
		}
		return Change{Action: Create, After: notYet.After, Why: notYet.Why}, nil
	}
	if after, waiting := g.unsettledNeed(s, lines); waiting {
		return Change{Action: Create, After: after, Why: "cannot be read yet: " + err.Error()}, nil
	}
	return Change{}, err
}

// missingNeed finds a needed step that is not there and that this run is not about, with the advice to make it.
func (r Run) missingNeed(g *graph, s Step, lines *observed) (ID, string) {
	for _, need := range s.Needs {
		if !g.selected[need] && g.selected[s.ID] && lines.get(need).Change.Action == Create {
			return need, r.advice(g.steps[need].Stage)
		}
	}
	return "", ""
}

func (r Run) advice(stage string) string {
	if r.StageCommand == nil {
		return "put up stage " + stage + " first"
	}
	return "run `" + r.StageCommand(stage) + "` first"
}

// unsettledNeed finds a step, needed directly or not, that this run is going to write or wait for.
func (g *graph) unsettledNeed(s Step, lines *observed) (ID, bool) {
	for _, need := range s.Needs {
		line := lines.get(need)
		unready := line.Health != nil && !line.Health.Ready
		if g.selected[need] && (line.Change.Action.Writes() || line.Change.Action == Pending || unready) {
			return need, true
		}
		if after, waiting := g.unsettledNeed(g.steps[need], lines); waiting {
			return after, true
		}
	}
	return "", false
}
