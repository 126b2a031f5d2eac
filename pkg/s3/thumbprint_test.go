package s3

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
)

func TestThumbprints(t *testing.T) {
	mux := http.NewServeMux()
	server := httptest.NewTLSServer(mux)
	defer server.Close()
	keys := []any{
		map[string]any{"use": "enc", "x5c": []string{base64.StdEncoding.EncodeToString([]byte("for encryption"))}},
		map[string]any{"use": "sig", "x5c": []string{base64.StdEncoding.EncodeToString([]byte("one")), "the authority's"}},
		map[string]any{"use": "sig", "x5c": []string{base64.StdEncoding.EncodeToString([]byte("two"))}},
		map[string]any{"use": "sig"},
	}
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"jwks_uri": server.URL + "/keys"})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) { answer(w, map[string]any{"keys": keys}) })
	sum := func(text string) string {
		raw := sha1.Sum([]byte(text))
		return hex.EncodeToString(raw[:])
	}
	got, err := KeyThumbprints(t.Context(), server.Client(), server.URL+"/")
	if err != nil || strings.Join(got, " ") != sum("one")+" "+sum("two") {
		t.Errorf("keys: %v, %v", got, err)
	}
	got, err = CertificateThumbprint(t.Context(), server.Client(), server.URL)
	if err != nil || strings.Join(got, " ") != sum(string(server.Certificate().Raw)) {
		t.Errorf("certificate: %v, %v", got, err)
	}
	if openssl, err := exec.LookPath("openssl"); err == nil {
		out, err := exec.Command("sh", "-c", certificateThumbprintCommand(server.URL)).Output()
		if err != nil || strings.TrimSpace(string(out)) != sum(string(server.Certificate().Raw)) {
			t.Errorf("by %s: %q, %v", openssl, out, err)
		}
	}
	keys = keys[:1]
	if _, err := KeyThumbprints(t.Context(), server.Client(), server.URL); err == nil || !strings.Contains(err.Error(), "without certificates (x5c)") {
		t.Errorf("no certificates: %v", err)
	}
	server.Close()
	if _, err := CertificateThumbprint(t.Context(), server.Client(), server.URL); err == nil {
		t.Error("nobody answers, and there is a thumbprint")
	}
}

// A redirect would carry the token to another host, so it is not followed, and said.
func TestRedirectsAreNotFollowed(t *testing.T) {
	asked := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer other.Close()
	code := http.StatusTemporaryRedirect
	body := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", other.URL+"/?x=secret")
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}))
	defer server.Close()
	token := newIssuer(t).token(t, "alice", nil, nil)
	_, err := (&Client{Endpoint: server.URL}).AssumeRoleWithWebIdentity(t.Context(), WebIdentity{Token: token})
	if err == nil || !strings.Contains(err.Error(), "sends requests on to "+other.URL+", and a token is not sent there; set s3.url") || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
	code, body = http.StatusMovedPermanently, "<Error><Code>PermanentRedirect</Code><Message>The bucket is elsewhere</Message></Error>"
	_, err = (&Client{Endpoint: server.URL, HTTP: http.DefaultClient}).HasBucket(t.Context(), "user-alice")
	if err == nil || !strings.Contains(err.Error(), "compare s3.region and s3.url") {
		t.Errorf("%v", err)
	}
	if asked {
		t.Error("the redirect was followed")
	}
}
