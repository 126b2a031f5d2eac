package engine

import (
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

// NotReadyError says that a step was written but does not work.
type NotReadyError struct {
	Waited time.Duration
	Reason string
	// TimedOut tells a wait that ran out of time from a state that waiting will not mend.
	TimedOut bool
}

func (e *NotReadyError) Error() string {
	if e.TimedOut {
		return fmt.Sprintf("not ready after %s: %s; look at it, then run the same command again: it continues here", e.Waited.Round(time.Second), e.Reason)
	}
	return fmt.Sprintf("not ready, and waiting will not help: %s", e.Reason)
}

// Is makes errors.Is(err, ErrTimeout) true for waits that ran out of time.
func (e *NotReadyError) Is(target error) bool { return target == ErrTimeout && e.TimedOut }

// await polls a step until it is ready, and says what it waits for.
func (a *applier) await(ctx context.Context, s Step, began time.Time) error {
	ctx, cancel := context.WithTimeoutCause(ctx, a.timeout, ErrTimeout)
	defer cancel()
	var last Health
	var told time.Time
	for {
		health, err := s.ready(ctx)
		if err != nil {
			health = Health{Reason: err.Error()}
		}
		if health.Ready {
			return nil
		}
		if health.Hopeless {
			return &NotReadyError{Waited: time.Since(began), Reason: health.Reason}
		}
		if ctx.Err() == nil && (health.Reason != last.Reason || time.Since(told) >= tellInterval) {
			a.run.report(Event{Kind: Waiting, ID: s.ID, Stage: s.Stage, Reason: health.Reason, Elapsed: time.Since(began)})
			last, told = health, time.Now()
		}
		select {
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), ErrTimeout) {
				return &NotReadyError{Waited: time.Since(began), Reason: last.Reason, TimedOut: true}
			}
			return context.Cause(ctx)
		case <-time.After(pollInterval):
		}
	}
}
