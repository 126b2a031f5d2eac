package s3

import (
	"context"
	"errors"
	"net/http"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// Health tells whether MinIO can be worked with: it answers, knows these credentials, and has its users and policies
// loaded. The health endpoints say yes long before that, as long as its OpenID provider does not answer, and the chart's
// pods have no probes at all.
func (a *Admin) Health(ctx context.Context) (engine.Health, error) {
	err := a.loaded(ctx)
	if err == nil {
		return engine.Health{Ready: true}, nil
	}
	var e *Error
	var notYet *engine.NotYetError
	if errors.As(err, &notYet) || !errors.As(err, &e) {
		return engine.Health{}, err
	}
	switch e.Code {
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed", "AccessDenied":
		return engine.Health{Reason: e.Error(), Hopeless: true}, nil
	default:
		return engine.Health{Reason: e.Error()}, nil
	}
}

// loaded lists the groups of MinIO's own users, which is answered once all users and policies are loaded. Policies are
// listed and written before that, and one that is written then may be forgotten until they are loaded
// again (cmd/iam.go ListGroups, cmd/iam-store.go LoadIAMCache; seen on a running server).
func (a *Admin) loaded(ctx context.Context) error {
	_, err := a.call(ctx, "ask whether MinIO has loaded its users and policies", http.MethodGet, "groups", nil, nil)
	return err
}
