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
	// Decrypt makes the keys of the document usable; nil for one that needs no identity.
	Decrypt func(vault.Keys) (vault.DecryptedKeys, error)

	keeper vault.Keeper
	// found says that nobody named the keys: somebody asked once to have them in the cluster.
	found bool
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

// read reads the document and decrypts its keys.
func (k *Keys) read(ctx context.Context) (vault.DecryptedKeys, error) {
	keys, err := k.document(ctx)
	if err != nil {
		return vault.DecryptedKeys{}, err
	}
	return k.decrypted(keys)
}

func (k *Keys) decrypted(keys vault.Keys) (vault.DecryptedKeys, error) {
	decrypt := k.Decrypt
	if decrypt == nil {
		decrypt = func(keys vault.Keys) (vault.DecryptedKeys, error) { return keys.Decrypt() }
	}
	decrypted, err := decrypt(keys)
	if err != nil {
		return vault.DecryptedKeys{}, fmt.Errorf("%s: %w", k.keeper, err)
	}
	return decrypted, nil
}
