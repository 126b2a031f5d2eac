package vault

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Identity says which Vault this is, as a run sees it.
type Identity struct {
	// Cluster is the UID of namespace kube-system of its Kubernetes cluster; empty for a Vault elsewhere.
	Cluster string
	// Address as people know it. Two clusters may have one.
	Address string
}

// AnotherError says that keys, or a token, are for another Vault than the one at hand.
type AnotherError struct{ Why string }

func (e *AnotherError) Error() string { return e.Why }

// ErrUnnamed says that keys, or a token, do not say which Vault they are for.
var ErrUnnamed = errors.New("does not say which Vault it is for")

// For says why the keys must not be given to this Vault: *AnotherError, or ErrUnnamed for a document of before, which names
// no cluster. The seal is what the Vault says of itself; only an open one tells its cluster_id.
func (k Keys) For(here Identity, seal Seal) error {
	known := k.Vault != "" && seal.ClusterID != ""
	moved := strings.TrimRight(k.Address, "/") != strings.TrimRight(here.Address, "/")
	counted := k.State == KeysComplete && seal.Initialised && !seal.Recovery && seal.Shares > 0
	switch {
	case k.Cluster != "" && here.Cluster != "" && k.Cluster != here.Cluster:
		return &AnotherError{fmt.Sprintf("holds the keys of the vault at %s in another cluster, whose namespace kube-system has the UID %s, and here it has %s; name the right key file, or the right cluster by --context; if this is that vault, restored into this cluster, take the line `cluster:` out of it",
			k.Address, k.Cluster, here.Cluster)}
	case known && k.Vault != seal.ClusterID:
		return &AnotherError{fmt.Sprintf("holds the keys of the vault with the cluster_id %s, and this one has %s; name the right key file", k.Vault, seal.ClusterID)}
	case moved && !known:
		return &AnotherError{fmt.Sprintf("holds the keys of the vault at %s, and this one is at %s; name another key file, or if both are one and the same, correct the address in it", k.Address, here.Address)}
	case counted && (seal.Shares != k.Shares || seal.Threshold != k.Threshold):
		return &AnotherError{fmt.Sprintf("holds %d key shares of which %d open a vault, and this one has %d of which %d open it; name the right key file", k.Shares, k.Threshold, seal.Shares, seal.Threshold)}
	case k.Cluster != here.Cluster:
		return ErrUnnamed
	}
	return nil
}

// Opens reports whether the keys are known to be those of an open Vault.
func (k Keys) Opens(seal Seal) bool {
	return k.State == KeysComplete && k.Vault != "" && k.Vault == seal.ClusterID
}

// Name writes into the document which Vault it has opened. An empty cluster_id is not known yet, and leaves what is there.
func Name(ctx context.Context, keeper Keeper, here Identity, clusterID string) error {
	return rewrite(ctx, keeper, func(k *Keys) {
		k.Cluster, k.Address = here.Cluster, here.Address
		if clusterID != "" {
			k.Vault = clusterID
		}
	})
}

// rewrite changes the document; one that stays as it is is not written.
func rewrite(ctx context.Context, keeper Keeper, change func(*Keys)) error {
	text, err := keeper.Read(ctx)
	if err != nil {
		return err
	}
	keys, err := ParseKeys(text)
	if err != nil {
		return fmt.Errorf("%s: %w", keeper, err)
	}
	before, err := keys.encode()
	if err != nil {
		return err
	}
	change(&keys)
	after, err := keys.encode()
	if err != nil || string(before) == string(after) {
		return err
	}
	return keeper.Replace(ctx, after)
}
