package acme

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Order is everything that is needed to obtain one certificate.
type Order struct {
	// Directory is the URL of the ACME server (RFC 8555 section 7.1.1). DirectoryURL resolves short names.
	Directory string
	// Email of the account; may be empty where the server allows it.
	Email string
	// EAB binds a new account to one that the authority knows already; most authorities need none.
	EAB EAB
	// Names on the certificate, wildcards included.
	Names []string
	// Account to order with. The zero value makes a new one.
	Account Account
	// Save keeps the account, so that a run that is killed afterwards goes on with it. It is called before a new account
	// is registered, after, and when an order was placed. Nil keeps nothing.
	Save func(context.Context, Account) error
	// Provider is one of Providers. It reads its credentials from the environment.
	Provider string
	// Resolvers are asked where the zones are and for records followed by CNAME, as host:port. Empty for the system's.
	Resolvers []string
	// CAPEM are authorities to trust, besides the system's, for the connection to the directory.
	CAPEM []byte
	// Replaces is the PEM certificate that the new one takes the place of; it makes the order exempt from some rate
	// limits (RFC 9773 section 5). Leave it empty if the old one is of another authority.
	Replaces []byte
	// KeyType of the certificate's key, KeyEC256 and so on; empty for ECDSA P-256.
	KeyType string
	// PreferredChain is the common name of the root that the chain should lead to, where the authority offers several
	// (RFC 8555 section 7.4.2). Without such a chain the authority's own choice is taken, and said.
	PreferredChain string
	// Progress is told what happens, one line at a time, without secrets. Nil means nobody listens.
	Progress func(string)
	// Notice is told what a person has to know or do: terms that were agreed to, records to enter by hand, records that
	// could not be removed. Nil tells it to Progress.
	Notice func(string)

	// port of the authoritative name servers; only tests have another than 53.
	port string
}

// EAB is an external account binding (RFC 8555 section 7.3.4).
type EAB struct {
	KeyID string
	// HMAC is the key, in base64url as the authority hands it out.
	HMAC string
}

// Account is an account at one authority. It can be kept as JSON; it holds a private key.
type Account struct {
	Directory string `json:"directory"`
	Email     string `json:"email,omitempty"`
	// Key is the account's private key in PEM.
	Key string `json:"key"`
	// URI that the server gave the account; empty if it isn't registered yet.
	URI string `json:"uri,omitempty"`
	// Pending is the order placed last, whose certificate was not put in place yet. The server knows whether it can still be
	// taken up. It is removed once the certificate is in place.
	Pending *Pending `json:"pending,omitempty"`
}

// String names the account without its key, in whatever way it is printed.
func (a Account) String() string { return "account " + a.URI + " at " + a.Directory }

// GoString is String.
func (a Account) GoString() string { return a.String() }

// Pending is an order that was placed. The private key and the request that finish it are kept with it: with them its
// certificate can still be fetched when the run that ordered it could not put it in place.
type Pending struct {
	Names   []string `json:"names"`
	URL     string   `json:"url"`
	KeyType string   `json:"keyType,omitempty"`
	Key     string   `json:"key,omitempty"`
	Request []byte   `json:"request,omitempty"`
}

// String names the order without its key, in whatever way it is printed.
func (p Pending) String() string { return "order " + p.URL + " for " + strings.Join(p.Names, ", ") }

// GoString is String.
func (p Pending) GoString() string { return p.String() }

// Certificate is what an order brings.
type Certificate struct {
	// Chain is the certificate in PEM, followed by the intermediate ones.
	Chain []byte
	// Key is the new private key in PEM.
	Key []byte
	// Account as it is after the order, which is still Pending in it.
	Account Account
	Info    Info
}

// String names the certificate without its key, in whatever way it is printed.
func (c Certificate) String() string { return "certificate for " + strings.Join(c.Info.Names, ", ") }

// GoString is String.
func (c Certificate) GoString() string { return c.String() }

// Obtain orders a certificate and returns when it is there, or when everything it put into DNS is gone again: after an
// error, after the context ended, after a provider crashed. Credentials of the provider are looked at before the
// authority is contacted, and never stand in an error or a progress line.
//
// lego keeps its resolvers and its logger in package variables, so only one Obtain may run at a time in a process.
func Obtain(ctx context.Context, o Order) (*Certificate, error) {
	words := newRedactor(o.Provider, o.EAB.HMAC)
	if o.Notice == nil {
		o.Notice = o.Progress
	}
	o.Progress, o.Notice = words.listener(o.Progress), words.listener(o.Notice)
	certificate, err := obtain(ctx, o)
	if err != nil {
		return nil, words.wrap(err)
	}
	return certificate, nil
}

func obtain(ctx context.Context, o Order) (*Certificate, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	resolvers, err := resolversOr(o.Resolvers)
	if err != nil {
		return nil, err
	}
	shareWithLego(resolvers)
	p, err := newProvider(o.Provider, o.Notice)
	if err != nil {
		return nil, err
	}
	s, placed, err := begin(ctx, o)
	if err != nil {
		return nil, stopped(ctx, err)
	}
	s.provider, s.lookup = p, newLookup(resolvers, o.port)
	certificate, err := s.issue(ctx, placed)
	if err != nil {
		return nil, stopped(ctx, err)
	}
	return certificate, nil
}

// check finds what is wrong with an order before anybody is asked.
func (o Order) check() error {
	u, err := url.Parse(o.Directory)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("%q is not the address of an ACME directory: it begins with https:// (RFC 8555 section 6.1); set tls.acme.server", o.Directory)
	}
	if len(o.Names) == 0 {
		return errors.New("no names to order a certificate for")
	}
	for _, name := range o.Names {
		if name != strings.ToLower(strings.TrimSpace(name)) || !strings.Contains(name, ".") {
			return fmt.Errorf("%q is not a name for a certificate: full and in lower case, as in lab.example.org", name)
		}
	}
	return nil
}

// sameNames compares without regard to order.
func sameNames(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// stopped says how to go on when it was the context that ended an order.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	if cause := context.Cause(ctx); !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	return fmt.Errorf("stopped before the certificate was issued; the same command takes the order up again: %w", err)
}
