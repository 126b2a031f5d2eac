package cli

import (
	"cmp"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
	vaultstage "github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/vault"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

// defaultShares is what Vault itself proposes, with a majority to open it.
const defaultShares = 5

// defaultKeysFile is where keys that are encrypted go when nobody says otherwise. Those that are not go nowhere by default.
const defaultKeysFile = "vault-keys.yaml"

// KeyFlags are the flags about Vault's keys. None of them takes a key.
type KeyFlags struct {
	file                            string
	recipients, identities, holders []string
	inCluster                       bool
	shares, threshold               int
}

// AddReading registers what reads a key file.
func (k *KeyFlags) AddReading(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&k.file, "keys-file", "", "File with the keys of Vault")
	fs.StringArrayVar(&k.identities, "identity", nil, "File with an age private key that opens an encrypted --keys-file, or an encrypted Secret in the cluster; may be repeated")
}

// AddMaking registers what makes one as well.
func (k *KeyFlags) AddMaking(cmd *cobra.Command) {
	k.AddReading(cmd)
	fs := cmd.Flags()
	fs.Lookup("keys-file").Usage = "File for the keys of Vault, made with mode 0600 if Vault has none yet; it is never overwritten"
	fs.StringArrayVar(&k.recipients, "recipient", nil, "Encrypt the keys to this age public key (age1...); may be repeated")
}

// AddSharing registers how the keys are shared, and the other places where they may go.
func (k *KeyFlags) AddSharing(cmd *cobra.Command) {
	k.AddMaking(cmd)
	fs := cmd.Flags()
	fs.IntVar(&k.shares, "shares", 0, "How many key shares to make (default 5, or one for each --pgp-key)")
	fs.IntVar(&k.threshold, "threshold", 0, "How many of them open Vault (default a majority)")
	fs.StringArrayVar(&k.holders, "pgp-key", nil, "File with the OpenPGP public key of one key holder; repeated once for each share, the first also gets the root token")
	fs.BoolVar(&k.inCluster, "keep-in-cluster", false, "Keep the keys in a Secret beside Vault, for clusters in which the seal is not to protect anything")
}

// Form is how keys are written that are made with these flags.
func (k *KeyFlags) Form() string {
	switch {
	case len(k.recipients) > 0:
		return vault.FormAge
	case len(k.holders) > 0:
		return vault.FormPGP
	}
	return vault.FormPlain
}

// Reading is the key file to read, or the Secret in the cluster if an identity was given for it; nil if neither was named.
func (k *KeyFlags) Reading() (*vaultstage.Keys, error) {
	if k.file == "" && len(k.identities) == 0 {
		return nil, nil
	}
	identities, err := vault.ReadIdentities(k.identities...)
	if err != nil {
		return nil, fmt.Errorf("--identity: %w", err)
	}
	decrypt := func(keys vault.Keys) (vault.DecryptedKeys, error) { return keys.Decrypt(identities...) }
	return &vaultstage.Keys{File: k.file, Decrypt: decrypt}, nil
}

// Making is where keys go that are made now; nil if no place was named.
func (k *KeyFlags) Making() (*vaultstage.Keys, error) {
	encrypted := len(k.recipients) > 0 || len(k.holders) > 0
	switch {
	case k.inCluster && k.file != "":
		return nil, Usagef("--keys-file and --keep-in-cluster are two places: choose one")
	case len(k.recipients) > 0 && len(k.holders) > 0:
		return nil, Usagef("--recipient and --pgp-key are two ways to encrypt the keys: choose one")
	case k.inCluster && len(k.holders) > 0:
		return nil, Usagef("--pgp-key gives each holder a key of their own, and --keep-in-cluster lets commands use all of them: choose one")
	case k.file == "" && encrypted && !k.inCluster:
		k.file = defaultKeysFile
	}
	keys, err := k.Reading()
	if err != nil {
		return nil, err
	}
	switch {
	case k.file == "" && !k.inCluster:
		// An identity alone opens the Secret in the cluster, and none is made for it.
		return keys, nil
	case keys == nil:
		keys = &vaultstage.Keys{}
	}
	keys.Make, err = k.sharing()
	return keys, err
}

func (k *KeyFlags) sharing() (*vault.Init, error) {
	in := &vault.Init{Shares: cmp.Or(k.shares, len(k.holders), defaultShares)}
	in.Threshold = cmp.Or(k.threshold, in.Shares/2+1)
	if err := vault.CheckSharing(in.Shares, in.Threshold); err != nil {
		return nil, &UsageError{err}
	}
	if len(k.holders) > 0 && len(k.holders) != in.Shares {
		return nil, Usagef("%d OpenPGP keys for %d key shares: give --pgp-key once for each share", len(k.holders), in.Shares)
	}
	texts := make([][]byte, 0, len(k.holders))
	for _, file := range k.holders {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("--pgp-key: %w", err)
		}
		texts = append(texts, text)
	}
	var err error
	if in.Holders, err = vault.ParseHolders(texts...); err != nil {
		return nil, fmt.Errorf("--pgp-key: %w", err)
	}
	if in.Recipients, err = vault.ParseRecipients(k.recipients...); err != nil {
		return nil, &UsageError{err}
	}
	return in, nil
}

// WithVaultToken adds the token for Vault that the environment brings along, and which Vault it says that one is for.
func WithVaultToken(o vaultstage.Options) vaultstage.Options {
	o.Token, o.TokenAddress = vault.NewSecret(os.Getenv("VAULT_TOKEN")), os.Getenv("VAULT_ADDR")
	return o
}

// AddKeyFlags registers the flags by which a run also gives Vault its keys and opens it, and puts them to use.
func (a *Apply) AddKeyFlags(cmd *cobra.Command) {
	a.keys = &KeyFlags{}
	a.keys.AddMaking(cmd)
}

// keyed is the vault stage with the keys that the flags name.
func (a *Apply) keyed() (stage.Stage, error) {
	keys, err := a.keys.Making()
	if err != nil {
		return stage.Stage{}, err
	}
	a.WarnOfWorkTree(a.keys)
	sessions := &vaultstage.Sessions{}
	a.End = sessions.Close
	return vaultstage.With(vaultstage.Options{Keys: keys, Say: a.Say, Sessions: sessions}), nil
}

// Say prints a line of what a step does, below the change lines.
func (a *Apply) Say(line string) {
	out := a.Out
	if a.Output != "" {
		out = a.ErrOut
	}
	fmt.Fprintln(out, "  "+a.Worded(line))
}
