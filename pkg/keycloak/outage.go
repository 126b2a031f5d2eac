package keycloak

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// outagePatience is how long a server may be in trouble before everything that is sent to it over one Admin gives up: a pod's
// readiness probe needs about 10 s to notice and a Service as long to send requests elsewhere. What takes longer is left to the
// next run.
const outagePatience = 15 * time.Second

// lull is how long after a failure a server that was given up is taken for dead without asking it again.
const lull = time.Second

// outage is trouble with a server, shared by all requests of one Admin: its patience is spent once, not by each of many steps.
// It begins with a request that fails, ends with any answer that is none of the server's own errors, and is forgotten when
// nobody has asked for as long as patience lasts.
type outage struct {
	address string
	// patience in all, and the longest that one attempt may take while all is well.
	patience, attempt time.Duration

	mu sync.Mutex
	// began and last are when the first and the latest of the failures in a row were seen.
	began, last time.Time
	// dead is what everybody is told once patience has run out: one error for all steps, so that they make one line.
	dead *deadError
}

// admit says how long the next attempt may take, or why there must be none.
func (o *outage) admit(now time.Time) (time.Duration, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if now.Sub(o.last) > max(o.patience, lull) {
		o.began, o.dead = time.Time{}, nil
	}
	switch {
	case o.began.IsZero():
		return o.attempt, nil
	case o.dead != nil && now.Sub(o.last) < lull:
		return 0, o.dead
	}
	return min(o.attempt, max(o.patience/3, o.patience-now.Sub(o.began))), nil
}

// failed notes a request without an answer, or with one of the server's own errors.
func (o *outage) failed() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = time.Now()
	if o.began.IsZero() {
		o.began = o.last
	}
}

// over notes an answer.
func (o *outage) over() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.began, o.last, o.dead = time.Time{}, time.Time{}, nil
}

// rest of the patience with a request that has been failing since a time. Others may have had answers in between, so its own
// time counts as well.
func (o *outage) rest(since time.Time) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.began.IsZero() && o.began.Before(since) {
		since = o.began
	}
	return o.patience - time.Since(since)
}

// giveUp makes the error that ends the patience; while the outage lasts it is the same for all.
func (o *outage) giveUp(last error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.dead != nil {
		return o.dead
	}
	dead := &deadError{address: o.address, tried: o.patience, last: last}
	if !o.began.IsZero() {
		o.dead = dead
	}
	return dead
}

// deadError says that a server was in trouble for longer than there is patience.
type deadError struct {
	address string
	tried   time.Duration
	last    error
}

func (e *deadError) Error() string {
	var unreachable *unreachableError
	if errors.As(e.last, &unreachable) {
		return fmt.Sprintf("%s (tried for %s); see that its pod is ready and that auth.url is its address, then run the same command again", unreachable.short(), e.tried)
	}
	return fmt.Sprintf("%v; Keycloak at %s answers so for %s: look at its log and whether its database runs, then run the same command again", e.last, e.address, e.tried)
}

func (e *deadError) Unwrap() error { return e.last }

// unreachableError says that a request got no answer.
type unreachableError struct {
	method, path, address string
	err                   error
}

// Error ends with what to do where waiting does not help, or was not allowed to.
func (e *unreachableError) Error() string {
	var untrusted *tls.CertificateVerificationError
	var unknown *net.DNSError
	switch {
	case errors.As(e.err, &untrusted):
		return e.short() + "; if an authority of your own signed the certificate, name it in trust.caBundle"
	case errors.As(e.err, &unknown) && unknown.IsNotFound:
		return e.short() + "; make a DNS record for the name, or mend auth.url"
	}
	return e.short()
}

func (e *unreachableError) short() string {
	err := e.err
	var told *url.Error
	if errors.As(err, &told) {
		err = told.Err // it repeats method and address
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.New("it took too long")
	}
	return fmt.Sprintf("%s %s: no answer from Keycloak at %s: %v", e.method, e.path, e.address, err)
}

func (e *unreachableError) Unwrap() error { return e.err }

// lasting tells that another attempt would end the same way: nothing listens yet because a step has not been applied, somebody
// pressed Ctrl-C, the certificate is not trusted, the name is not known.
func (e *unreachableError) lasting() bool {
	var notYet *engine.NotYetError
	var untrusted *tls.CertificateVerificationError
	var unknown *net.DNSError
	return errors.Is(e.err, context.Canceled) || errors.As(e.err, &notYet) || errors.As(e.err, &untrusted) ||
		errors.As(e.err, &unknown) && unknown.IsNotFound
}
