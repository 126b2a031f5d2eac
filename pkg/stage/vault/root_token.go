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
// configure Vault, or, with another issuer, key shares make a new one. It is revoked as soon as a run that has it, in the
// key document or given by hand, sees that all stands.
type rootToken struct{ site *site }

// rootTokenSeen is where a root token still is.
type rootTokenSeen struct {
	// Keeper is where; empty if there is none, or none at hand.
	Keeper string
	// Given says that it was given by hand, and stands in no document of ours.
	Given bool
	// Locked is why it cannot be revoked with what this run has.
	Locked string
	// Unnamed says that the document does not say which Vault it is for.
	Unnamed bool
}

// Observe looks into the document, and at the token that was given; without either there is nothing to see.
func (r *rootToken) Observe(ctx context.Context) (rootTokenSeen, error) {
	if seen, err := r.given(ctx); err != nil || seen.Given {
		return seen, err
	}
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
	// One of another Vault would be refused here, which looks as if it had been revoked before.
	seal, err := r.site.reached[0].SealStatus(ctx)
	if err != nil {
		return rootTokenSeen{}, err
	}
	var another *vault.AnotherError
	switch err := keys.fits(ctx, document, seal); {
	case errors.As(err, &another):
		r.site.env.Warn(err.Error() + ": the root token in it is left alone")
		return rootTokenSeen{}, nil
	case errors.Is(err, vault.ErrUnnamed):
		seen.Unnamed = true
	case err != nil:
		return rootTokenSeen{}, err
	}
	if _, err := keys.decrypted(document); err != nil {
		seen.Locked = err.Error()
		r.site.env.Warn("the root token is still good: " + seen.Locked + "; then run `kubectl onyxia vault configure` again with it in VAULT_TOKEN, which revokes it, or revoke it by hand with vault token revoke -self")
		return seen, nil
	}
	return r.wayBack(ctx, seen)
}

// given looks at the token that was given by hand. Other than a root token it is nobody's business to revoke.
func (r *rootToken) given(ctx context.Context) (rootTokenSeen, error) {
	token := r.site.options.Token
	if token.Empty() {
		return rootTokenSeen{}, nil
	}
	if err := r.site.sendable(ctx); err != nil {
		return rootTokenSeen{}, r.unsent(err)
	}
	root, err := r.site.reached[0].WithToken(token).IsRoot(ctx)
	if errors.Is(err, vault.ErrSealed) || errors.Is(err, vault.ErrNotInitialised) {
		return rootTokenSeen{}, &engine.NotYetError{After: sealID(r.site.servers()[0])}
	}
	if err != nil || !root {
		return rootTokenSeen{}, err
	}
	return r.wayBack(ctx, rootTokenSeen{Keeper: "the environment", Given: true})
}

// unsent is what is known of a token that must not be sent: after it was agreed to, or never.
func (r *rootToken) unsent(err error) error {
	var another *vault.AnotherError
	switch {
	case errors.As(err, &another):
		return nil
	case errors.Is(err, vault.ErrUnnamed):
		return &engine.NotYetError{After: rightsID}
	}
	return err
}

// wayBack looks for the rights that there will be without the root token: those of the realm's service account, which Apply
// tries, and those that key shares make.
func (r *rootToken) wayBack(ctx context.Context, seen rootTokenSeen) (rootTokenSeen, error) {
	err := r.site.makesRoot.MakesRoot(ctx)
	switch {
	case errors.Is(err, vault.ErrSealed):
		return seen, &engine.NotYetError{After: sealID(r.site.servers()[0]), Why: "vault is sealed"}
	case !errors.Is(err, vault.ErrGenerateRootClosed):
		return seen, err
	case r.site.operated():
		r.site.env.Warn("once the root token is revoked, the realm's service account is the only way into this vault: if the realm or its address changes, its keys make a new root token only with vault.generateRoot (docs/vault.md, Coming back in)")
		return seen, nil
	}
	seen.Locked = err.Error()
	r.site.env.Warn("the root token is still good, and kept in " + seen.Keeper + ", because nothing else leads back into this vault: " + seen.Locked)
	return seen, nil
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
	change := engine.Change{Action: engine.Configure, Why: "all stands without it", Fields: []engine.Field{{Path: "rootToken", From: "in " + seen.Keeper}}}
	if seen.Unnamed {
		change.Risk = r.site.keys.known.ask(rootTokenID, r.site.keys.question())
	}
	return change
}

// Apply revokes it and takes it out of the document, if there are rights without it.
func (r *rootToken) Apply(ctx context.Context, seen rootTokenSeen) error {
	if r.site.operated() {
		rights := rights{site: r.site}
		if _, err := rights.login(ctx); err != nil {
			return fmt.Errorf("the root token is kept, because the realm's service account cannot take its place: %w", err)
		}
	}
	if seen.Given {
		return r.revokeGiven(ctx)
	}
	r.site.keys.known.give(rootTokenID)
	keys, err := r.site.keys.use(ctx, r.site.reached[0])
	if err != nil {
		return err
	}
	if err := r.site.session.close(ctx); err != nil {
		return err
	}
	return r.site.reached[0].Retire(ctx, r.site.keys.keeper, keys)
}

func (r *rootToken) revokeGiven(ctx context.Context) error {
	if err := r.site.session.close(ctx); err != nil {
		return err
	}
	if err := r.site.reached[0].WithToken(r.site.options.Token).RevokeSelf(ctx); err != nil {
		return err
	}
	r.site.say("the token in VAULT_TOKEN was Vault's root token and is revoked now: unset it")
	return nil
}
