package acme

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-acme/lego/v4/acme"
)

// The documents are those of Boulder and RFC 8555 section 6.7.
func TestExplain(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		kind string
		want string
	}{
		"rate limit": {
			&acme.RateLimitedError{ProblemDetails: &acme.ProblemDetails{
				Type: problemSpace + "rateLimited", HTTPStatus: 429,
				Detail: "too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after 2026-11-25 10:00:00 UTC.",
			}, RetryAfter: "3600"},
			"rateLimited",
			"retry after 2026-11-25 10:00:00 UTC (rateLimited); it says to come back after 3600 seconds; try with tls.acme.server letsencrypt-staging",
		},
		"CAA": {
			&acme.ProblemDetails{Type: problemSpace + "caa", Detail: "CAA record for onyxia.example.org prevents issuance"},
			"caa", "CAA record for onyxia.example.org prevents issuance (caa); a CAA record of the domain names other authorities",
		},
		"parts": {
			&acme.ProblemDetails{Type: problemSpace + "compound", Detail: "Errors", SubProblems: []acme.SubProblem{
				{Detail: "no A record", Identifier: acme.Identifier{Value: "a.example.org"}},
				{Detail: "no NS record", Identifier: acme.Identifier{Value: "b.example.org"}},
			}},
			"compound", "Errors (compound); a.example.org: no A record; b.example.org: no NS record",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := explain(fmt.Errorf("post: %w", tc.err))
			if !strings.Contains(got.Error(), tc.want) {
				t.Errorf("%q, want %q", got, tc.want)
			}
			if !isProblem(got, tc.kind) || isProblem(got, "other") {
				t.Errorf("kind of %#v", got)
			}
		})
	}
	if plain := errors.New("EOF"); explain(plain) != plain {
		t.Error("an error that is no problem document was changed")
	}
}

func TestDirectoryURL(t *testing.T) {
	for server, want := range map[string]string{
		"":                        "https://acme-v02.api.letsencrypt.org/directory",
		"letsencrypt":             "https://acme-v02.api.letsencrypt.org/directory",
		"letsencrypt-staging":     "https://acme-staging-v02.api.letsencrypt.org/directory",
		"https://ca.example/acme": "https://ca.example/acme",
	} {
		if got := DirectoryURL(server); got != want {
			t.Errorf("%q is %s, want %s", server, got, want)
		}
	}
}
