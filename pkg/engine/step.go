package engine

import (
	"context"
	"time"
)

// Resource knows one kind of thing in one system. S is what it sees of it.
type Resource[S any] interface {
	// Observe reads and writes nothing. An input that no one can know yet comes back as *NotYetError.
	Observe(ctx context.Context) (S, error)
	// Plan compares what was seen with what is wanted. It is pure: no I/O, no clock but what the state carries.
	Plan(seen S) Change
	// Apply makes it so. It is called with a fresh observation for which Plan gave a writing action.
	Apply(ctx context.Context, seen S) error
}

// Remover is a resource that can be taken away again. Removing what is not there is no error.
type Remover interface {
	Remove(ctx context.Context) error
}

// Health is whether a thing works, beyond being as wanted.
type Health struct {
	Ready bool `json:"ready"`
	// Reason is the latest the system says: a pod's waiting reason, a load balancer's event. One line.
	Reason string `json:"reason,omitempty"`
	// Hopeless says that waiting longer will not help.
	Hopeless bool `json:"hopeless,omitempty"`
}

// Waiter is a resource that needs time to work after it was written. Ready reads and writes nothing.
type Waiter interface {
	Ready(ctx context.Context) (Health, error)
}

// Patient is a Waiter that is waited for as long as it says, whatever the run's timeout is: what only a person can mend.
type Patient interface {
	Patience() time.Duration
}

// Leaver is a resource whose removal goes on after Remove has returned: a namespace. Gone is ready when nothing is left,
// and else says what that waits for.
type Leaver interface {
	Gone(ctx context.Context) (Health, error)
}

// Keeper is an error of Remove that says that the thing stays, and why: what it holds turned out not to be ours to lose.
type Keeper interface {
	error
	Kept() string
}

// Refuser is a resource that may have to stay although nobody called it data: somebody else made it. RefuseRemoval says why, or
// nothing.
type Refuser interface {
	RefuseRemoval(ctx context.Context) string
}

// Container is a resource that holds others and stays as long as one worth keeping is in it. KeptBy says which, or nothing. The
// data of the named steps goes first, so it does not count.
type Container interface {
	KeptBy(ctx context.Context, named map[ID]bool) string
}

// Presence is a resource that can tell whether it is there without knowing what is wanted of it. Removal asks it, because
// what is wanted may depend on steps that are not there.
type Presence interface {
	Present(ctx context.Context) (bool, error)
}

// Step is one resource with its place in the plan. Make one with New.
type Step struct {
	ID ID
	// Stage is the stage it belongs to; set by Stage.
	Stage string
	// Needs are the steps that come before this one. Needing a step that is not part of the plan is an error.
	Needs []ID
	// OfServer says that the step is part of putting up a server, as opposed to what is inside of it.
	OfServer bool
	// Data says which data the thing holds ("the objects of MinIO"). Such a step is removed only when named.
	Data string

	last  bool
	names bool

	resource any
	observe  func(context.Context) (any, error)
	plan     func(any) Change
	apply    func(context.Context, any) error
	remove   func(context.Context) error
	ready    func(context.Context) (Health, error)
	gone     func(context.Context) (Health, error)
	patience func() time.Duration
}

// New makes a step of a resource. Whether it can be removed or waited for is found from its methods.
func New[S any](id ID, r Resource[S], needs ...ID) Step {
	s := Step{
		ID:       id,
		Needs:    needs,
		resource: r,
		observe:  func(ctx context.Context) (any, error) { return r.Observe(ctx) },
		plan:     func(seen any) Change { return r.Plan(seen.(S)) },
		apply:    func(ctx context.Context, seen any) error { return r.Apply(ctx, seen.(S)) },
	}
	if x, ok := any(r).(Remover); ok {
		s.remove = x.Remove
	}
	if x, ok := any(r).(Waiter); ok {
		s.ready = x.Ready
	}
	if x, ok := any(r).(Patient); ok {
		s.patience = x.Patience
	}
	if x, ok := any(r).(Leaver); ok {
		s.gone = x.Gone
	}
	return s
}

// HoldingData marks a step whose removal loses data, and says which.
func (s Step) HoldingData(what string) Step {
	s.Data = what
	return s
}

// GoesLast marks a step that the next removal needs to find or reach what is left: it is taken away only when everything that
// needs it has gone.
func (s Step) GoesLast() Step {
	s.last = true
	return s
}

// NamingData marks a step that goes last and names the data of the steps that need it. It stays as long as any of that does.
func (s Step) NamingData() Step {
	s.last, s.names = true, true
	return s
}

// Serving marks the steps that put up a server.
func Serving(steps []Step) []Step {
	for i := range steps {
		steps[i].OfServer = true
	}
	return steps
}

// Inside tells the steps of a run about what is inside a stage's server: all but those that put the server up.
func Inside(stage string) func(Step) bool {
	return func(s Step) bool { return s.Stage != stage || !s.OfServer }
}

// Stage is a named list of steps; all of them are marked with its name.
func Stage(name string, steps ...Step) []Step {
	for i := range steps {
		steps[i].Stage = name
	}
	return steps
}
