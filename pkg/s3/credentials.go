package s3

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
)

// Credentials sign requests. The secret key and the session token never come out of it by printing: every verb of fmt,
// slog and encoding/json shows the access key only. The zero value signs nothing: requests go out anonymous.
type Credentials struct {
	// AccessKey is public, like a user name.
	AccessKey string
	// Expires is zero for credentials that last.
	Expires                 time.Time
	secretKey, sessionToken secret.Text
}

// NewCredentials makes credentials of an access key with its secret key, and of a session token where STS gave one.
func NewCredentials(accessKey, secretKey, sessionToken string, expires time.Time) Credentials {
	return Credentials{AccessKey: accessKey, Expires: expires, secretKey: secret.New(secretKey), sessionToken: secret.New(sessionToken)}
}

// Anonymous tells whether there is nothing to sign with.
func (c Credentials) Anonymous() bool { return c.secretKey.Empty() || c.AccessKey == "" }

// Reveal hands out the secret key and the session token, for the one who writes them where they belong.
func (c Credentials) Reveal() (secretKey, sessionToken string) {
	return c.secretKey.Reveal(), c.sessionToken.Reveal()
}

// String shows the access key and the expiry.
func (c Credentials) String() string {
	if c.Anonymous() {
		return "anonymous"
	}
	if c.Expires.IsZero() {
		return c.AccessKey + " (secret not shown)"
	}
	return fmt.Sprintf("%s (secret not shown) until %s", c.AccessKey, c.Expires.UTC().Format(time.RFC3339))
}

// Format keeps %#v and every other verb from looking inside.
func (c Credentials) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(c.String())) }

// LogValue does the same for slog.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText does the same for encoders.
func (c Credentials) MarshalText() ([]byte, error) { return []byte(c.String()), nil }
