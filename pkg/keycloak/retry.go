package keycloak

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// unreachableError says that a request got no answer.
type unreachableError struct {
	method, path string
	err          error
}

func (e *unreachableError) Error() string {
	return fmt.Sprintf("%s %s: no answer from Keycloak: %v", e.method, e.path, e.err)
}

func (e *unreachableError) Unwrap() error { return e.err }

// How often a request is sent, and the first pause; each pause is twice the one before. A server that is gone for longer
// than these 6 s is left to the next run.
const (
	attempts   = 6
	firstPause = 200 * time.Millisecond
)

// retrying runs a request again while the server is in trouble, if it may be sent twice.
func retrying(ctx context.Context, repeatable bool, send func(context.Context) error) error {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		err := send(ctx)
		if err == nil || !repeatable || !passing(err) || attempt == attempts {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; last: %w", context.Cause(ctx), err)
		case <-time.After(pause):
			pause *= 2
		}
	}
}

// passing tells trouble that may be over in a moment: no answer, or one of the server's own errors.
func passing(err error) bool {
	var unreachable *unreachableError
	if errors.As(err, &unreachable) {
		return !errors.Is(err, context.Canceled)
	}
	var e *Error
	return errors.As(err, &e) && e.Status >= http.StatusInternalServerError
}
