package vault

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// issuer is a tiny OpenID provider on loopback over TLS with a private authority: a discovery document and a key set
// (OpenID Connect Discovery 1.0, RFC 7517). It stands in for a realm; the Vault that asks it is real.
type issuer struct {
	server *httptest.Server
	key    *rsa.PrivateKey
}

func startIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key}
	i.server = httptest.NewTLSServer(http.HandlerFunc(i.answer))
	t.Cleanup(i.server.Close)
	return i
}

func (i *issuer) url() string { return i.server.URL }

// caPEM is the private authority: the self-signed certificate of httptest.
func (i *issuer) caPEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.server.Certificate().Raw}))
}

func (i *issuer) answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	b64 := base64.RawURLEncoding
	var document any
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		document = map[string]any{"issuer": i.url(), "jwks_uri": i.url() + "/keys", "authorization_endpoint": i.url() + "/auth", "token_endpoint": i.url() + "/token",
			"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"}}
	case "/keys":
		document = map[string]any{"keys": []any{map[string]string{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "one",
			"n": b64.EncodeToString(i.key.N.Bytes()), "e": b64.EncodeToString(big.NewInt(int64(i.key.E)).Bytes())}}}
	default:
		http.NotFound(w, r)
		return
	}
	_ = json.NewEncoder(w).Encode(document)
}

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
	b64 := base64.RawURLEncoding
	head, err := json.Marshal(map[string]string{"alg": "RS256", "typ": "JWT", "kid": "one"})
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed := b64.EncodeToString(head) + "." + b64.EncodeToString(body)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return NewSecret(signed + "." + b64.EncodeToString(signature))
}
