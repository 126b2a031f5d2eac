package vault

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

// A server that makes no root tokens from key shares, as Vault 2 does not: with the realm's service account the root token
// goes all the same, after it was said what that means; without, it stays.
func TestNoWayBack(t *testing.T) {
	for mode, c := range map[string]struct {
		action engine.Action
		says   string
	}{
		"install": {engine.Configure, "the realm's service account is the only way into this vault"},
		"oidc":    {engine.Unchanged, "because nothing else leads back into this vault"},
	} {
		closed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/lookup-self") {
				_, _ = w.Write([]byte(`{"data": {"policies": ["root"]}}`))
				return
			}
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"errors": ["permission denied"]}`))
		}))
		defer closed.Close()
		client := &vault.Client{Address: closed.URL}
		said := ""
		s := &site{
			env:     stage.Env{Platform: platform.Platform{Config: platform.Config{Auth: platform.Auth{Mode: mode}}}, Warn: func(line string) { said += line }},
			reached: []*vault.Client{client}, makesRoot: client, options: Options{Token: vault.NewSecret("hvs.root"), Agreed: true},
		}
		r := &rootToken{site: s}
		seen, err := r.Observe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Plan(seen); got.Action != c.action {
			t.Errorf("%s: %+v", mode, got)
		}
		if !strings.Contains(said, c.says) || !strings.Contains(said, "vault.generateRoot") || strings.Contains(said, "hvs.root") {
			t.Errorf("%s: said %q", mode, said)
		}
	}
}

// The key file of another Vault keeps its root token, which is good there.
func TestRootTokenOfAnotherVault(t *testing.T) {
	const document = "version: 1\nstate: complete\nkind: unseal\nshares: 1\nthreshold: 1\nform: plain\nkeys: [a-share]\nrootToken: hvs.root\naddress: "
	for address, want := range map[string]struct {
		action engine.Action
		says   string
	}{
		"https://vault.lab.demo.test":  {engine.Configure, ""},
		"https://vault.lab.demo.test/": {engine.Configure, ""},
		"https://vault.lab.other.test": {engine.Unchanged, "holds the keys of the vault at https://vault.lab.other.test, and this one is at https://vault.lab.demo.test"},
	} {
		open := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{}`)) }))
		defer open.Close()
		p, err := platform.Complete(platform.Config{Domain: "demo.test"})
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "keys.yaml")
		if err := os.WriteFile(file, []byte(document+address+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		said := ""
		client := &vault.Client{Address: open.URL}
		s := &site{env: stage.Env{Platform: p, Warn: func(line string) { said += line }}, reached: []*vault.Client{client}, makesRoot: client}
		s.keys = (&Keys{File: file}).at(s)
		r := &rootToken{site: s}
		seen, err := r.Observe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Plan(seen); got.Action != want.action {
			t.Errorf("%s: %+v", address, got)
		}
		if !strings.Contains(said, want.says) || want.says == "" && said != "" || strings.Contains(said, "hvs.root") {
			t.Errorf("%s: said %q", address, said)
		}
	}
}
