package tls

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/acme"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// askTime bounds the question when to renew, which a plan can do without.
const askTime = 5 * time.Second

// ordered is a certificate that we order and renew.
type ordered struct {
	base
	wanted   wanted
	platform platform.Platform
	accounts accounts
	binding  binding
	progress func(string)
	notice   func(string)
}

var (
	_ engine.Resource[Seen] = (*ordered)(nil)
	_ engine.Remover        = (*ordered)(nil)
	_ engine.Refuser        = (*ordered)(nil)
)

func newOrdered(env stage.Env, o Options) *ordered {
	notice := o.Progress
	if notice == nil {
		notice = env.Warn
	}
	b := newBase(env, o)
	return &ordered{
		base: b,
		wanted: wanted{
			names: b.names, directory: acme.DirectoryURL(env.Platform.TLS.ACME.Server), keyType: env.Platform.TLS.ACME.KeyType,
			before: o.RenewBefore,
		},
		platform: env.Platform,
		accounts: accounts{kube: env.Kube, namespace: env.Platform.Namespace()},
		binding:  binding{kube: env.Kube, eab: env.Platform.TLS.ACME.EAB},
		progress: o.Progress,
		notice:   notice,
	}
}

// Observe reads the Secret. The authority is asked only about a certificate that it issued and that has lived half of
// its life, see acme.AskFrom. The provider's credentials are looked for only when a certificate is needed.
func (c *ordered) Observe(ctx context.Context) (Seen, error) {
	held, err := c.place.read(ctx)
	seen := Seen{Now: c.now(), Held: held}
	var notYet *engine.NotYetError
	if err != nil && !errors.As(err, &notYet) {
		return seen, err
	}
	if held.Exists && held.Broken == "" && held.Directory == c.wanted.directory && !seen.Now.Before(acme.AskFrom(held.Info)) {
		seen.Held.Info.Renewal = c.askRenewal(ctx, held)
	}
	if action, _ := c.wanted.need(seen); action != engine.Unchanged {
		if hindrance := c.hindrance(ctx); hindrance != nil {
			seen.Hindrance, seen.Unconfigured = hindrance.Error(), errors.Is(hindrance, acme.ErrNoProvider)
			return seen, nil
		}
	}
	return seen, err
}

// hindrance is why no certificate can be ordered now: credentials that an order takes and that are not there.
func (c *ordered) hindrance(ctx context.Context) error {
	if err := acme.CheckProvider(c.platform.TLS.DNS.Provider); err != nil || c.binding.eab.Kid == "" {
		return err
	}
	account, err := c.accounts.load(ctx, c.wanted.directory)
	if err != nil {
		return err
	}
	_, err = c.bound(ctx, account)
	return err
}

// bound is the binding of an account. One that is registered does without.
func (c *ordered) bound(ctx context.Context, account acme.Account) (acme.EAB, error) {
	eab, err := c.binding.read(ctx)
	if err != nil && account.URI != "" {
		return acme.EAB{}, nil
	}
	return eab, err
}

// askRenewal asks when to renew. An authority that does not answer has no say in it: the plan then goes by the lifetime.
func (c *ordered) askRenewal(ctx context.Context, held Held) *acme.Window {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	window, err := acme.Renewal(ctx, held.Directory, c.platform.ACMECAPEM, held.chain())
	if err != nil {
		return nil
	}
	return window
}

// Plan says whether a certificate has to be ordered, and why.
func (c *ordered) Plan(seen Seen) engine.Change { return c.wanted.plan(seen) }

// Apply orders the certificate and writes it. Nothing is ordered that could not be written then. What an earlier run ordered
// and could not write is fetched again by the order that is kept with the account, until the certificate is in place.
func (c *ordered) Apply(ctx context.Context, seen Seen) error {
	if err := c.place.try(ctx, seen.Held); err != nil {
		return err
	}
	account, err := c.accounts.load(ctx, c.wanted.directory)
	if err != nil {
		return err
	}
	eab, err := c.bound(ctx, account)
	if err != nil {
		return err
	}
	got, err := acme.Obtain(ctx, acme.Order{
		Directory: c.wanted.directory,
		Email:     c.platform.TLS.ACME.Email,
		Names:     c.names,
		Account:   account,
		EAB:       eab,
		KeyType:   c.platform.TLS.ACME.KeyType,
		Save:      c.accounts.save,
		Provider:  c.platform.TLS.DNS.Provider,
		Resolvers: c.platform.TLS.DNS.Resolvers,
		CAPEM:     c.platform.ACMECAPEM,
		Replaces:  c.replaced(seen.Held),
		Progress:  c.progress,
		Notice:    c.notice,

		PreferredChain: c.platform.TLS.ACME.PreferredChain,
	})
	if err != nil {
		return err
	}
	if got.Info.Staging && seen.Held.usable(seen.Now) && seen.Held.Info.Trusted() && c.wanted.risk(seen) != stagingRisk {
		return fmt.Errorf("%s turned out to be an authority for trying out (%s): %s; the old certificate was left as it is; check tls.acme.server", c.wanted.directory, got.Info.Issuer, stagingRisk)
	}
	err = c.place.write(ctx, seen.Held, got, map[string]string{
		directoryAnnotation: c.wanted.directory,
		orderedAnnotation:   c.now().UTC().Format(time.RFC3339Nano),
	})
	if err != nil {
		return fmt.Errorf("%w; the certificate was issued and is not lost: the next run fetches it by its order, without a new one", err)
	}
	got.Account.Pending = nil
	return c.accounts.save(ctx, got.Account)
}

// replaced is the certificate that the authority may count the new one as a renewal of.
func (c *ordered) replaced(held Held) []byte {
	if !held.Exists || held.Broken != "" || held.Directory != c.wanted.directory || len(held.Info.Missing(c.names)) > 0 {
		return nil
	}
	return held.chain()
}

// Remove deletes the certificate and the accounts.
func (c *ordered) Remove(ctx context.Context) error {
	return errors.Join(c.base.Remove(ctx), c.accounts.remove(ctx))
}

// ignoreNotYet: what cannot be there yet need not be removed.
func ignoreNotYet(err error) error {
	var notYet *engine.NotYetError
	if errors.As(err, &notYet) {
		return nil
	}
	return err
}
