package vault

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"time"

	"filippo.io/age"
	agearmor "filippo.io/age/armor"
	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// pgpPair is a one-time OpenPGP pair. Vault seals its answer to the public half, so that the answer may lie anywhere.
type pgpPair struct{ entity *openpgp.Entity }

// newPGPPair makes a pair. Its creation lies a day back, because Vault refuses a key that its own clock calls future.
func newPGPPair(now time.Time) (pgpPair, error) {
	config := &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Time: func() time.Time { return now.Add(-24 * time.Hour) }}
	entity, err := openpgp.NewEntity("kubectl-onyxia vault init", "one-time", "", config)
	if err != nil {
		return pgpPair{}, fmt.Errorf("one-time OpenPGP key: %w", err)
	}
	return pgpPair{entity}, nil
}

// public is the public half in base64, as pgp_keys of sys/init takes it.
func (p pgpPair) public() (string, error) {
	var b bytes.Buffer
	if err := p.entity.Serialize(&b); err != nil {
		return "", fmt.Errorf("one-time OpenPGP key: %w", err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes()), nil
}

// private is the private half, armored and without a passphrase.
func (p pgpPair) private() (string, error) {
	var b bytes.Buffer
	w, err := armor.Encode(&b, openpgp.PrivateKeyType, nil)
	if err != nil {
		return "", fmt.Errorf("one-time OpenPGP key: %w", err)
	}
	if err := p.entity.SerializePrivateWithoutSigning(w, nil); err != nil {
		return "", fmt.Errorf("one-time OpenPGP key: %w", err)
	}
	if err := w.Close(); err != nil {
		return "", fmt.Errorf("one-time OpenPGP key: %w", err)
	}
	return b.String() + "\n", nil
}

func readPGPPair(private string) (pgpPair, error) {
	ring, err := openpgp.ReadArmoredKeyRing(strings.NewReader(private))
	if err != nil || len(ring) != 1 {
		return pgpPair{}, fmt.Errorf("one-time OpenPGP key: not readable: the document of keys is damaged")
	}
	return pgpPair{ring[0]}, nil
}

// decrypt reads one OpenPGP message in base64.
func (p pgpPair) decrypt(message string) (Secret, error) {
	sealed, err := base64.StdEncoding.DecodeString(message)
	if err != nil {
		return Secret{}, fmt.Errorf("not base64: the document of keys is damaged")
	}
	details, err := openpgp.ReadMessage(bytes.NewReader(sealed), openpgp.EntityList{p.entity}, nil, nil)
	if err != nil {
		return Secret{}, fmt.Errorf("cannot be opened with the one-time OpenPGP key: %w", err)
	}
	text, err := io.ReadAll(details.UnverifiedBody)
	if err != nil {
		return Secret{}, fmt.Errorf("cannot be opened with the one-time OpenPGP key: %w", err)
	}
	return NewSecret(string(text)), nil
}

// encryptedTo tells whether an OpenPGP message is for a public key, both in base64. It needs no private key.
func encryptedTo(message, public string) (bool, error) {
	sealed, err := base64.StdEncoding.DecodeString(message)
	if err != nil {
		return false, fmt.Errorf("vault's answer is not base64: %w", err)
	}
	text, err := base64.StdEncoding.DecodeString(public)
	if err != nil {
		return false, fmt.Errorf("OpenPGP key: not base64: %w", err)
	}
	ring, err := openpgp.ReadKeyRing(bytes.NewReader(text))
	if err != nil || len(ring) != 1 {
		return false, fmt.Errorf("OpenPGP key: not one public key")
	}
	ids := map[uint64]bool{ring[0].PrimaryKey.KeyId: true}
	for _, sub := range ring[0].Subkeys {
		ids[sub.PublicKey.KeyId] = true
	}
	first, err := packet.Read(bytes.NewReader(sealed))
	if err != nil {
		return false, fmt.Errorf("vault's answer is no OpenPGP message: %w", err)
	}
	key, ok := first.(*packet.EncryptedKey)
	return ok && ids[key.KeyId], nil
}

// ParseHolders reads OpenPGP public keys of key holders, one in each text, armored or in base64, and gives them as Vault
// takes them.
func ParseHolders(texts ...[]byte) ([]string, error) {
	keys := make([]string, 0, len(texts))
	for i, text := range texts {
		ring, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(text))
		if err != nil {
			binary, decodeErr := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
			if decodeErr != nil {
				binary = text
			}
			ring, err = openpgp.ReadKeyRing(bytes.NewReader(binary))
		}
		if err != nil || len(ring) != 1 {
			return nil, fmt.Errorf("OpenPGP key %d: not one public key; export it with gpg --export --armor", i+1)
		}
		if _, usable := ring[0].EncryptionKey(time.Now()); !usable {
			return nil, fmt.Errorf("OpenPGP key %d (%x): cannot be encrypted to: expired, revoked or for signing only", i+1, ring[0].PrimaryKey.Fingerprint)
		}
		public, err := pgpPair{ring[0]}.public()
		if err != nil {
			return nil, err
		}
		keys = append(keys, public)
	}
	return keys, nil
}

// sealAge encrypts to the recipients, armored.
func sealAge(text string, recipients []age.Recipient) (string, error) {
	var b bytes.Buffer
	armored := agearmor.NewWriter(&b)
	w, err := age.Encrypt(armored, recipients...)
	if err != nil {
		return "", fmt.Errorf("age: %w", err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		return "", fmt.Errorf("age: %w", err)
	}
	if err := w.Close(); err != nil {
		return "", fmt.Errorf("age: %w", err)
	}
	if err := armored.Close(); err != nil {
		return "", fmt.Errorf("age: %w", err)
	}
	return b.String(), nil
}

func openAge(text string, identities []age.Identity) (string, error) {
	if len(identities) == 0 {
		return "", fmt.Errorf("keys of vault: they are encrypted with age; give the identity file of a recipient: --identity FILE")
	}
	r, err := age.Decrypt(agearmor.NewReader(strings.NewReader(text)), identities...)
	if err != nil {
		return "", fmt.Errorf("keys of vault: age: %w; give the identity file of a recipient they were encrypted to", err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		return "", fmt.Errorf("keys of vault: age: %w: the document is damaged", err)
	}
	return string(plain), nil
}
