package vault

import "github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"

const redacted = secret.Redacted

// Secret is a token or a key. However it is printed or encoded, it shows nothing; Reveal gives the value.
type Secret = secret.Text

// NewSecret wraps a value.
func NewSecret(value string) Secret { return secret.New(value) }
