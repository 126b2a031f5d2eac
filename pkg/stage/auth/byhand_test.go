package auth

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// An issuer of somebody else's has to be told of each client with its audience and its claims; a Keycloak is told by us.
func TestByHand(t *testing.T) {
	for name, c := range map[string]struct {
		config platform.Config
		want   [][]string // words of each line
	}{
		"Keycloak": {},
		"everything": {
			platform.Config{Auth: platform.Auth{Mode: "oidc", URL: "https://idp.a.org", ClientID: "lab", UsernameClaim: "uid", GroupsClaim: "teams"}},
			[][]string{{"client lab:", "https://onyxia.demo.test/*", "S256", " uid ", "at most 49", " teams "}, {"client onyxia-minio:", " minio among the audiences", "stsonly", "projet-GROUP", "MANDATORY, uid as one text that is never given to a second person and is not its user's to change: from a token without it MinIO lets its user choose the name"}, {"client vault:", "vault among", "uid and teams"}},
		},
		"AWS, no Vault": {
			platform.Config{Auth: platform.Auth{Mode: "oidc", URL: "https://idp.a.org"}, S3: platform.S3{Mode: "external", Kind: "aws", URL: "https://s3.eu-west-3.amazonaws.com", RoleARN: "arn:aws:iam::123456789012:role/onyxia", SessionDuration: "12h"}, Vault: platform.Vault{Mode: "none"}},
			[][]string{{"client onyxia:"}, {"client onyxia-minio:", "onyxia-minio among the audiences"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.config.Domain = "demo.test"
			p, err := platform.Complete(c.config)
			if err != nil {
				t.Fatal(err)
			}
			got := ByHand(p)
			if len(got) != len(c.want) {
				t.Fatalf("%q", got)
			}
			for i, words := range c.want {
				for _, word := range words {
					if !strings.Contains(got[i], word) {
						t.Errorf("%q lacks %q", got[i], word)
					}
				}
			}
		})
	}
}

// What an issuer says of its claims is held against the configured ones; one that says nothing is believed.
func TestMissingClaims(t *testing.T) {
	p, err := platform.Complete(platform.Config{Domain: "demo.test", Auth: platform.Auth{Mode: "oidc", URL: "https://idp.a.org"}})
	if err != nil {
		t.Fatal(err)
	}
	for supported, want := range map[string]int{"": 0, "sub preferred_username groups": 0, "sub preferred_username": 1, "sub": 2} {
		if got := missingClaims(p, strings.Fields(supported)); len(got) != want {
			t.Errorf("%s: %q", supported, got)
		}
	}
	p.Auth.Mode = "install"
	if d := cmp.Diff([]string(nil), missingClaims(p, []string{"sub"})); d != "" {
		t.Error(d)
	}
}
