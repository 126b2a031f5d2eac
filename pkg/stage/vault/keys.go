package vault

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

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
	site  *site
	known *knowledge
}

// knowledge is what is learned of keys in the runs of a command.
type knowledge struct {
	agreement
	// naming is held while a document is completed.
	naming sync.Mutex
	opens  atomic.Bool
}

// at settles where the document is, and which Vault it is to be for.
func (k *Keys) at(s *site) *Keys {
	if k.known == nil {
		k.known = &knowledge{}
	}
	placed := *k
	placed.site = s
	if k.File != "" {
		placed.keeper = vault.KeyFile{Path: k.File}
	} else {
		placed.keeper = &secretKeeper{client: s.env.Kube, namespace: s.namespace()}
	}
	return &placed
}

// Opens reports whether a run has seen that the keys are this Vault's: it made them, or the document names the open Vault.
func (k *Keys) Opens() bool { return k.known != nil && k.known.opens.Load() }

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

// fits says why a document is not to be used for this Vault: *vault.AnotherError or vault.ErrUnnamed.
func (k *Keys) fits(ctx context.Context, keys vault.Keys, seal vault.Seal) error {
	here, err := k.site.identity(ctx)
	if err != nil {
		return err
	}
	if k.File == "" {
		// A Secret lies beside the Vault that it is for, whatever that was called when it was made.
		keys.Address = here.Address
		if keys.Cluster == "" {
			keys.Cluster = here.Cluster
		}
	}
	if err := keys.For(here, seal); err != nil {
		return fmt.Errorf("%s %w", k.keeper, err)
	}
	return nil
}

// use reads the document for a server of this Vault and decrypts its keys. Nothing of a document that is another Vault's, or
// that nobody agreed to, gets any further.
func (k *Keys) use(ctx context.Context, server *vault.Client) (vault.DecryptedKeys, error) {
	keys, err := k.document(ctx)
	if err != nil {
		return vault.DecryptedKeys{}, err
	}
	seal, err := server.SealStatus(ctx)
	if err != nil {
		return vault.DecryptedKeys{}, err
	}
	err = k.fits(ctx, keys, seal)
	switch {
	case errors.Is(err, vault.ErrUnnamed) && k.known.isGiven():
	case errors.Is(err, vault.ErrUnnamed):
		return vault.DecryptedKeys{}, fmt.Errorf("%w, and nobody has agreed to use it: run the same command again, at a terminal or with --yes", err)
	case err != nil:
		return vault.DecryptedKeys{}, err
	}
	return k.decrypted(keys)
}

// question is what has to be agreed to before a document is used that names no cluster.
func (k *Keys) question() string {
	return fmt.Sprintf("%s does not name the cluster of its Vault, as files of earlier versions, and is taken for the keys of the vault at %s in cluster %s, which gets them",
		k.keeper, k.site.env.Platform.VaultURL(), k.site.env.Kube.Name())
}

// nameTime is how long a Vault that was just opened may take to know its cluster_id: one on raft elects a leader first.
const nameTime = 30 * time.Second

// opened completes the document, whose keys have just opened the Vault. That it cannot be written, on a medium that is read
// only for instance, stops nothing.
func (k *Keys) opened(ctx context.Context, server *vault.Client) {
	k.known.naming.Lock()
	defer k.known.naming.Unlock()
	if err := k.name(ctx, server); err != nil && ctx.Err() == nil {
		k.site.env.Warn(fmt.Sprintf("%s opens this vault, and it could not be noted in it which one that is: %s", k.keeper, err))
	}
}

func (k *Keys) name(ctx context.Context, server *vault.Client) error {
	here, err := k.site.identity(ctx)
	if err != nil {
		return err
	}
	return vault.Name(ctx, k.keeper, here, clusterID(ctx, server))
}

// clusterID is what the Vault calls itself; empty if it does not know in time.
func clusterID(ctx context.Context, server *vault.Client) string {
	ctx, cancel := context.WithTimeout(ctx, nameTime)
	defer cancel()
	id := ""
	// It is asked again after an error: a Vault that was just opened answers with 500 until it has its name.
	_ = every(ctx, func() (bool, string, error) {
		seal, err := server.SealStatus(ctx)
		id = seal.ClusterID
		return err == nil && id != "", "", nil
	})
	return id
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
