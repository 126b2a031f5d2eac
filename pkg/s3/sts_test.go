package s3

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/testbed"
)

// Every way in which a real MinIO refuses a token, with cause and fix, and without the token.
func TestSTSRefusalsOfMinIO(t *testing.T) {
	t.Parallel()
	i, stranger := newIssuer(t), newIssuer(t)
	server := startMinIO(t, i)
	server.put(t, guide())
	past, future := time.Now().Add(-90*time.Second), time.Now().Add(2*time.Minute)
	for _, tc := range []struct {
		name, token string
		want        []string
	}{
		{"policy claim missing", i.token(t, "alice", nil, claims{"policy": nil}),
			[]string{"policy claim missing", "client onyxia-minio carries no claim \"policy\"", "s3 configure makes it"}},
		{"policy not defined", i.token(t, "alice", nil, claims{"policy": "other"}),
			[]string{"(`other`)", "names the policy other, and MinIO has none", "s3 configure writes it"}},
		{"expired", i.token(t, "alice", nil, claims{"exp": past.Unix()}),
			[]string{"expired", "good until " + stamp(past), "server's clock says", "this machine's", "get a new token"}},
		{"issuer's clock two minutes ahead, nbf", i.token(t, "alice", nil, claims{"iat": future.Unix(), "nbf": future.Unix()}),
			[]string{"not valid yet", "issued at " + stamp(future), "set the clocks"}},
		{"wrong audience", i.token(t, "alice", nil, claims{"aud": []string{"account"}, "azp": "onyxia"}),
			[]string{"`azp` must match", "is for [account]", "client \"onyxia\"", "audience mapper"}},
		{"no audience", i.token(t, "alice", nil, claims{"aud": nil, "azp": nil}),
			[]string{"`aud` must match", "is for []", "audience mapper"}},
		{"no subject", i.token(t, "alice", nil, claims{"sub": nil}),
			[]string{"`sub` claim missing", "client scope \"basic\""}},
		{"another issuer", stranger.token(t, "alice", nil, nil),
			[]string{"verification error", "names " + stranger.server.URL, "discovery URL"}},
		{"no token", "garbage", []string{"has not three parts", "access token"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			credentials, err := server.client().AssumeRoleWithWebIdentity(t.Context(), WebIdentity{Token: tc.token})
			if err == nil {
				t.Fatalf("got %v", credentials)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("want %q in %q", want, err)
				}
			}
			if strings.Contains(err.Error(), tc.token) && tc.token != "garbage" {
				t.Errorf("the token is in %q", err)
			}
		})
	}
	t.Run("issuer not reachable", func(t *testing.T) {
		i.server.Close()
		// The key of the other issuer makes MinIO fetch the keys anew.
		_, err := server.client().AssumeRoleWithWebIdentity(t.Context(), WebIdentity{Token: stranger.token(t, "alice", nil, claims{"iss": i.server.URL})})
		if err == nil || !strings.Contains(err.Error(), "does not reach the issuer "+i.server.URL) {
			t.Errorf("error %v", err)
		}
	})
}

