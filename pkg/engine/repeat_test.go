package engine

import (
	"context"
	"errors"
	"testing"
)

// lossy is a thing whose write is carried out, and whose answer gets lost.
type lossy struct {
	there  bool
	writes int
	err    error
}

func (l *lossy) Observe(context.Context) (bool, error) { return l.there, nil }

func (l *lossy) Plan(there bool) Change {
	if there {
		return Change{Action: Unchanged}
	}
	return Change{Action: Create}
}

func (l *lossy) Apply(context.Context, bool) error {
	l.there, l.writes = true, l.writes+1
	return l.err
}

// F21 (review of 2026-11): what may not be repeated is observed again, and counts as written when it is there.
func TestF21LostAnswerIsObservedAgain(t *testing.T) {
	cut, refused := errors.New("cut"), errors.New("refused")
	for _, tt := range []struct{ err, want error }{{cut, nil}, {refused, refused}} {
		thing, result := &lossy{err: tt.err}, ""
		run := Run{Steps: []Step{New("a", thing)}, Passing: func(err error) bool { return errors.Is(err, cut) },
			Report: func(e Event) {
				if e.Kind == Done {
					result = e.Result
				}
			}}
		plan, err := run.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		err = run.Apply(t.Context(), plan, Options{})
		if !errors.Is(err, tt.want) || thing.writes != 1 || tt.want == nil && result != "created" {
			t.Errorf("%v: %v after %d writes, %q", tt.err, err, thing.writes, result)
		}
	}
}
