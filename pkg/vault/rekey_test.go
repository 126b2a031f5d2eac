package vault

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/testbed"
)

// Key shares that have leaked are changed by Vault's own program, as docs/vault.md says, and the new ones put into the key file
// in place of the old: it opens Vault as before, and the old shares do not.
func TestChangedKeys(t *testing.T) {
	s := startVault(t, "")
	r := opened(t, s)
	ctx := t.Context()
	operator := func(stdin string, flags ...string) (answer struct {
		Nonce       string   `json:"nonce"`
		VerifyNonce string   `json:"verification_nonce"`
		Keys        []string `json:"keys_base64"`
	}) {
		t.Helper()
		out, err := s.exec()(ctx, append([]string{testbed.Program(t, "vault"), "operator", "rekey", "-format=json"}, flags...), []byte(stdin))
		// At its end it says a sentence.
		if at := bytes.IndexByte(out, '{'); err == nil && at >= 0 {
			err = json.Unmarshal(out[at:], &answer)
		}
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	begun := operator("", "-init", "-verify", "-key-shares=3", "-key-threshold=2")
	operator(r.opened.Shares[0].Reveal(), "-nonce="+begun.Nonce, "-")
	changed := operator(r.opened.Shares[1].Reveal(), "-nonce="+begun.Nonce, "-")
	if len(changed.Keys) != 3 {
		t.Fatalf("%d new shares", len(changed.Keys))
	}
	operator(changed.Keys[0], "-verify", "-nonce="+changed.VerifyNonce, "-")
	operator(changed.Keys[1], "-verify", "-nonce="+changed.VerifyNonce, "-")

	text, err := os.ReadFile(r.keys.Path)
	if err != nil {
		t.Fatal(err)
	}
	for i, share := range r.opened.Shares {
		text = []byte(strings.Replace(string(text), share.Reveal(), changed.Keys[i], 1))
	}
	anew := KeyFile{Path: filepath.Join(t.TempDir(), "keys.yaml")}
	if err := os.WriteFile(anew.Path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	s.Run(t)
	if err := s.client().Unseal(ctx, SharesOf(r.opened), nil); err == nil {
		t.Error("the old shares still open it")
	}
	r.opened = readKeys(t, anew)
	r.unseal(t)
	if err := r.root().Read(ctx, "sys/mounts", nil); err != nil {
		t.Error(err)
	}
}
