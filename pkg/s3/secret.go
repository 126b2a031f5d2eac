package s3

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// hasSecret shows that MinIO was given the secret of its client. MinIO takes tokens that were signed with it (HS256, under the
// client's ID as key ID; internal/config/identity/openid/jwt.go, PopulatePublicKey), and without one anybody signs those.
func hasSecret(ctx context.Context, tokens *Client, tenancy Tenancy, issuer string, clients []string, report func(string)) error {
	for _, client := range clients {
		_, err := tokens.AssumeRoleWithWebIdentity(ctx, WebIdentity{Token: anybodys(tenancy, issuer, client)})
		var answer *Error
		switch {
		case err == nil, errors.As(err, &answer) && passed(answer.Message):
			return errors.New("this MinIO has no client secret, so it takes tokens that anybody signs: whoever reaches it can be its administrator; " +
				"if others run it, give it one by the command that `kubectl onyxia s3 configure` prints, else run `kubectl onyxia s3 install`")
		case answer == nil, answer.Status == 0, answer.Status >= http.StatusInternalServerError:
			return fmt.Errorf("a token that anybody could sign: %w", err)
		}
	}
	report("a token that anybody could sign is refused")
	return nil
}

// passed recognises what MinIO says of a token whose signature it has taken (cmd/sts-handlers.go).
func passed(message string) bool {
	for _, words := range []string{"None of the given policies", "claim missing", "must match configured"} {
		if strings.Contains(message, words) {
			return true
		}
	}
	return false
}

// anybodys is a token that is right but for its signature, by an empty secret (RFC 7518 section 3.2).
func anybodys(tenancy Tenancy, issuer, audience string) string {
	text := unsignedToken("HS256", audience, tenancy, issuer, audience, platform.S3Policy)
	sign := hmac.New(sha256.New, nil)
	sign.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(sign.Sum(nil))
}
