package acme

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-acme/lego/v4/challenge"
	"github.com/go-acme/lego/v4/challenge/dns01"
	"github.com/go-acme/lego/v4/providers/dns"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
)

// abandonAfter is how long a call to a provider may go on after the user stopped waiting for it. lego's providers take
// no context; most of their HTTP clients give up within 30 seconds.
const abandonAfter = 35 * time.Second

// provider calls one of lego's DNS providers so that it can be waited for with a context and cannot crash the program.
type provider struct {
	name string
	impl challenge.Provider
}

// CheckProvider tells whether a provider is known and finds its credentials, without contacting the authority.
func CheckProvider(name string) error {
	_, err := newProvider(name, func(string) {})
	return newRedactor(name).wrap(err)
}

func newProvider(name string, tell func(string)) (*provider, error) {
	switch {
	case name == "":
		return nil, ErrNoProvider
	case name == Manual:
		return &provider{name: name, impl: &manual{tell: tell}}, nil
	case !known(name):
		return nil, unknownProvider(name)
	}
	quieten()
	for _, variable := range credentials(name) {
		// lego reads files too, but each time that a provider is made, which a pipe does not allow.
		if _, err := secret.Variable(variable); err != nil {
			return nil, fmt.Errorf("dns provider %s cannot be used: %w", name, err)
		}
	}
	var impl challenge.Provider
	err := guarded(name, func() (err error) {
		impl, err = dns.NewDNSChallengeProviderByName(name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("dns provider %s cannot be used: %w%s", name, err, reads(name))
	}
	return &provider{name: name, impl: impl}, nil
}

// reads says where a provider takes its credentials from.
func reads(name string) string {
	variables := credentials(name)
	if len(variables) == 0 {
		return ""
	}
	return fmt.Sprintf("; check %s: they are read from the environment, or from the file that the same name with _FILE at its end gives", strings.Join(variables, ", "))
}

// refusedError says that a record was not made.
type refusedError struct {
	record record
	err    error
}

func (e *refusedError) Error() string { return e.err.Error() }
func (e *refusedError) Unwrap() error { return e.err }

// present sets a record. A call that is under way when the context ends is waited for a while, so that the record is
// not removed before it was made.
func (p *provider) present(ctx context.Context, r record) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	err, finished := p.call(ctx, func() error { return p.impl.Present(r.domain, r.token, r.keyAuth) })
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil && finished:
		return &refusedError{record: r, err: fmt.Errorf("dns provider %s did not set the TXT record %s: %w%s", p.name, r.fqdn, err, reads(p.name))}
	}
	return err
}

// cleanUp removes a record. The manual provider has nothing to remove, and after a failure keeps its silence, because
// the records are still good for the next run.
func (p *provider) cleanUp(ctx context.Context, r record, succeeded bool) error {
	if m, ok := p.impl.(*manual); ok {
		if succeeded {
			m.release(r)
		}
		return nil
	}
	err, finished := p.call(ctx, func() error { return p.impl.CleanUp(r.domain, r.token, r.keyAuth) })
	if !finished {
		return fmt.Errorf("dns provider %s did not answer: %w", p.name, context.Cause(ctx))
	}
	return err
}

// call runs a function of the provider. It is false if the function was still running when it was given up.
func (p *provider) call(ctx context.Context, f func() error) (error, bool) {
	done := make(chan error, 1)
	go func() { done <- guarded(p.name, f) }()
	select {
	case err := <-done:
		return err, true
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err, true
	case <-time.After(abandonAfter):
		return context.Cause(ctx), false
	}
}

// guarded turns a panic into an error.
func guarded(name string, f func() error) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("dns provider %s crashed: %v", name, reason)
		}
	}()
	return f()
}

// timeout is how long a record may take to be visible and how often to look.
func (p *provider) timeout() (timeout, interval time.Duration) {
	if t, ok := p.impl.(challenge.ProviderTimeout); ok {
		return t.Timeout()
	}
	return dns01.DefaultPropagationTimeout, dns01.DefaultPollingInterval
}

func (p *provider) timeoutVariable() string {
	return prefix(p.name) + "PROPAGATION_TIMEOUT (in seconds, in the environment)"
}

// sequential tells whether records have to be set one after the other, and how long to wait in between.
func (p *provider) sequential() (time.Duration, bool) {
	if s, ok := p.impl.(interface{ Sequential() time.Duration }); ok {
		return s.Sequential(), true
	}
	return 0, false
}

// ErrNoProvider says that nobody was named who could answer the challenge.
var ErrNoProvider = errors.New("no DNS provider is configured to prove control over the domain; name one with --dns-provider or tls.dns.provider (one of lego's, \"rfc2136\" for signed updates, or \"manual\" to enter the records by hand), or bring a certificate along with `kubectl onyxia tls import`")
