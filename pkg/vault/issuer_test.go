package vault

import (
	"maps"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/vaulttest"
)

// issuer stands in for a realm.
type issuer struct{ *vaulttest.Issuer }

func startIssuer(t *testing.T) *issuer {
	t.Helper()
	return &issuer{vaulttest.StartIssuer(t)}
}

func (i *issuer) url() string { return i.URL() }

func (i *issuer) caPEM() string { return i.CAPEM() }

// token signs the claims of an ordinary token of Keycloak, with some of them replaced; nil takes a claim away.
func (i *issuer) token(t *testing.T, name string, groups []string, replace map[string]any) Secret {
	t.Helper()
	now := time.Now()
	claims := map[string]any{
		"iss": i.url(), "aud": []string{"vault", "account"}, "sub": "id-of-" + name, "azp": "vault", "preferred_username": name,
		"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
	}
	// Keycloak leaves the claim out for a user of no group.
	if len(groups) > 0 {
		claims["groups"] = groups
	}
	maps.Copy(claims, replace)
	for claim, value := range replace {
		if value == nil {
			delete(claims, claim)
		}
	}
	return NewSecret(i.Token(t, claims))
}
