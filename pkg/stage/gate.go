package stage

import (
	"context"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// Gate is a step that writes nothing and waits until its question has a good answer. The question gives what is wrong, in
// words, or nothing; and an error where that cannot be known.
type Gate func(context.Context) (string, error)

var (
	_ engine.Resource[string] = Gate(nil)
	_ engine.Waiter           = Gate(nil)
)

// Observe asks; what is wrong with the answer is the observation.
func (g Gate) Observe(ctx context.Context) (string, error) { return g(ctx) }

// Plan waits as long as something is wrong.
func (g Gate) Plan(trouble string) engine.Change {
	if trouble != "" {
		return engine.Change{Action: engine.Pending, Why: trouble}
	}
	return engine.Change{Action: engine.Unchanged}
}

// Apply has nothing to write.
func (g Gate) Apply(context.Context, string) error { return nil }

// Ready is the same question.
func (g Gate) Ready(ctx context.Context) (engine.Health, error) {
	trouble, err := g(ctx)
	return engine.Health{Ready: err == nil && trouble == "", Reason: trouble}, err
}
