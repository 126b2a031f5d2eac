package s3

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// issuer is a token issuer for tests: it signs (RS256) whatever claims it is given and serves a discovery document and its
// public key on loopback. It checks nobody's password. Keycloak takes its place in the end-to-end tests; this one exists
// because no honest issuer can be made to sign hostile names, odd audiences and tokens from the past.
type issuer struct {
	server *httptest.Server
	key    *rsa.PrivateKey
	// down makes it answer as a proxy does that has no issuer behind it.
	down atomic.Bool
}

const keyID = "test-key"

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", i.discovery)
	mux.HandleFunc("/jwks", i.jwks)
	i.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if i.down.Load() {
			http.Error(w, "no available server", http.StatusServiceUnavailable)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(i.server.Close)
	return i
}

func (i *issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	answer(w, map[string]any{
		"issuer": i.server.URL, "jwks_uri": i.server.URL + "/jwks",
		"authorization_endpoint": i.server.URL + "/auth", "token_endpoint": i.server.URL + "/token",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
	})
}

func (i *issuer) jwks(w http.ResponseWriter, _ *http.Request) {
	exponent := big.NewInt(int64(i.key.E)).Bytes()
	answer(w, map[string]any{"keys": []any{map[string]any{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": keyID,
		"n": base64.RawURLEncoding.EncodeToString(i.key.N.Bytes()), "e": base64.RawURLEncoding.EncodeToString(exponent),
	}}})
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// claims are those of a Keycloak access token for the client onyxia-minio; a nil value takes a claim away.
type claims map[string]any

// token signs the usual claims of a user, with those given on top.
func (i *issuer) token(t *testing.T, username string, groups []string, more claims) string {
	t.Helper()
	now := time.Now()
	all := claims{
		"iss": i.server.URL, "sub": "id-of-" + username, "aud": []string{"minio", "account"}, "azp": "onyxia-minio",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "jti": rand.Text(),
		"preferred_username": username, "policy": "stsonly",
	}
	if groups != nil {
		all["groups"] = groups
	}
	for k, v := range more {
		if v == nil {
			delete(all, k)
			continue
		}
		all[k] = v
	}
	return i.sign(t, all)
}

func (i *issuer) sign(t *testing.T, all claims) string {
	t.Helper()
	head, err := json.Marshal(map[string]string{"alg": "RS256", "typ": "JWT", "kid": keyID})
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(body)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}
