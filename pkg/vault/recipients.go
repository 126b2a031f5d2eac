package vault

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"filippo.io/age"
)

// ParseRecipients reads public keys of age, as age-keygen prints them ("age1...").
func ParseRecipients(texts ...string) ([]age.Recipient, error) {
	recipients := make([]age.Recipient, 0, len(texts))
	for _, text := range texts {
		found, err := age.ParseRecipients(strings.NewReader(text))
		if err != nil || len(found) != 1 {
			// What was given may be a private key by mistake, so it is not repeated.
			return nil, fmt.Errorf("recipient %d: not a public key of age (age1..., as age-keygen -y prints it)", len(recipients)+1)
		}
		recipients = append(recipients, found[0])
	}
	return recipients, nil
}

// recipientNames are the public keys as text, in order.
func recipientNames(recipients []age.Recipient) []string {
	names := make([]string, 0, len(recipients))
	for _, r := range recipients {
		names = append(names, fmt.Sprint(r))
	}
	slices.Sort(names)
	return names
}

// ReadIdentities reads the private keys of age in files, as age-keygen writes them. Errors never repeat a file's content.
func ReadIdentities(files ...string) ([]age.Identity, error) {
	var identities []age.Identity
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("identity: %w", err)
		}
		found, err := age.ParseIdentities(strings.NewReader(string(text)))
		if err != nil {
			return nil, fmt.Errorf("identity %s: holds no private key of age (AGE-SECRET-KEY-..., as age-keygen writes it)", file)
		}
		identities = append(identities, found...)
	}
	return identities, nil
}
