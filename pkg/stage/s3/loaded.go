package s3

import (
	"context"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3"
)

// loaded is MinIO with its users and policies in memory, which it is some time after its issuer answers. Before that it lists
// no policy, and forgets one that is written. It is a step of its own so that `s3 configure`, which leaves the server alone,
// waits for it as well.
type loaded struct{ site *site }

// Observe asks the server.
func (l *loaded) Observe(ctx context.Context) (engine.Health, error) {
	client, err := l.site.client(ctx)
	if err != nil {
		return engine.Health{}, err
	}
	return (&s3.Admin{Client: client}).Health(ctx)
}

// Plan waits as long as it is not.
func (l *loaded) Plan(seen engine.Health) engine.Change {
	if seen.Ready {
		return engine.Change{Action: engine.Unchanged}
	}
	return engine.Change{Action: engine.Pending, Why: seen.Reason}
}

// Apply has nothing to write.
func (l *loaded) Apply(context.Context, engine.Health) error { return nil }

// Ready is the same question.
func (l *loaded) Ready(ctx context.Context) (engine.Health, error) { return l.Observe(ctx) }
