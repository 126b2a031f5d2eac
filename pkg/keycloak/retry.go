package keycloak

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Pauses between two attempts at a request: the first one, each one twice the one before, up to the longest.
const (
	firstPause   = 200 * time.Millisecond
	longestPause = 2 * time.Second
)

// retrying is the one place where requests are sent again: while the server is in trouble and the Admin has patience left. A
// request that must not be sent twice is sent once. What it gives up with says what to do.
func (a *Admin) retrying(ctx context.Context, repeatable bool, send func(context.Context) error) error {
	began := time.Time{}
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := send(ctx)
		if err == nil || !repeatable || !passing(err) {
			return err
		}
		if began.IsZero() {
			began = time.Now()
		}
		rest := a.outage.rest(began)
		if rest <= 0 {
			return a.outage.giveUp(err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; last: %w", context.Cause(ctx), err)
		case <-time.After(min(pause, rest)):
		}
	}
}

// passing tells trouble that may be over in a moment: no answer, or one of the server's own errors.
func passing(err error) bool {
	var dead *deadError
	var unreachable *unreachableError
	var e *Error
	switch {
	case errors.As(err, &dead):
		return false
	case errors.As(err, &unreachable):
		return !unreachable.lasting()
	}
	return errors.As(err, &e) && e.Status >= http.StatusInternalServerError
}
