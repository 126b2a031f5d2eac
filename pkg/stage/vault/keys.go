package vault

import (
	"context"
	"fmt"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

// Keys is where the document with Vault's keys is, and what may be done with it.
type Keys struct {
	// File on this machine; empty for the Secret in the cluster.
	File string
	// Make says how keys are made when Vault has none: Shares, Threshold, Recipients and Holders are read. Nil makes none.
	Make *vault.Init
	// Required makes it an error that Vault has keys and this document is not there.
	Required bool
	// Open opens the document; nil for one that needs no identity.
	Open func(vault.Keys) (vault.Opened, error)

	keeper vault.Keeper
}

// at settles where the document is.
func (k *Keys) at(s *site) *Keys {
	placed := *k
	if k.File != "" {
		placed.keeper = vault.KeyFile{Path: k.File}
	} else {
		placed.keeper = &secretKeeper{client: s.env.Kube, namespace: s.namespace()}
	}
	return &placed
}

// document reads it.
func (k *Keys) document(ctx context.Context) (vault.Keys, error) {
	text, err := k.keeper.Read(ctx)
	if err != nil {
		return vault.Keys{}, err
	}
	keys, err := vault.ParseKeys(text)
	if err != nil {
		return vault.Keys{}, fmt.Errorf("%s: %w", k.keeper, err)
	}
	return keys, nil
}

// opened reads and opens it.
func (k *Keys) opened(ctx context.Context) (vault.Opened, error) {
	keys, err := k.document(ctx)
	if err != nil {
		return vault.Opened{}, err
	}
	return k.open(keys)
}

func (k *Keys) open(keys vault.Keys) (vault.Opened, error) {
	open := k.Open
	if open == nil {
		open = func(keys vault.Keys) (vault.Opened, error) { return keys.Open() }
	}
	opened, err := open(keys)
	if err != nil {
		return vault.Opened{}, fmt.Errorf("%s: %w", k.keeper, err)
	}
	return opened, nil
}
