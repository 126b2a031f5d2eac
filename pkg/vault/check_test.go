package vault

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func (d *datalab) checkOf() Check {
	return Check{Client: d.client(), Mount: "jwt", Role: "onyxia-user", KV: "onyxia-kv", Issuer: d.issuer.url(), Audience: "vault",
		UserClaim: "preferred_username", UserPrefix: "user-", Origin: onyxiaOrigin}
}

// Without a user of the issuer: what can be shown is, nothing is written, and each way in which it is broken is said.
func TestCheck(t *testing.T) {
	d := startDatalab(t)
	d.configure(t)
	_, size := d.writes(t, 0)
	var lines []string
	if err := d.checkOf().Run(t.Context(), func(l string) { lines = append(lines, l) }); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"the browser may ask from https://onyxia.demo.test", "and from no other origin", "did not sign is refused", "nothing is read without a token"} {
		if i >= len(lines) || !strings.Contains(lines[i], want) {
			t.Errorf("line %d of %q, want %q", i, lines, want)
		}
	}
	if writes, _ := d.writes(t, size); len(writes) != 1 || writes[0] != "update auth/jwt/login" {
		t.Errorf("wrote %v", writes)
	}
	for name, c := range map[string]struct {
		breakIt func(*Check)
		want    string
	}{
		"no CORS": {func(*Check) {
			d.write(t, "sys/config/cors", map[string]any{"allowed_origins": []string{"https://theirs.example.org"}})
		}, "preflight"},
		"no role": {func(c *Check) { c.Role = "none" }, "kubectl onyxia vault configure"},
		"no configuration": {func(*Check) {
			if err := d.root().Delete(t.Context(), "sys/auth/jwt"); err != nil {
				t.Fatal(err)
			}
		}, "there is no login at auth/jwt"},
		"a server that takes anything": {func(c *Check) { c.Client = &Client{Address: careless(t)} }, "took a token that " + d.issuer.url() + " did not sign"},
	} {
		check := d.checkOf()
		c.breakIt(&check)
		err := check.Run(t.Context(), nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		d.configure(t)
	}
	if err := d.checkOf().Run(t.Context(), nil); err != nil {
		t.Fatalf("mended: %v", err)
	}
	d.issuer.Stop()
	if err := d.checkOf().Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "does not reach the keys of "+d.issuer.url()) {
		t.Errorf("an issuer that is down: %v", err)
	}
}

// careless is a server that lets everybody in; no honest Vault can be made to.
func careless(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Access-Control-Allow-Methods", "POST, PUT")
		w.Header().Set("Access-Control-Allow-Headers", "content-type, x-vault-token")
		_, _ = w.Write([]byte(`{"auth": {"client_token": "hvs.anybody"}}`))
	}))
	t.Cleanup(server.Close)
	return server.URL
}
