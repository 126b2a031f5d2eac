package installation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// Removal is the taking away of stages, planned.
type Removal struct {
	Plan engine.Plan
	run  engine.Run
}

// Do carries it out, unless more would go by now than the plan says.
func (r *Removal) Do(ctx context.Context) error { return r.run.Remove(ctx, r.Plan) }

// Removal plans to take the named stages away. Other stages that stand on them are an error; when all stages go, the
// record and the namespace go too.
func (i *Installation) Removal(ctx context.Context, report func(engine.Event), names []string, data map[engine.ID]bool) (*Removal, error) {
	if err := i.standing(names); err != nil {
		return nil, err
	}
	whole := i.nothingLeft(names)
	// What is doubtful about stages matters to those who put them up.
	quiet := *i
	quiet.warn, quiet.lenient = func(string) {}, true
	run, err := quiet.Run(ctx, report, names...)
	if err != nil {
		return nil, err
	}
	// Run also selects an app that has to be configured anew; that comes before the removal, see WithoutStages.
	run.Selected = func(s engine.Step) bool {
		return slices.Contains(names, s.Stage) || whole && s.Stage == baseStage
	}
	if err := known(run, data); err != nil {
		return nil, err
	}
	notesLast(run.Steps)
	plan, err := run.PlanRemoval(ctx, data)
	if err != nil {
		return nil, err
	}
	return &Removal{Plan: plan, run: run}, nil
}

// notesLast turns around what the notes that stages stand need: in a run a note follows the stage's steps, and when the stage is
// taken away it has to follow them too. A stage of which something is left is still known then.
func notesLast(steps []engine.Step) {
	notes := map[string]int{}
	for n, s := range steps {
		if s.ID == stageID(s.Stage) {
			steps[n].Needs = []engine.ID{configID}
			notes[s.Stage] = n
		}
	}
	for n, s := range steps {
		if note, there := notes[s.Stage]; there && n != note {
			steps[n].Needs = append(slices.Clone(s.Needs), steps[note].ID)
		}
	}
}

// WithoutStages is the run that configures Onyxia without the named stages, before they are taken away. It is not needed when
// Onyxia does not stand, goes itself, or does not know of them.
func (i *Installation) WithoutStages(ctx context.Context, report func(engine.Event), names []string) (engine.Run, bool, error) {
	known := slices.ContainsFunc(i.stages, func(s stage.Stage) bool {
		return s.Rerenders && i.Present[s.Name] && slices.Contains(names, s.Name)
	})
	if !known || !i.Present["app"] || slices.Contains(names, "app") {
		return engine.Run{}, false, nil
	}
	without := *i
	without.Present = map[string]bool{}
	for name := range i.Present {
		if !slices.Contains(names, name) {
			without.Present[name] = true
		}
	}
	run, err := without.Run(ctx, report, "app")
	return run, true, err
}

// nothingLeft tells whether no stage stands once the named ones are gone.
func (i *Installation) nothingLeft(names []string) bool {
	for name := range i.Present {
		if !slices.Contains(names, name) {
			return false
		}
	}
	return true
}

// standing refuses to take away what other stages stand on.
func (i *Installation) standing(names []string) error {
	for _, s := range i.stages {
		if slices.Contains(names, s.Name) {
			continue
		}
		for _, under := range s.On {
			if i.Present[s.Name] && slices.Contains(names, under) {
				return fmt.Errorf("%s stands on %s: take it away first, or name both", s.Name, under)
			}
		}
	}
	return nil
}

// known refuses names of data that nothing has which is taken away: a slip here must not go unnoticed.
func known(run engine.Run, data map[engine.ID]bool) error {
	var errs []error
	for _, id := range slices.Sorted(maps.Keys(data)) {
		at := slices.IndexFunc(run.Steps, func(s engine.Step) bool { return s.ID == id && s.Data != "" })
		switch {
		case at < 0:
			errs = append(errs, fmt.Errorf("%s holds no data: give a name as --dry-run prints it", id))
		case !run.Selected(run.Steps[at]):
			errs = append(errs, fmt.Errorf("%s is part of stage %s, which is not taken away here: name that stage too", id, run.Steps[at].Stage))
		}
	}
	return errors.Join(errs...)
}
