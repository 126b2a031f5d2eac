package vault

import (
	"context"
	"errors"
	"io/fs"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// InitStep is the step that gives a Vault its keys. Keys are made only for a key file that was named; without one,
// a Vault that has none waits for a person, and keeps nothing else from going on.
type InitStep struct {
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
	// Refused is why the document must not be used; empty for nothing.
	Refused string
	// Unnamed says that keys are going to be used that do not say which Vault they are for.
	Unnamed bool
}

// Observe asks for the seal, and looks into the key file if one was named.
func (i InitStep) Observe(ctx context.Context) (InitSeen, error) {
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
func (i InitStep) Plan(seen InitSeen) engine.Change {
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
func (i InitStep) Ready(ctx context.Context) (engine.Health, error) {
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
func (i InitStep) Apply(ctx context.Context, _ InitSeen) error {
	_, err := i.Run(ctx)
	return err
}

// Run is Init's, at the Vault that Access leads to.
func (i InitStep) Run(ctx context.Context) (Outcome, error) {
	c, err := i.Access(ctx)
	if err != nil {
		return "", err
	}
	in := *i.Init
	in.Client = c
	return in.Run(ctx)
}
