package s3

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A MinIO that was given no client secret takes tokens that anybody signs, and no proof passes over that.
func TestMinIOWithoutClientSecret(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	tenancy := guide(ProofGroup)
	for name, tc := range map[string]struct {
		env  string
		want string
	}{
		"with one": {"MINIO_IDENTITY_OPENID_CLIENT_SECRET=not-a-secret-of-any-client", ""},
		"without":  {"MINIO_IDENTITY_OPENID_CLIENT_SECRET=", "this MinIO has no client secret, so it takes tokens that anybody signs"},
	} {
		t.Run(name, func(t *testing.T) {
			server := startMinIO(t, i, tc.env)
			// The attack has to be refused, or seen, whatever policies there are by now.
			for _, policies := range []string{"no policy yet", "policies"} {
				if policies == "policies" {
					server.put(t, tenancy)
				}
				check := Check{S3: server.client(), Tenancy: tenancy, Issuer: i.server.URL, Audience: "minio"}
				checkRefusal(t, "check, "+policies, check.Run(t.Context(), func(string) {}), tc.want)
			}
			user := userProof(i, i.token(t, "alice", nil, nil))
			user.S3, user.Administrator = &Client{Endpoint: server.Endpoint, HTTP: server.http}, server.client()
			checkRefusal(t, "proof of a user", user.Run(t.Context(), func(string) {}), tc.want)
			checkRefusal(t, "proof", proofOf(t, i, server, tenancy, nil, nil).Run(t.Context(), func(string) {}), tc.want)
			// Its own client may be another of those that tokens are for.
			other := proofOf(t, i, server, tenancy, claims{"aud": []string{"account", "minio"}}, nil)
			checkRefusal(t, "another order", other.Run(t.Context(), func(string) {}), tc.want)
		})
	}
}

func checkRefusal(t *testing.T, name string, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("%s: %v, want %q", name, err, want)
	}
}

// A server that cannot answer has refused nothing.
func TestNoAnswerIsNoRefusal(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	defer server.Close()
	err := hasSecret(t.Context(), &Client{Endpoint: server.URL}, guide(), "https://sso.example.org", []string{"minio"}, func(string) {})
	checkRefusal(t, "a proxy without a server", err, "a token that anybody could sign: ")
	if err != nil && strings.Contains(err.Error(), "no client secret") {
		t.Error(err)
	}
}
