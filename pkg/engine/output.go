package engine

import (
	"fmt"
	"sync"
)

// NotYetError says that something cannot be known before a step stands. Observe returns it for inputs that are not there.
type NotYetError struct {
	After ID
	// Why is a few words on what is missing ("the load balancer has no address"); may be empty.
	Why string
}

func (e *NotYetError) Error() string {
	if e.Why == "" {
		return fmt.Sprintf("known after %s", e.After)
	}
	return fmt.Sprintf("known after %s: %s", e.After, e.Why)
}

// Output is a typed value that one step makes known and others take in: a load balancer's address, a mount's accessor.
// It is safe for concurrent use.
type Output[T any] struct {
	from  ID
	mu    sync.Mutex
	value T
	known bool
}

// NewOutput makes an output of the step with that ID.
func NewOutput[T any](from ID) *Output[T] { return &Output[T]{from: from} }

// Set makes the value known. The owning step calls it whenever it observes the value.
func (o *Output[T]) Set(v T) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.value, o.known = v, true
}

// Get returns the value, or *NotYetError naming the step to wait for.
func (o *Output[T]) Get() (T, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.known {
		var zero T
		return zero, &NotYetError{After: o.from}
	}
	return o.value, nil
}
