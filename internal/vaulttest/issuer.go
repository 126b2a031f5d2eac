package vaulttest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Issuer is a tiny OpenID provider on loopback over TLS with a private authority: a discovery document and a key set
// (OpenID Connect Discovery 1.0, RFC 7517). It checks nobody's password; it signs whatever a test asks for, as no honest
// issuer would. The Vault that asks it is real.
type Issuer struct {
	server *httptest.Server
	key    *rsa.PrivateKey
}

// StartIssuer starts one; it ends with the test.
func StartIssuer(t testing.TB) *Issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &Issuer{key: key}
	i.server = httptest.NewTLSServer(http.HandlerFunc(i.answer))
	t.Cleanup(i.server.Close)
	return i
}

// URL is the issuer as tokens name it.
func (i *Issuer) URL() string { return i.server.URL }

// CAPEM is the private authority: the self-signed certificate of httptest.
func (i *Issuer) CAPEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.server.Certificate().Raw}))
}

// Stop ends it before the test does.
func (i *Issuer) Stop() { i.server.Close() }

func (i *Issuer) answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	b64 := base64.RawURLEncoding
	var document any
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		document = map[string]any{"issuer": i.URL(), "jwks_uri": i.URL() + "/keys", "authorization_endpoint": i.URL() + "/auth", "token_endpoint": i.URL() + "/token",
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

// Token signs the claims (RS256).
func (i *Issuer) Token(t testing.TB, claims map[string]any) string {
	t.Helper()
	head, err := json.Marshal(map[string]string{"alg": "RS256", "typ": "JWT", "kid": "one"})
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding
	signed := b64.EncodeToString(head) + "." + b64.EncodeToString(body)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + b64.EncodeToString(signature)
}
