package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// ChangedError ends a run that wrote nothing: what it would have written over is not what its plan saw.
type ChangedError struct {
	// What changed, one line each.
	What []string
}

func (e *ChangedError) Error() string {
	return "this has changed since the plan was made:\n  " + strings.Join(e.What, "\n  ") +
		"\nNothing was written. Look again: the same command with --dry-run shows the plan as it is now."
}

// lookAgain observes once more what the plan writes over. Between the plan and the lock a person may have thought about a
// question for an hour, and another run may have come and gone. Whether things got ready meanwhile is of no matter.
func (a *applier) lookAgain(ctx context.Context) error {
	lines := &observed{lines: map[ID]Planned{}}
	a.graph.walk(a.fresh(ctx), false, func(ctx context.Context, s Step) {
		if !a.planned[s.ID].Change.overwrites() {
			return
		}
		line := Planned{ID: s.ID}
		seen, err := s.observe(ctx)
		if line.Err = err; err == nil {
			line.Change = a.run.change(s, seen)
		}
		lines.put(line)
	})
	if err := context.Cause(ctx); err != nil {
		return err
	}
	var failed failures
	var changed ChangedError
	for _, id := range a.graph.order {
		line, looked := lines.lines[id]
		switch {
		case !looked:
		case line.Err != nil:
			failed.add(id, line.Err)
		case line.Change.differs(a.planned[id].Change):
			changed.What = append(changed.What, became(id, a.planned[id].Change, line.Change))
		}
	}
	if len(changed.What) > 0 {
		failed.errs = append(failed.errs, &changed)
	}
	return failed.join()
}

// became says in one line what a step was to do, and what it would do now.
func became(id ID, planned, now Change) string {
	return fmt.Sprintf("%s: the plan said %s, now it would be %s", id, said(planned), said(now))
}

func said(c Change) string {
	text := string(c.Action)
	for _, more := range []string{c.Why, c.Risk} {
		if more != "" {
			text += ": " + more
		}
	}
	var fields []string
	for _, f := range c.Fields {
		if f.Secret {
			fields = append(fields, f.Path)
		} else {
			fields = append(fields, fmt.Sprintf("%s from %q to %q", f.Path, f.From, f.To))
		}
	}
	if len(fields) > 0 {
		text += " (" + strings.Join(fields, ", ") + ")"
	}
	return text
}

// takesMore compares a plan of removal with the one that was agreed to. What has gone meanwhile, or stays now, is no difference.
func takesMore(agreed, now Plan) error {
	var changed ChangedError
	for _, line := range now.Steps {
		if line.Change.Action != Delete {
			continue
		}
		at := slices.IndexFunc(agreed.Steps, func(s Planned) bool { return s.ID == line.ID })
		var before Change
		if at >= 0 {
			before = agreed.Steps[at].Change
		}
		if before.Action != Delete || before.Risk != line.Change.Risk {
			changed.What = append(changed.What, became(line.ID, before, line.Change))
		}
	}
	if len(changed.What) > 0 {
		return &changed
	}
	return nil
}
