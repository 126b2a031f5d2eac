//go:build e2e

package e2e

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Killed by SIGKILL at several moments of its initialisation and of its configuration: no keys are lost, and the next run
// finishes. At least one moment has to hit each of the two. Every single request is tried in pkg/vault, against a Vault without a cluster.
func TestVaultKilled(t *testing.T) {
	b := bed(t)
	b.stand("tls", "auth")
	hits := map[string]int{"init": 0, "configure": 0}
	kill := func(b testbed, after time.Duration, verb, file string) {
		if b.killed(after, "vault", verb, "--keys-file", file) {
			hits[verb]++
		}
	}
	for _, after := range []time.Duration{300 * time.Millisecond, 800 * time.Millisecond, 1500 * time.Millisecond, 3 * time.Second} {
		t.Run("after "+after.String(), func(t *testing.T) {
			b := bed(t)
			b.onyxia("vault", "uninstall", "--yes", "--delete-data", "persistentvolumeclaim/data-vault-0")
			file := filepath.Join(t.TempDir(), "keys.yaml")
			b.onyxia("vault", "install")
			kill(b, after, "init", file)
			b.onyxia("vault", "init", "--keys-file", file).ok(t)
			b.onyxia("vault", "unseal", "--keys-file", file).ok(t)
			kill(b, after, "configure", file)
			b.onyxia("vault", "configure", "--keys-file", file).ok(t)
			if b.keys(file).RootToken != "" {
				t.Error("the root token is still in the key file")
			}
			b.onyxia("diff", "vault").ok(t)
		})
	}
	for verb, n := range hits {
		if n == 0 {
			t.Errorf("vault %s had ended each time before it was killed, so nothing was shown: take earlier moments", verb)
		}
	}
}

// In a browser, a page of Onyxia may ask Vault, and a page of anybody else may not.
func TestVaultCORSInBrowser(t *testing.T) {
	if b := bed(t); !b.beside() {
		b.stand("tls", "auth")
		if up := b.onyxia("up", "vault", "app"); up.code != 0 {
			b.onyxia("up", "vault", "app", "--keys-file", filepath.Join(t.TempDir(), "keys.yaml")).ok(t)
		}
	}
	inBrowser(t, func(ctx context.Context, t *testing.T) {
		const login = `fetch("` + vaultURL + `/v1/auth/jwt/login", {method: "POST", headers: {"Content-Type": "application/json", "X-Vault-Token": ""}, body: JSON.stringify({role: "onyxia-user", jwt: "none"})})
			.then(r => "answered " + r.status, e => "kept from it: " + e.name)`
		wait := func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
		for page, want := range map[string]string{
			"https://onyxia.demo.test/":                      "answered 400",
			"https://auth.lab.demo.test/auth/realms/datalab": "kept from it: TypeError",
		} {
			var got string
			if err := chromedp.Run(ctx, chromedp.Navigate(page), chromedp.Evaluate(login, &got, wait)); err != nil {
				t.Fatal(err)
			}
			if got != want {
				t.Errorf("from %s: %s, want %s", page, got, want)
			}
		}
	})
}