// A MinIO that was told of no issuer, or of one for a role only: its own words say nothing of that. A check has the same ones.
func TestSTSWithoutProvider(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	role := []string{
		"MINIO_IDENTITY_OPENID_CONFIG_URL_ROLE=" + i.server.URL + "/.well-known/openid-configuration", "MINIO_IDENTITY_OPENID_CLIENT_ID_ROLE=minio",
		"MINIO_IDENTITY_OPENID_CLIENT_SECRET_ROLE=not-a-secret-of-any-client", "MINIO_IDENTITY_OPENID_ROLE_POLICY_ROLE=readonly",
	}
	for name, env := range map[string][]string{"no issuer": nil, "one for a role": role} {
		server := launch(t, t.TempDir(), testbed.Port(t), env...)
		server.await(t)
		_, exchange := server.client().AssumeRoleWithWebIdentity(t.Context(), WebIdentity{Token: i.token(t, "alice", nil, nil)})
		check := Check{S3: server.client(), Tenancy: guide(), Issuer: i.server.URL, Audience: "minio"}.Run(t.Context(), func(string) {})
		for what, err := range map[string]error{"exchange": exchange, "check": check} {
			if err == nil || !strings.Contains(err.Error(), "this MinIO trusts no issuer by a claim; `kubectl onyxia s3 configure` prints the command") {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
	}
}

func TestSTSCredentials(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	server := startMinIO(t, i)
	server.put(t, guide())
	for _, duration := range []time.Duration{15 * time.Minute, 24 * time.Hour, 7 * 24 * time.Hour} {
		c, err := server.client().AssumeRoleWithWebIdentity(t.Context(), WebIdentity{Token: i.token(t, "alice", nil, nil), Duration: duration, RoleARN: "arn:aws:iam::1:role/ignored", SessionName: "x"})
		if err != nil {
			t.Fatal(err)
		}
		if left := time.Until(c.Expires); left > duration || left < duration-time.Minute {
			t.Errorf("asked for %s, got %s", duration, left)
		}
	}
	_, err := server.client().AssumeRoleWithWebIdentity(t.Context(), WebIdentity{Token: i.token(t, "alice", nil, nil), Duration: time.Minute})
	if err == nil {
		t.Error("a minute was granted; MinIO's least is 15")
	}
	// Without a duration the credentials live as long as the token.
	c, err := server.client().AssumeRoleWithWebIdentity(t.Context(), WebIdentity{Token: i.token(t, "alice", nil, nil)})
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(c.Expires); left > time.Hour || left < 59*time.Minute {
		t.Errorf("an hour's token gave credentials for %s", left)
	}
}

// The answers of AWS, whose STS cannot be had here: its error document (API reference, "Common errors" and
// AssumeRoleWithWebIdentity) in a server that says nothing else.
func TestSTSRefusalsOfAWS(t *testing.T) {
	token := newIssuer(t).token(t, "alice", nil, nil)
	for code, want := range map[string]string{
		"ExpiredTokenException": "good until",
		"InvalidIdentityToken":  "is for [minio account]",
		"IDPCommunicationError": "does not reach the issuer",
		"AccessDenied":          "trust policy does not take",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>` + code + `</Code><Message>Incorrect token audience</Message></Error></ErrorResponse>`))
		}))
		if code != "InvalidIdentityToken" {
			server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusForbidden)
				_, _ = w.Write([]byte(`<ErrorResponse><Error><Code>` + code + `</Code><Message>no</Message></Error></ErrorResponse>`))
			})
		}
		_, err := (&Client{Endpoint: server.URL}).AssumeRoleWithWebIdentity(t.Context(), WebIdentity{Token: token, RoleARN: "arn:aws:iam::1:role/x", SessionName: "alice"})
		server.Close()
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), code) {
			t.Errorf("%s: %v, want %q", code, err, want)
		}
	}
}

func TestSTSAtTheWrongPort(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>console</html>")) }))
	defer server.Close()
	_, err := (&Client{Endpoint: server.URL}).AssumeRoleWithWebIdentity(t.Context(), WebIdentity{Token: newIssuer(t).token(t, "alice", nil, nil)})
	if err == nil || !strings.Contains(err.Error(), "not an STS server") {
		t.Errorf("error %v", err)
	}
}

// What a server says that cannot be brought about here: Go's words for a certificate (crypto/x509), which MinIO passes on.
func TestSTSWordsForTheRest(t *testing.T) {
	token := newIssuer(t).token(t, "alice", nil, nil)
	for message, want := range map[string]string{
		`Get "https://auth.example.org/certs": tls: failed to verify certificate: x509: certificate signed by unknown authority`: "put the authority into trust.caBundle",
		`Get "https://auth.example.org/certs": dial tcp: lookup auth.example.org: no such host`:                                  "does its name resolve",
		"Token used before issued": "set the clocks",
	} {
		err := explainSTS(&Error{Operation: "x", Status: http.StatusBadRequest, Code: "InvalidParameterValue", Message: message}, WebIdentity{Token: token})
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", message, err, want)
		}
	}
	other := &Error{Operation: "x", Status: http.StatusBadRequest, Code: "InvalidParameterValue", Message: "something new"}
	if err := explainSTS(other, WebIdentity{Token: token}); err.Error() != "x: 400 InvalidParameterValue: something new" {
		t.Errorf("words for what we do not know: %v", err)
	}
}
