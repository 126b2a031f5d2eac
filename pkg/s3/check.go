package s3

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Check shows what can be shown of a MinIO whose users are not ours to make: a token that the issuer did not sign buys
// nothing, nor does one that anybody could sign, and nobody reads a bucket without credentials.
type Check struct {
	// S3 is the server as users reach it; its credentials are not used.
	S3      *Client
	Tenancy Tenancy
	// Issuer of the tokens, and the Audience that they are for: MinIO's own client.
	Issuer, Audience string
}

// Run tells each line that holds, and stops at the first that does not. It writes nothing.
func (c Check) Run(ctx context.Context, report func(line string)) error {
	token, err := c.forge()
	if err != nil {
		return err
	}
	_, err = c.S3.AssumeRoleWithWebIdentity(ctx, WebIdentity{Token: token})
	var answer *Error
	switch {
	case err == nil:
		return fmt.Errorf("MinIO gave credentials for a token that %s did not sign: whoever reaches it is any user; look at its configuration", c.Issuer)
	case !errors.As(err, &answer) || !unsigned(answer.Message):
		return err
	}
	report(fmt.Sprintf("a token that %s did not sign is refused, by the issuer's own keys", c.Issuer))
	if err := hasSecret(ctx, c.S3, c.Tenancy, c.Issuer, []string{c.Audience}, report); err != nil {
		return err
	}
	bucket, err := c.Tenancy.UserBucket(ProofName())
	if err != nil {
		return err
	}
	if _, err := c.S3.As(Credentials{}).List(ctx, bucket, ""); denied(err) != nil {
		return fmt.Errorf("a list of %s without credentials: %w", Location(bucket, ""), denied(err))
	}
	report("nothing is listed without credentials")
	return nil
}

// unsigned recognises MinIO's words for a signature by none of the issuer's keys, which it has asked for once more before
// it says so (internal/config/identity/openid/jwt.go, seen on a running server).
func unsigned(message string) bool {
	return strings.Contains(message, "verification error") || strings.Contains(message, "No public key found")
}

// forge makes a token that is right in all but its signature (RFC 7515 section 3.1).
func (c Check) forge() (string, error) {
	// RS256 with a key of 2048 bits.
	signature := make([]byte, 256)
	if _, err := rand.Read(signature); err != nil {
		return "", fmt.Errorf("forged token: %w", err)
	}
	return unsignedToken("RS256", ProofName(), c.Tenancy, c.Issuer, c.Audience, []string{}) + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// unsignedToken is all of a token but its signature: what a user of an issuer would have for a client, who is nobody.
func unsignedToken(algorithm, key string, tenancy Tenancy, issuer, audience string, policy any) string {
	name := ProofName()
	header := compact(map[string]any{"alg": algorithm, "typ": "JWT", "kid": key})
	body := compact(map[string]any{
		"iss": issuer, "aud": []string{audience}, "azp": audience, "sub": name, tenancy.UsernameClaim: name, "policy": policy,
		"iat": time.Now().Add(-time.Minute).Unix(), "exp": time.Now().Add(time.Minute).Unix(),
	})
	part := base64.RawURLEncoding.EncodeToString
	return part(header) + "." + part(body)
}
