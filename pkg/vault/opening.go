package vault

import (
	"context"
	"errors"
	"io/fs"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// Initialisation is the step that gives a Vault its keys. Keys are made only for a key file that was named; without one,
// a Vault that has none waits for a person, and keeps nothing else from going on.
type Initialisation struct {
	// Access needs no token. Before the pod is there it gives *engine.NotYetError.
	Access Access
	// Init, without its Client; nil if no key file was named.
	Init *Init
}

// InitSeen is a Vault before or after it got its keys.
type InitSeen struct {
	Initialised bool
	// Unfinished says that the key file tells of an initialisation that was interrupted.
	Unfinished bool
}

// Observe asks for the seal, and looks into the key file if one was named.
func (i Initialisation) Observe(ctx context.Context) (InitSeen, error) {
	c, err := i.Access(ctx)
	if err != nil {
		return InitSeen{}, err
	}
	seal, err := c.SealStatus(ctx)
	if i.Init == nil {
		return InitSeen{Initialised: seal.Initialised}, err
	}
	if err != nil {
		var lost *LostError
		if err = i.Init.stopped(ctx, err); errors.As(err, &lost) {
			return InitSeen{Unfinished: true}, nil
		}
		return InitSeen{}, err
	}
	document, err := i.Init.Keeper.Read(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return InitSeen{Initialised: seal.Initialised}, nil
	}
	if err != nil {
		return InitSeen{}, err
	}
	keys, err := ParseKeys(document)
	return InitSeen{Initialised: seal.Initialised, Unfinished: keys.State == KeysPending || keys.Beside != ""}, err
}

// Plan compares.
func (i Initialisation) Plan(seen InitSeen) engine.Change {
	switch {
	case seen.Unfinished:
		return engine.Change{Action: engine.Create, Why: "an initialisation was interrupted"}
	case seen.Initialised:
		return engine.Change{Action: engine.Unchanged}
	case i.Init == nil:
		return engine.Change{Action: engine.Pending, Why: noKeys}
	}
	return engine.Change{Action: engine.Create}
}

// noKeys and closed are what a person has to do.
const (
	noKeys = "vault has no keys yet, and nobody said where they are to go: kubectl onyxia vault init --keys-file FILE"
	closed = "vault is sealed, as after every restart; open it with: kubectl onyxia vault unseal"
)

// Ready tells whether it has its keys. Without a key file, waiting brings none.
func (i Initialisation) Ready(ctx context.Context) (engine.Health, error) {
	c, err := i.Access(ctx)
	if err != nil {
		return engine.Health{}, err
	}
	seal, err := c.SealStatus(ctx)
	switch {
	case err != nil:
		return engine.Health{}, err
	case seal.Initialised:
		return engine.Health{Ready: true}, nil
	case i.Init == nil:
		return engine.Health{Reason: noKeys, Hopeless: true}, nil
	}
	return engine.Health{Reason: "vault has no keys yet"}, nil
}

// Apply initialises, or finishes what was interrupted.
func (i Initialisation) Apply(ctx context.Context, _ InitSeen) error {
	c, err := i.Access(ctx)
	if err != nil {
		return err
	}
	in := *i.Init
	in.Client = c
	_, err = in.Run(ctx)
	return err
}

// Opening is the step that unseals one server.
type Opening struct {
	// Access needs no token, and goes to this one server.
	Access Access
	// Shares opens the key file; nil if none was named.
	Shares func(context.Context) (Shares, error)
	// Report gets a line after each share; it may be nil.
	Report func(string)
}

// Observe asks for the seal. A Vault without keys is known after its initialisation only.
func (o Opening) Observe(ctx context.Context) (Seal, error) {
	c, err := o.Access(ctx)
	if err != nil {
		return Seal{}, err
	}
	return c.SealStatus(ctx)
}

// Plan compares.
func (o Opening) Plan(seen Seal) engine.Change {
	switch {
	case !seen.Initialised:
		return engine.Change{Action: engine.Create, Why: "it has no keys yet"}
	case !seen.Sealed:
		return engine.Change{Action: engine.Unchanged}
	case seen.Recovery:
		return engine.Change{Action: engine.Pending, Why: "it opens itself with " + seen.Type + " and has not yet; its log says why"}
	case o.Shares == nil:
		return engine.Change{Action: engine.Pending, Why: closed}
	}
	return engine.Change{Action: engine.Configure, Fields: []engine.Field{{Path: "sealed", From: "true", To: "false"}}}
}

// Apply unseals.
func (o Opening) Apply(ctx context.Context, _ Seal) error {
	c, err := o.Access(ctx)
	if err != nil {
		return err
	}
	// A further server of a cluster has nothing to be unsealed before it has found the first.
	if err := c.waitSeal(ctx, func(s Seal) bool { return s.Initialised }, "has found no cluster; is the first server open, and does retry_join in the configuration name it?"); err != nil {
		return err
	}
	if o.Shares == nil {
		return c.Unseal(ctx, SharesOf(Opened{}), o.Report)
	}
	shares, err := o.Shares(ctx)
	if err != nil {
		return err
	}
	return c.Unseal(ctx, shares, o.Report)
}

// Ready tells whether it takes requests. A sealed one without a key file waits for a person.
func (o Opening) Ready(ctx context.Context) (engine.Health, error) {
	c, err := o.Access(ctx)
	if err != nil {
		return engine.Health{}, err
	}
	seal, err := c.SealStatus(ctx)
	if err != nil {
		return engine.Health{}, err
	}
	if seal.Initialised && seal.Sealed && !seal.Recovery && o.Shares == nil {
		return engine.Health{Reason: closed, Hopeless: true}, nil
	}
	ready, reason, err := c.active(ctx)
	return engine.Health{Ready: ready, Reason: reason}, err
}
