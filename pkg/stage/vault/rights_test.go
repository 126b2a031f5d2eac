package vault

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

// What Vault answers to the service account, and what is made of it: only where it does not know the account it is said so,
// what may pass is waited for, and the rest is told as it is. The answers are those of vault 1.14.1.
func TestServiceAccountRefused(t *testing.T) {
	for name, c := range map[string]struct {
		status  int
		message string
		says    string
		passing bool
		fails   bool
	}{
		"no login":             {403, "permission denied", "does not know the realm's service account yet", false, false},
		"no configuration":     {400, "could not load configuration", "does not know", false, false},
		"no role":              {400, `role "onyxia-operator" could not be found`, "does not know", false, false},
		"another realm":        {400, "error validating token: error verifying token signature: failed to verify id token signature", "if the realm or its address changed", false, false},
		"another audience":     {400, "error validating claims: aud claim does not match any bound audience: invalid audience (aud) claim", "invalid audience", false, false},
		"the realm is down":    {400, "error validating token: error verifying token signature: fetching keys oidc: get keys failed", "it has to reach", true, false},
		"clocks that differ":   {400, "error validating token: invalid not before (nbf) claim: token not yet valid", "the clocks have to agree", true, false},
		"too many requests":    {429, "request path quota exceeded", "quota exceeded", true, false},
		"sealed":               {503, "Vault is sealed", "", false, true},
		"something else broke": {500, "internal error", "", false, true},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(`{"errors": ["` + strings.ReplaceAll(c.message, `"`, `\"`) + `"]}`))
		}))
		_, err := (&vault.Client{Address: server.URL}).Login(t.Context(), "jwt", operatorRole, vault.NewSecret("a.b.c"))
		server.Close()
		r := rights{site: &site{env: stage.Env{Platform: platform.Platform{}}}}
		seen, err := r.refused(err)
		if (err != nil) != c.fails || seen.passing != c.passing || !strings.Contains(seen.trouble, c.says) {
			t.Errorf("%s: %+v, %v", name, seen, err)
		}
		if known := strings.Contains(seen.trouble, "does not know"); known != strings.Contains(c.says, "does not know") {
			t.Errorf("%s: %s", name, seen.trouble)
		}
	}
	if _, err := (&rights{site: &site{}}).refused(errors.New("no way there")); err == nil {
		t.Error("an error that is no answer was taken for one")
	}
}

// A token that is no good is told by where it comes from.
func TestTokenNotAccepted(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"errors": ["permission denied"]}`))
	}))
	defer server.Close()
	for name, c := range map[string]struct {
		site *site
		says string
	}{
		"by hand":  {&site{options: Options{Token: vault.NewSecret("hvs.old")}}, "the token in VAULT_TOKEN (unset it to go on without) is not accepted"},
		"a Secret": {&site{}, "the token in secret onyxia/token, which vault.credentialsSecret names, is not accepted"},
		"dev mode": {&site{release: vault.Release{Dev: true}}, "the token that the server in dev mode left in its pod is not accepted"},
	} {
		c.site.env.Platform.Vault.CredentialsSecret = "onyxia/token"
		c.site.reached = []*vault.Client{{Address: server.URL}}
		seen, err := (&rights{site: c.site}).given(t.Context(), vault.NewSecret("hvs.old"))
		if err != nil || seen.open || !strings.Contains(seen.trouble, c.says) || strings.Contains(seen.trouble, "hvs.old") {
			t.Errorf("%s: %+v, %v", name, seen, err)
		}
		if strings.Contains(seen.trouble, "vault configure") {
			t.Errorf("%s: advises what was just typed: %s", name, seen.trouble)
		}
	}
}
