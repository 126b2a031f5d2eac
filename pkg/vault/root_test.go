package vault

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The way of the rights: the root token of the file, a session of 15 minutes that outlives it, the root token revoked,
// and a new one from the shares when it is needed again.
func TestSessionAndRoot(t *testing.T) {
	r := openVault(t)
	ctx := t.Context()
	setup := Setup{AuthPath: "jwt", KV: "onyxia-kv", PolicyName: "onyxia", RoleName: "onyxia-user", UserPrefix: "user-"}
	session, err := r.client().OpenSession(ctx, r.opened.RootToken, OperatorPolicy, setup.OperatorPolicyText())
	if err != nil {
		t.Fatal(err)
	}
	for who, c := range map[*Client]bool{r.root(): true, session.Client: false, r.client().WithToken(NewSecret("hvs.none")): false} {
		if root, err := who.IsRoot(ctx); err != nil || root != c {
			t.Errorf("a root token: %v, want %v, %v", root, c, err)
		}
	}
	var self struct {
		Data struct {
			TTL      int      `json:"explicit_max_ttl"`
			Policies []string `json:"policies"`
			Orphan   bool     `json:"orphan"`
		} `json:"data"`
	}
	if err := session.Client.Read(ctx, "auth/token/lookup-self", &self); err != nil || self.Data.TTL != 900 || !self.Data.Orphan {
		t.Fatalf("%+v, %v", self, err)
	}
	if err := r.root().RevokeSelf(ctx); err != nil {
		t.Fatal(err)
	}
	if err := forgetRootToken(ctx, r.keys); err != nil {
		t.Fatal(err)
	}
	if err := session.Client.Read(ctx, "sys/mounts", nil); err != nil {
		t.Fatalf("the session ended with the root token: %v", err)
	}
	for _, path := range []string{"sys/raw/core", "onyxia-kv/data/user-alice/x", "sys/storage/raft/snapshot", "auth/token/accessors"} {
		if err := session.Client.Read(ctx, path, nil); !errors.Is(err, ErrPermissionDenied) {
			t.Errorf("the session reads %s: %v", path, err)
		}
	}
	if err := session.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if lives, err := session.Client.Lives(ctx); err != nil || lives {
		t.Fatalf("the session's token after its end: %v, %v", lives, err)
	}
	if err := session.Close(ctx); err != nil {
		t.Fatalf("ending it twice: %v", err)
	}

	opened := readKeys(t, r.keys)
	if !opened.RootToken.Empty() {
		t.Fatal("the root token is still in the file")
	}
	// An attempt that a killed run left, with one share given.
	var left rootAttempt
	if err := r.client().Write(ctx, "sys/generate-root/attempt", map[string]string{}, &left); err != nil {
		t.Fatal(err)
	}
	if err := r.client().Write(ctx, "sys/generate-root/update", map[string]string{"key": opened.Shares[2].Reveal(), "nonce": left.Nonce}, nil); err != nil {
		t.Fatal(err)
	}
	var lines []string
	again, err := r.client().GenerateRoot(ctx, SharesOf(opened), func(l string) { lines = append(lines, l) })
	if err != nil {
		t.Fatal(err)
	}
	if lives, err := r.client().WithToken(again).Lives(ctx); err != nil || !lives {
		t.Fatalf("the new root token: %v, %v", lives, err)
	}
	if got := strings.Join(lines, "; "); !strings.HasPrefix(got, "an attempt at a root token with 1 share(s) given is cancelled") || strings.Contains(got, again.Reveal()) {
		t.Fatalf("reported %q", got)
	}
	if err := r.client().WithToken(again).RevokeSelf(ctx); err != nil {
		t.Fatal(err)
	}
	foreign := DecryptedKeys{Shares: []Secret{NewSecret(strings.Repeat("ab", 32) + "01"), NewSecret(strings.Repeat("cd", 32) + "02")}}
	if _, err := r.client().GenerateRoot(ctx, SharesOf(foreign), nil); !errors.Is(err, ErrShares) {
		t.Fatalf("foreign shares: %v", err)
	}
	if err := r.client().MakesRoot(ctx); err != nil {
		t.Fatalf("an open server: %v", err)
	}
	var attempt rootAttempt
	if err := r.client().Read(ctx, "sys/generate-root/attempt", &attempt); err != nil || attempt.Started {
		t.Fatalf("an attempt is left open: %+v, %v", attempt, err)
	}
}

// Servers that keep the endpoints closed (Vault 2, OpenBao from 2.5.3) were not to be had: their statuses are from their
// documentation and bug reports.
func TestGenerateRootClosed(t *testing.T) {
	for _, status := range []int{http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed} {
		closed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"errors":["unsupported operation"]}`))
		}))
		client := &Client{Address: closed.URL}
		_, err := client.GenerateRoot(t.Context(), SharesOf(DecryptedKeys{}), nil)
		for what, err := range map[string]error{"making one": err, "asking whether one could": client.MakesRoot(t.Context())} {
			if !errors.Is(err, ErrGenerateRootClosed) || !strings.Contains(err.Error(), "vault.generateRoot") {
				t.Errorf("%d, %s: %v", status, what, err)
			}
		}
		closed.Close()
	}
}

func TestDecodeRoot(t *testing.T) {
	// vault operator generate-root -decode of vault 1.14.1 undoes the same.
	got, err := decodeRoot("AwAA", "kkk")
	if err != nil || got.Reveal() != "hkk" {
		t.Fatalf("%q, %v", got.Reveal(), err)
	}
	for _, bad := range []string{"", "?", "AwAAAA"} {
		if _, err := decodeRoot(bad, "kkk"); err == nil {
			t.Errorf("%q was decoded", bad)
		}
	}
}
