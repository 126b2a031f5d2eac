package s3

import (
	"context"
	"errors"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// Health tells whether MinIO can be worked with: it answers, knows these credentials, and has its users and policies
// loaded. The health endpoints say yes long before that, as long as its OpenID provider does not answer, and the chart's
// pods have no probes at all.
func (a *Admin) Health(ctx context.Context) (engine.Health, error) {
	_, err := a.Policies(ctx)
	if err == nil {
		return engine.Health{Ready: true}, nil
	}
	var e *Error
	if !errors.As(err, &e) {
		return engine.Health{}, err
	}
	switch e.Code {
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed", "AccessDenied":
		return engine.Health{Reason: e.Error(), Hopeless: true}, nil
	default:
		return engine.Health{Reason: e.Error()}, nil
	}
}
