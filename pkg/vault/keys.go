package vault

import (
	"fmt"
	"io"
	"slices"
	"time"

	"filippo.io/age"
	"sigs.k8s.io/yaml"
)

// keysVersion is the version of the document's form.
const keysVersion = 1

// The states, kinds and forms of the document; see the package's documentation.
const (
	KeysPending  = "pending"
	KeysComplete = "complete"

	KindUnseal   = "unseal"
	KindRecovery = "recovery"

	FormPlain = "plain"
	FormAge   = "age"
	FormPGP   = "pgp"
)

// Keys is the document that opens a Vault. The package's documentation describes its form.
type Keys struct {
	Version int    `json:"version"`
	State   string `json:"state"`
	Kind    string `json:"kind"`
	Address string `json:"address"`
	// Cluster is the UID of namespace kube-system of the cluster that the Vault is in, and Vault its own cluster_id, once it
	// was seen to be opened by these keys. Documents of the first versions have neither.
	Cluster   string    `json:"cluster,omitempty"`
	Vault     string    `json:"vault,omitempty"`
	Created   time.Time `json:"created"`
	Shares    int       `json:"shares"`
	Threshold int       `json:"threshold"`
	Form      string    `json:"form"`
	// PublicKey is the one-time OpenPGP public key in base64, as Vault takes it.
	PublicKey string `json:"publicKey,omitempty"`
	// PrivateKey is its private half, armored; in the form age it is encrypted, and armored by age.
	PrivateKey string `json:"privateKey,omitempty"`
	// Recipients are the age public keys that PrivateKey is encrypted to: age itself does not tell.
	Recipients []string `json:"recipients,omitempty"`
	Keys       []string `json:"keys,omitempty"`
	RootToken  string   `json:"rootToken,omitempty"`
	// Beside says where a copy of Vault's answer, sealed to PublicKey, has still to be removed.
	Beside string `json:"beside,omitempty"`
}

// String shows no key.
func (k Keys) String() string {
	return fmt.Sprintf("%s keys of %s: %s, %d of %d, %s", k.Kind, k.Address, k.State, k.Threshold, k.Shares, k.Form)
}

// GoString shows no key.
func (k Keys) GoString() string { return k.String() }

// Format shows no key, whatever the verb.
func (k Keys) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

const keysHeader = `# The keys of a Vault. Who has them can read every secret in it, and who loses them loses every secret in it.
# Keep this file away from the cluster and from version control. Written by kubectl onyxia vault init.
`

// encode writes the document.
func (k Keys) encode() ([]byte, error) {
	text, err := yaml.Marshal(k)
	if err != nil {
		return nil, fmt.Errorf("keys of vault: %w", err)
	}
	return append([]byte(keysHeader), text...), nil
}

// ParseKeys reads a document and checks that it is whole. Errors never repeat its content.
func ParseKeys(text []byte) (Keys, error) {
	var k Keys
	if err := yaml.UnmarshalStrict(text, &k); err != nil {
		return Keys{}, fmt.Errorf("no document with keys of a vault, or not a whole one (its content is not repeated here)")
	}
	if err := k.check(); err != nil {
		return Keys{}, err
	}
	return k, nil
}

func (k Keys) check() error {
	known := slices.Contains([]string{KeysPending, KeysComplete}, k.State) && slices.Contains([]string{KindUnseal, KindRecovery}, k.Kind) &&
		slices.Contains([]string{FormPlain, FormAge, FormPGP}, k.Form)
	switch {
	case k.Version == 0:
		return fmt.Errorf("keys of vault: no version: the document is not whole; bring back your copy of it")
	case k.Version != keysVersion:
		return fmt.Errorf("keys of vault: version %d is not known, only %d; use the kubectl-onyxia that wrote the document", k.Version, keysVersion)
	case !known:
		return fmt.Errorf("keys of vault: state %q, kind %q or form %q is not known", k.State, k.Kind, k.Form)
	case k.State == KeysComplete && len(k.Keys) != k.Shares:
		return fmt.Errorf("keys of vault: %d of %d keys are there: the document is not whole", len(k.Keys), k.Shares)
	case k.PrivateKey == "" && (k.Form == FormAge || k.State == KeysPending && k.Form == FormPlain):
		return fmt.Errorf("keys of vault: the private key is missing: the document is not whole")
	}
	return CheckSharing(k.Shares, k.Threshold)
}

// CheckSharing holds Vault's own limits (vault 1.14.1, SealConfig.Validate).
func CheckSharing(shares, threshold int) error {
	switch {
	case shares < 1 || shares > 255:
		return fmt.Errorf("%d key shares: must be 1 to 255", shares)
	case threshold < 1 || threshold > shares:
		return fmt.Errorf("a threshold of %d: must be 1 to the number of shares, %d", threshold, shares)
	case shares > 1 && threshold == 1:
		return fmt.Errorf("a threshold of 1 with %d shares: each share would open Vault alone; use 1 share, or a threshold of 2 and more", shares)
	}
	return nil
}

// DecryptedKeys are a Vault's keys as they can be used.
type DecryptedKeys struct {
	Shares []Secret
	// RootToken is empty once it has been revoked.
	RootToken Secret
	Threshold int
	Kind      string
}

// Decrypt makes the keys usable. Identities are needed for the form age only.
func (k Keys) Decrypt(identities ...age.Identity) (DecryptedKeys, error) {
	decrypted := DecryptedKeys{Threshold: k.Threshold, Kind: k.Kind}
	if k.State != KeysComplete {
		return decrypted, fmt.Errorf("keys of vault: none there yet: its initialisation was begun and not finished; run kubectl onyxia vault init again")
	}
	reveal := func(text string) (Secret, error) { return NewSecret(text), nil }
	switch k.Form {
	case FormPGP:
		return decrypted, fmt.Errorf("keys of vault: each is sealed to the OpenPGP key of one holder; they open theirs with gpg -d and give them at the prompt")
	case FormAge:
		private, err := openAge(k.PrivateKey, identities)
		if err != nil {
			return decrypted, err
		}
		pair, err := readPGPPair(private)
		if err != nil {
			return decrypted, err
		}
		reveal = pair.decrypt
	}
	for i, text := range k.Keys {
		share, err := reveal(text)
		if err != nil {
			return decrypted, fmt.Errorf("key %d: %w", i+1, err)
		}
		decrypted.Shares = append(decrypted.Shares, share)
	}
	if k.RootToken == "" {
		return decrypted, nil
	}
	var err error
	if decrypted.RootToken, err = reveal(k.RootToken); err != nil {
		return decrypted, fmt.Errorf("root token: %w", err)
	}
	return decrypted, nil
}
