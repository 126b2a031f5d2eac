package engine

import "time"

// EventKind is what happened to a step.
type EventKind string

// The kinds of events, in the order in which a step goes through them.
const (
	Started EventKind = "started" // about to be written
	Waiting EventKind = "waiting" // written, not ready yet
	Done    EventKind = "done"    // as wanted, and ready
	Failed  EventKind = "failed"
	Skipped EventKind = "skipped" // something that it needs failed, or the run was stopped
)

// Event tells a listener what happens while a plan is applied.
type Event struct {
	Kind  EventKind
	ID    ID
	Stage string
	// Result is the change line's last word: "created", "configured", "unchanged".
	Result string
	Change Change
	// Reason is the latest the system says, for Waiting; why, for Skipped.
	Reason string
	// Elapsed is how long the step has been worked on.
	Elapsed time.Duration
	Err     error
}
