package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
)

// How often readiness is asked for, and how often an unchanged reason is told again.
const (
	pollInterval = 500 * time.Millisecond
	tellInterval = 15 * time.Second
)

// ErrTimeout is matched by errors of waits that ended because their time was up.
var ErrTimeout = errors.New("timed out")

// NotReadyError says that a step was written but does not work, or was removed but is not gone.
type NotReadyError struct {
	Waited time.Duration
	Reason string
	// TimedOut tells a wait that ran out of time from a state that waiting will not mend.
	TimedOut bool
	// Leaving says that it was the end of the thing that was waited for.
	Leaving bool
}

func (e *NotReadyError) Error() string {
	what := "not ready"
	if e.Leaving {
		what = "not gone"
	}
	if e.TimedOut {
		return fmt.Sprintf("%s after %s: %s; look at it, then run the same command again: it continues here", what, e.Waited.Round(time.Second), e.Reason)
	}
	return fmt.Sprintf("%s, and waiting will not help: %s", what, e.Reason)
}

// Is makes errors.Is(err, ErrTimeout) true for waits that ran out of time.
func (e *NotReadyError) Is(target error) bool { return target == ErrTimeout && e.TimedOut }

// firstLook is how long the first question may take however short the wait is: without an answer nobody can say what is
// waited for.
const firstLook = 30 * time.Second

// ready waits until a step works.
func (a *applier) ready(ctx context.Context, s Step, began time.Time) error {
	limit := a.timeout
	if s.patience != nil {
		limit = s.patience()
	}
	look, done := context.WithTimeoutCause(ctx, max(limit, firstLook), ErrTimeout)
	defer done()
	ctx, cancel := context.WithTimeoutCause(ctx, limit, ErrTimeout)
	defer cancel()
	return a.await(ctx, s, func(asked context.Context) (Health, error) {
		if look != nil {
			asked, look = look, nil
		}
		return s.ready(asked)
	}, began)
}

// await polls until what is asked for is so, and says what it waits for. The context ends the wait, with ErrTimeout as its
// cause when time is up.
func (a *applier) await(ctx context.Context, s Step, ask func(context.Context) (Health, error), began time.Time) error {
	var last Health
	var told time.Time
	for {
		health, err := ask(ctx)
		if err != nil {
			health = Health{Reason: err.Error()}
		}
		if health.Ready {
			return nil
		}
		if health.Hopeless {
			return &NotReadyError{Waited: time.Since(began), Reason: health.Reason}
		}
		if (err == nil || ctx.Err() == nil) && (health.Reason != last.Reason || time.Since(told) >= tellInterval) {
			a.run.report(Event{Kind: Waiting, ID: s.ID, Stage: s.Stage, Reason: health.Reason, Elapsed: time.Since(began)})
			last, told = health, time.Now()
		}
		select {
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), ErrTimeout) {
				return &NotReadyError{Waited: time.Since(began), Reason: cmp.Or(last.Reason, health.Reason), TimedOut: true}
			}
			return context.Cause(ctx)
		case <-time.After(pollInterval):
		}
	}
}
