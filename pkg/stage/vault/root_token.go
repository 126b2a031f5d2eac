package vault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

// rootToken is what the keys began with: it may do everything, and is of no use once the realm's service account can
// configure Vault, or, with another issuer, key shares make a new one. It is revoked as soon as a run that has the keys
// sees that all stands.
type rootToken struct{ site *site }

// rootTokenSeen is what the key document says of it.
type rootTokenSeen struct {
	// Keeper is where a root token still is; empty if there is none, or no document at hand.
	Keeper string
	// Locked is why it cannot be revoked with what this run has.
	Locked string
}

// Observe looks into the document; without one there is nothing to see.
func (r *rootToken) Observe(ctx context.Context) (rootTokenSeen, error) {
	keys := r.site.keys
	if keys == nil {
		return rootTokenSeen{}, nil
	}
	document, err := keys.document(ctx)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return rootTokenSeen{}, r.toBeMade(ctx)
	case err != nil:
		return rootTokenSeen{}, err
	case document.State != vault.KeysComplete:
		return rootTokenSeen{}, &engine.NotYetError{After: KeysID}
	case document.RootToken == "":
		return rootTokenSeen{}, nil
	}
	seen := rootTokenSeen{Keeper: keys.keeper.String()}
	if _, err := keys.open(document); err != nil {
		seen.Locked = err.Error()
		r.site.env.Warn("the root token is still good: " + seen.Locked + ", then run `kubectl onyxia vault configure` again, or revoke it by hand with vault token revoke -self")
		return seen, nil
	}
	err = r.wayBack(ctx)
	if errors.Is(err, vault.ErrGenerateRootClosed) {
		seen.Locked, err = err.Error(), nil
		r.site.env.Warn("the root token is still good, and kept in " + seen.Keeper + ", because nothing else leads back into this vault: " + seen.Locked)
	}
	return seen, err
}

// wayBack is nil if there will be rights without the root token. Where the realm's service account has them, Apply tries it.
func (r *rootToken) wayBack(ctx context.Context) error {
	if r.site.operated() {
		return nil
	}
	err := r.site.reached[0].MakesRoot(ctx)
	if errors.Is(err, vault.ErrSealed) {
		return &engine.NotYetError{After: sealID(r.site.servers()[0]), Why: "vault is sealed"}
	}
	return err
}

// toBeMade is *engine.NotYetError when this run is going to make the document.
func (r *rootToken) toBeMade(ctx context.Context) error {
	if r.site.keys.Make == nil {
		return nil
	}
	seal, err := r.site.reached[0].SealStatus(ctx)
	if err == nil && !seal.Initialised {
		err = &engine.NotYetError{After: KeysID}
	}
	return err
}

// Plan tells whether one is left that can be revoked.
func (r *rootToken) Plan(seen rootTokenSeen) engine.Change {
	switch {
	case seen.Keeper == "":
		return engine.Change{Action: engine.Unchanged}
	case seen.Locked != "":
		return engine.Change{Action: engine.Unchanged, Why: "still good, and locked: " + seen.Locked}
	}
	return engine.Change{Action: engine.Configure, Why: "all stands without it", Fields: []engine.Field{{Path: "rootToken", From: "in " + seen.Keeper}}}
}

// Apply revokes it and takes it out of the document, if there are rights without it.
func (r *rootToken) Apply(ctx context.Context, _ rootTokenSeen) error {
	if r.site.operated() {
		rights := rights{site: r.site}
		if _, err := rights.login(ctx); err != nil {
			return fmt.Errorf("the root token is kept, because the realm's service account cannot take its place: %w", err)
		}
	}
	opened, err := r.site.keys.opened(ctx)
	if err != nil {
		return err
	}
	if err := r.site.session.close(ctx); err != nil {
		return err
	}
	return r.site.reached[0].Retire(ctx, r.site.keys.keeper, opened)
}
