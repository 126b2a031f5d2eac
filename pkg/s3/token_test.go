package s3

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestReadToken(t *testing.T) {
	i := newIssuer(t)
	token, err := ReadToken(i.token(t, "alice", []string{"a", "b"}, claims{"exp": 1800000000, "number": 1}))
	if err != nil {
		t.Fatal(err)
	}
	if token.Issuer != i.server.URL || token.Subject != "id-of-alice" || token.Party != "onyxia-minio" || !slices.Equal(token.Audience, []string{"minio", "account"}) {
		t.Errorf("read %+v", token)
	}
	if !token.Expires.Equal(time.Unix(1800000000, 0)) || !slices.Equal(token.Policy, []string{"stsonly"}) {
		t.Errorf("read %+v", token)
	}
	for _, tc := range []struct{ claim any }{{"stsonly,projet-a"}, {[]string{"stsonly", "projet-a"}}, {[]string{" stsonly ,projet-a", ""}}} {
		token, err := ReadToken(i.token(t, "alice", nil, claims{"policy": tc.claim}))
		if err != nil || !slices.Equal(token.Policy, []string{"stsonly", "projet-a"}) {
			t.Errorf("policy %v reads as %q, %v", tc.claim, token.Policy, err)
		}
	}
	if name, ok := token.Text("preferred_username"); !ok || name != "alice" {
		t.Errorf("username %q %v", name, ok)
	}
	for _, claim := range []string{"missing", "number", "groups"} {
		if v, ok := token.Text(claim); ok {
			t.Errorf("claim %s is a text: %q", claim, v)
		}
	}
	if token, err := ReadToken(i.token(t, "alice", nil, claims{"aud": "one", "exp": nil, "policy": nil})); err != nil || !slices.Equal(token.Audience, []string{"one"}) || !token.Expires.IsZero() || token.Policy != nil {
		t.Errorf("read %+v, %v", token, err)
	}
}

func TestReadTokenOfWhatIsNone(t *testing.T) {
	for _, text := range []string{"", "secret-thing", "a.b", "a.b.c", "a.!secret!.c", "e30.W10.x", "a.b.c.d"} {
		_, err := ReadToken(text)
		if err == nil || !strings.Contains(err.Error(), "the token is no JWT") || strings.Contains(err.Error(), "secret") {
			t.Errorf("ReadToken(%q) = %v", text, err)
		}
	}
}
