package vault

import (
	"context"
	"fmt"
	"slices"
)

// initRequest is the body of PUT sys/init.
type initRequest struct {
	SecretShares      int      `json:"secret_shares,omitempty"`
	SecretThreshold   int      `json:"secret_threshold,omitempty"`
	PGPKeys           []string `json:"pgp_keys,omitempty"`
	RecoveryShares    int      `json:"recovery_shares,omitempty"`
	RecoveryThreshold int      `json:"recovery_threshold,omitempty"`
	RecoveryPGPKeys   []string `json:"recovery_pgp_keys,omitempty"`
	RootTokenPGPKey   string   `json:"root_token_pgp_key"`
}

// initAnswer is Vault's answer: OpenPGP messages in base64.
type initAnswer struct {
	Keys      []string
	RootToken string
}

func (in Init) question(keys Keys) initRequest {
	public := in.Holders
	if keys.Form != FormPGP {
		// Vault wants one key for each share; it may be the same.
		public = make([]string, keys.Shares)
		for i := range public {
			public[i] = keys.PublicKey
		}
	}
	if keys.Kind == KindRecovery {
		return initRequest{RecoveryShares: keys.Shares, RecoveryThreshold: keys.Threshold, RecoveryPGPKeys: public, RootTokenPGPKey: public[0]}
	}
	return initRequest{SecretShares: keys.Shares, SecretThreshold: keys.Threshold, PGPKeys: public, RootTokenPGPKey: public[0]}
}

// meant refuses an answer that is for another document, for instance one that a run with another key file left on the Spool:
// it would be taken for this one's, and removed.
func (in Init) meant(keys Keys, answer initAnswer) error {
	for i, message := range append(slices.Clone(answer.Keys), answer.RootToken) {
		public := keys.PublicKey
		if keys.Form == FormPGP {
			if len(in.Holders) != keys.Shares {
				return fmt.Errorf("%s was begun for OpenPGP holders: run init with the same --pgp-key flags", in.Keeper)
			}
			// The first holder gets the root token too, which is the last here.
			public = in.Holders[i%keys.Shares]
		}
		ours, err := encryptedTo(message, public)
		if err != nil {
			return err
		}
		if !ours {
			return fmt.Errorf("vault's answer is not for %s: it was begun with another key file, or with other --pgp-key flags; run init with those", in.Keeper)
		}
	}
	return nil
}

// laid reports whether an answer on the Spool is the one that the document was made of.
func (in Init) laid(keys Keys, answer initAnswer) bool {
	if keys.Form != FormPlain {
		return slices.Equal(keys.Keys, answer.Keys)
	}
	return keys.PublicKey != "" && in.meant(keys, answer) == nil
}

// decryptAnswer turns the sealed answer into the form plain.
func (k *Keys) decryptAnswer() error {
	pair, err := readPGPPair(k.PrivateKey)
	if err != nil {
		return err
	}
	k.Keys = append([]string(nil), k.Keys...)
	for i, sealed := range k.Keys {
		share, err := pair.decrypt(sealed)
		if err != nil {
			return fmt.Errorf("key %d: %w", i+1, err)
		}
		k.Keys[i] = share.Reveal()
	}
	root, err := pair.decrypt(k.RootToken)
	if err != nil {
		return fmt.Errorf("root token: %w", err)
	}
	// The public half tells the answer beside Vault for this document's, until that is removed.
	k.RootToken, k.PrivateKey = root.Reveal(), ""
	return nil
}

// initialise is the request itself.
func (c *Client) initialise(ctx context.Context, question initRequest) (initAnswer, error) {
	var answer struct {
		Keys      []string `json:"keys_base64"`
		Recovery  []string `json:"recovery_keys_base64"`
		RootToken string   `json:"root_token"`
	}
	if err := c.Write(ctx, "sys/init", question, &answer); err != nil {
		return initAnswer{}, err
	}
	if len(question.RecoveryPGPKeys) > 0 {
		answer.Keys = answer.Recovery
	}
	return initAnswer{Keys: answer.Keys, RootToken: answer.RootToken}, nil
}
