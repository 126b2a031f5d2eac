package vault

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Check shows what can be shown of a Vault whose users are not ours to make: pages may ask, a token that the issuer did not
// sign buys nothing, and nobody reads anything without one. What is inside, the steps of Setup have compared before.
type Check struct {
	// Client asks without a token, by the address that users have.
	Client *Client
	// Mount, Role and KV are the names inside Vault.
	Mount, Role, KV string
	// Issuer, Audience and UserClaim of the tokens.
	Issuer, Audience, UserClaim string
	// UserPrefix of the folders, and Origin of Onyxia's web.
	UserPrefix, Origin string
}

// Run tells each line that holds. The first that does not is the error. It writes nothing.
func (c Check) Run(ctx context.Context, report func(string)) error {
	folder := c.UserPrefix + ProofPrefix + "one"
	if err := preflights(ctx, c.Client, c.Mount, c.KV+"/data/"+folder, c.Origin, report); err != nil {
		return err
	}
	if err := c.forged(ctx); err != nil {
		return err
	}
	say(report, fmt.Sprintf("a token that %s did not sign is refused, and one that it did can be told from it", c.Issuer))
	nobody := c.Client.WithToken(Secret{})
	for what, path := range map[string]string{"the list of all folders": c.KV + "/metadata/?list=true", "a secret": c.KV + "/data/" + folder + "/" + proofKey} {
		if err := refused(nil, nobody.Read(ctx, path, nil)); err != nil {
			return fmt.Errorf("%s, asked for without a token: %w", what, err)
		}
	}
	say(report, "nothing is read without a token")
	return nil
}

// forged tries a token that is right in all but its signature. That Vault finds the signature wrong shows that it has the
// role and the configuration, and the issuer's keys to compare with.
func (c Check) forged(ctx context.Context) error {
	token, err := forge(map[string]any{
		"iss": c.Issuer, "aud": []string{c.Audience}, "sub": ProofPrefix + "one", c.UserClaim: ProofPrefix + "one",
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
	})
	if err != nil {
		return err
	}
	session, err := c.Client.Login(ctx, c.Mount, c.Role, token)
	if err == nil {
		return errors.Join(fmt.Errorf("auth/%s took a token that %s did not sign: whoever reaches Vault is any user; look at its configuration", c.Mount, c.Issuer), session.Close(ctx))
	}
	var answer *APIError
	switch {
	case !errors.As(err, &answer):
		return err
	case errors.Is(err, ErrPermissionDenied):
		return fmt.Errorf("there is no login at auth/%s: %w", c.Mount, err)
	case answer.Says("fetching keys"):
		return fmt.Errorf("%w; Vault does not reach the keys of %s: is it up, does its name resolve in Vault's pod, is its certificate trusted (trust.caBundle)?", err, c.Issuer)
	case !answer.Says("failed to verify"):
		return fmt.Errorf("%w%s", err, loginAdvice(err))
	}
	return nil
}

// forge makes a token with a signature of no key (RFC 7515 section 3.1).
func forge(claims map[string]any) (Secret, error) {
	body, err := json.Marshal(claims)
	if err != nil {
		return Secret{}, fmt.Errorf("forged token: %w", err)
	}
	// RS256 with a key of 2048 bits.
	signature := make([]byte, 256)
	if _, err := rand.Read(signature); err != nil {
		return Secret{}, fmt.Errorf("forged token: %w", err)
	}
	part := base64.RawURLEncoding.EncodeToString
	return NewSecret(part([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + part(body) + "." + part(signature)), nil
}
