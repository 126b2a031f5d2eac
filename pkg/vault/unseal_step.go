package vault

import (
	"context"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// UnsealStep is the step that unseals one server.
type UnsealStep struct {
	// Access needs no token, and goes to this one server.
	Access Access
	// Shares opens the key file; nil if none was named.
	Shares func(context.Context) (Shares, error)
	// Report gets a line after each share; it may be nil.
	Report func(string)
	// Opened is told that the shares have opened it; nil for nobody.
	Opened func(context.Context)
}

// Observe asks for the seal. A Vault without keys is known after its initialisation only.
func (u UnsealStep) Observe(ctx context.Context) (Seal, error) {
	c, err := u.Access(ctx)
	if err != nil {
		return Seal{}, err
	}
	return c.SealStatus(ctx)
}

// Plan compares.
func (u UnsealStep) Plan(seen Seal) engine.Change {
	switch {
	case !seen.Initialised:
		return engine.Change{Action: engine.Create, Why: "it has no keys yet"}
	case !seen.Sealed:
		return engine.Change{Action: engine.Unchanged}
	case seen.Recovery:
		return engine.Change{Action: engine.Pending, Why: "it opens itself with " + seen.Type + " and has not yet; its log says why"}
	case u.Shares == nil:
		return engine.Change{Action: engine.Pending, Why: closed}
	}
	return engine.Change{Action: engine.Configure, Fields: []engine.Field{{Path: "sealed", From: "true", To: "false"}}}
}

// Apply unseals.
func (u UnsealStep) Apply(ctx context.Context, _ Seal) error {
	c, err := u.Access(ctx)
	if err != nil {
		return err
	}
	// A further server of a cluster has nothing to be unsealed before it has found the first.
	var seal Seal
	if err := c.waitSeal(ctx, func(s Seal) bool { seal = s; return s.Initialised }, "has found no cluster; is the first server open, and does retry_join in the configuration name it?"); err != nil {
		return err
	}
	if u.Shares == nil {
		return c.Unseal(ctx, SharesOf(DecryptedKeys{}), u.Report)
	}
	shares, err := u.Shares(ctx)
	if err != nil {
		return err
	}
	if err := c.Unseal(ctx, shares, u.Report); err != nil {
		return err
	}
	if seal.Sealed && u.Opened != nil {
		u.Opened(ctx)
	}
	return nil
}

// Ready tells whether it takes requests. A sealed one without a key file waits for a person.
func (u UnsealStep) Ready(ctx context.Context) (engine.Health, error) {
	c, err := u.Access(ctx)
	if err != nil {
		return engine.Health{}, err
	}
	seal, err := c.SealStatus(ctx)
	if err != nil {
		return engine.Health{}, err
	}
	if seal.Initialised && seal.Sealed && !seal.Recovery && u.Shares == nil {
		return engine.Health{Reason: closed, Hopeless: true}, nil
	}
	ready, reason, err := c.active(ctx)
	return engine.Health{Ready: ready, Reason: reason}, err
}
