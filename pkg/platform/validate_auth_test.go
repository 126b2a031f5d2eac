package platform

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What would let strangers in, or makes names that are none, is refused with the key's name.
func TestAuthIsChecked(t *testing.T) {
	oidc := Auth{Mode: "oidc", URL: "https://idp.example.org"}
	for name, c := range map[string]struct {
		config Config
		fail   string
	}{
		"defaults":                     {},
		"realm master":                 {Config{Auth: Auth{Realm: "master"}}, "auth.realm: realm master"},
		"realm Master":                 {Config{Auth: Auth{Realm: "Master"}}, "auth.realm: realm master"},
		"a space in the realm":         {Config{Auth: Auth{Realm: "my lab"}}, `auth.realm: "my lab"`},
		"a slash in the realm":         {Config{Auth: Auth{Realm: "a/b"}}, "auth.realm"},
		"dots for a realm":             {Config{Auth: Auth{Realm: ".."}}, "auth.realm"},
		"a realm":                      {Config{Auth: Auth{Realm: "Data_lab-2.0"}}, ""},
		"another claim, Keycloak":      {Config{Auth: Auth{UsernameClaim: "uid"}}, "auth.usernameClaim"},
		"another claim, a Keycloak":    {Config{Auth: Auth{Mode: "keycloak", URL: "https://sso.example.org", UsernameClaim: "email"}}, "auth.usernameClaim"},
		"another claim, another":       {Config{Auth: Auth{Mode: "oidc", URL: oidc.URL, UsernameClaim: "uid"}}, ""},
		"groups among the roles":       {Config{Auth: Auth{GroupsClaim: "roles"}}, "auth.groupsClaim"},
		"groups of another issuer":     {Config{Auth: Auth{Mode: "oidc", URL: oidc.URL, GroupsClaim: "roles"}}, ""},
		"groups called audience":       {Config{Auth: Auth{GroupsClaim: "audience"}}, ""},
		"a group with a space":         {Config{Auth: Auth{Groups: []string{"Stat Office"}}}, `auth.groups: group "Stat Office"`},
		"a long group":                 {Config{Auth: Auth{Groups: []string{strings.Repeat("a", 48)}}}, "at most 47"},
		"the longest group":            {Config{Auth: Auth{Groups: []string{strings.Repeat("a", 47)}}}, ""},
		"a long prefix counts":         {Config{Prefixes: Prefixes{Group: "a-prefix-for-groups-"}, Auth: Auth{Groups: []string{strings.Repeat("a", 47)}}}, "at most 34"},
		"a group below another":        {Config{Auth: Auth{Groups: []string{"Parent Office/stat"}}}, ""},
		"a dash in front":              {Config{Auth: Auth{Groups: []string{"-a"}}}, "no dash"},
		"an empty part":                {Config{Auth: Auth{Groups: []string{"a//b"}}}, "empty"},
		"a locale that is not offered": {Config{Auth: Auth{Locales: []string{"de"}, DefaultLocale: "en"}}, "auth.defaultLocale"},
		"a lifespan":                   {Config{Auth: Auth{Lifespans: Lifespans{AccessToken: "5 minutes"}}}, "auth.lifespans.accessToken"},
		"a lifespan that caps":         {Config{Auth: Auth{Session: "240h", Lifespans: Lifespans{RememberMe: "24h"}}}, "auth.lifespans.rememberMe"},
		"a lifespan that is capped":    {Config{Auth: Auth{Session: "1h", Lifespans: Lifespans{AccessToken: "24h"}}}, "auth.lifespans.accessToken"},
		"an attribute that is there":   {Config{Auth: Auth{Attributes: map[string]Attribute{"email": {}}}}, "auth.attributes"},
		"a Secret of no namespace":     {Config{Auth: Auth{Mode: "keycloak", URL: "https://sso.example.org", CredentialsSecret: "admin"}}, "auth.credentialsSecret"},
		"no administrator":             {Config{Auth: Auth{Mode: "keycloak", URL: "https://sso.example.org"}}, "auth.credentialsSecret: an existing Keycloak needs"},
		"a theme nobody vouches for":   {Config{Auth: Auth{Theme: Theme{URL: "https://example.org/t.jar"}}}, "auth.theme.sha256"},
		"a theme with its checksum":    {Config{Auth: Auth{Theme: Theme{URL: "https://example.org/t.jar", SHA256: strings.Repeat("ab", 32)}}}, ""},
		"Keycloak's own theme":         {Config{Auth: Auth{Theme: Theme{URL: "none"}}}, ""},
		"http":                         {Config{Auth: Auth{Mode: "keycloak", URL: "http://sso.example.org"}}, "auth.url: an https:// address is needed"},
		"http on this machine":         {Config{Auth: Auth{Mode: "keycloak", URL: "http://127.0.0.1:8080/auth", CredentialsSecret: "sso/admin"}}, ""},
		"http to S3":                   {Config{S3: S3{Mode: "external", URL: "http://s3.example.org"}}, "s3.url: an https://"},
		"http to Vault":                {Config{Vault: Vault{Mode: "external", URL: "http://bao.example.org"}}, "vault.url: an https://"},
		"another scheme":               {Config{Auth: Auth{Mode: "oidc", URL: "ftp://idp.example.org"}}, "auth.url"},
	} {
		t.Run(name, func(t *testing.T) {
			c.config.Domain = "example.org"
			_, err := Complete(c.config)
			if c.fail == "" && err != nil || c.fail != "" && (err == nil || !strings.Contains(err.Error(), c.fail)) {
				t.Errorf("got %v, want %q", err, c.fail)
			}
		})
	}
}

// What no key asks for is neither on nor off: somebody may have set it by hand.
func TestLeftAlone(t *testing.T) {
	complete := func(a Auth) Login {
		t.Helper()
		p, err := Complete(Config{Domain: "example.org", Auth: a})
		if err != nil {
			t.Fatal(err)
		}
		return p.Auth.Login
	}
	if l := complete(Auth{}); l.ForgottenPassword != nil || l.VerifyEmail != nil || l.AcceptTerms != nil || !*l.RememberMe || !*l.WithEmail || !*l.BruteForceProtection {
		t.Errorf("no keys: %+v", l)
	}
	no := false
	l := complete(Auth{SMTP: SMTP{Host: "mail.example.org", From: "lab@example.org"}, Terms: map[string]string{"en": "a"}, Login: Login{ForgottenPassword: &no, RememberMe: &no}})
	if *l.ForgottenPassword || *l.RememberMe || !*l.VerifyEmail || !*l.AcceptTerms {
		t.Errorf("some keys: %+v", l)
	}
}

func TestSameNames(t *testing.T) {
	got := SameNames([]string{"a/x", "/b/x", "x", "y", "a/x", "c/z"})
	if d := cmp.Diff([][]string{{"a/x", "b/x", "x"}}, got); d != "" {
		t.Error(d)
	}
}
