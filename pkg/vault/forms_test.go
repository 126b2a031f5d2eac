package vault

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
)

// Encrypted to age recipients: neither the pending nor the finished file shows a key; the recipient opens it, somebody
// else does not; the root token is taken out without any identity; and gpg opens it by hand.
func TestFormAge(t *testing.T) {
	t.Parallel()
	s := startVault(t, "")
	recipient, stranger := newIdentity(t), newIdentity(t)
	file := KeyFile{Path: filepath.Join(t.TempDir(), "keys.yaml")}
	in := initOf(s, file)
	in.Spool, in.Recipients = s.spool(t), []age.Recipient{recipient.Recipient()}
	if outcome, err := in.Run(t.Context()); err != nil || outcome != Initialised {
		t.Fatalf("init: %q, %v", outcome, err)
	}
	keys := parseFile(t, file)
	if keys.Form != FormAge || keys.Beside != "" {
		t.Fatalf("%v", keys)
	}
	if _, err := keys.Decrypt(); err == nil || !strings.Contains(err.Error(), "identity file") {
		t.Fatalf("opened without an identity: %v", err)
	}
	if _, err := keys.Decrypt(stranger); err == nil {
		t.Fatal("opened by a stranger")
	}
	opened, err := keys.Decrypt(recipient)
	if err != nil || len(opened.Shares) != 3 {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(file.Path); bytes.Contains(text, []byte(opened.Shares[0].Reveal())) || bytes.Contains(text, []byte(opened.RootToken.Reveal())) {
		t.Fatal("a key stands in the file")
	}
	openByHand(t, keys, recipient, opened.Shares[0].Reveal())
	if err := s.client().Unseal(t.Context(), SharesOf(opened), nil); err != nil {
		t.Fatal(err)
	}
	if err := forgetRootToken(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	opened, err = parseFile(t, file).Decrypt(recipient)
	if err != nil || !opened.RootToken.Empty() || len(opened.Shares) != 3 {
		t.Fatalf("after forgetting the root token: %v", err)
	}
}

// An initialisation that was begun for one recipient is not finished for another: the keys would be the first one's.
func TestBegunForAnotherRecipient(t *testing.T) {
	s := startVault(t, "")
	first, second := newIdentity(t), newIdentity(t)
	file := KeyFile{Path: filepath.Join(t.TempDir(), "keys.yaml")}
	in := initOf(s, file)
	in.Recipients = []age.Recipient{second.Recipient(), first.Recipient()}
	begin(t, in)
	other := in
	other.Recipients = []age.Recipient{second.Recipient()}
	if _, err := other.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "was begun for the recipients") || !strings.Contains(err.Error(), first.Recipient().String()) {
		t.Fatalf("for another: %v", err)
	}
	in.Recipients = []age.Recipient{first.Recipient(), second.Recipient()}
	if outcome, err := in.Run(t.Context()); err != nil || outcome != Initialised {
		t.Fatalf("for the same, in another order: %q, %v", outcome, err)
	}
	for _, identity := range []age.Identity{first, second} {
		if opened, err := parseFile(t, file).Decrypt(identity); err != nil || len(opened.Shares) != 3 {
			t.Errorf("%v", err)
		}
	}
}

func newIdentity(t *testing.T) *age.X25519Identity {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return identity
}

// openByHand does what the package's documentation says a person may do with ordinary programs.
func openByHand(t *testing.T, keys Keys, identity *age.X25519Identity, want string) {
	t.Helper()
	if _, err := exec.LookPath("gpg"); err != nil {
		t.Log("NOT RUN: no gpg on this machine")
		return
	}
	private, err := openAge(keys.PrivateKey, []age.Identity{identity})
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	t.Cleanup(func() { endAgent(t, home) })
	gpg := func(stdin []byte, args ...string) string {
		cmd := exec.Command("gpg", append([]string{"--homedir", home, "--batch", "--quiet"}, args...)...)
		var problem bytes.Buffer
		cmd.Stdin, cmd.Stderr = bytes.NewReader(stdin), &problem
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("gpg %v: %v: %s", args, err, problem.String())
		}
		return string(out)
	}
	gpg([]byte(private), "--import")
	message, err := base64.StdEncoding.DecodeString(keys.Keys[0])
	if err != nil {
		t.Fatal(err)
	}
	if got := gpg(message, "--decrypt"); got != want {
		t.Fatalf("gpg gives %d characters, not the key", len(got))
	}
}

// endAgent ends the agent that gpg started and waits until it has taken its socket away, the last that it does in its folder.
func endAgent(t *testing.T, home string) {
	t.Helper()
	_ = exec.Command("gpgconf", "--homedir", home, "--kill", "gpg-agent").Run()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Lstat(filepath.Join(home, "S.gpg-agent")); errors.Is(err, os.ErrNotExist) {
			return
		}
	}
	t.Error("gpg's agent does not end")
}

func parseFile(t *testing.T, file KeyFile) Keys {
	t.Helper()
	text, err := file.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// Each share sealed to one holder's own OpenPGP key, as Vault itself has it.
func TestFormPGP(t *testing.T) {
	t.Parallel()
	s := startVault(t, "")
	var holders []*openpgp.Entity
	var public [][]byte
	for i := range 3 {
		entity, err := openpgp.NewEntity(fmt.Sprintf("holder %d", i), "", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		w, err := armor.Encode(&b, openpgp.PublicKeyType, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(entity.Serialize(w), w.Close()); err != nil {
			t.Fatal(err)
		}
		holders, public = append(holders, entity), append(public, b.Bytes())
	}
	file := KeyFile{Path: filepath.Join(t.TempDir(), "keys.yaml")}
	in := initOf(s, file)
	in.Spool = s.spool(t)
	var err error
	if in.Holders, err = ParseHolders(public...); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	keys := parseFile(t, file)
	if _, err := keys.Decrypt(); err == nil || !strings.Contains(err.Error(), "gpg -d") {
		t.Fatalf("opened: %v", err)
	}
	// Each holder opens theirs and types it.
	asked := 0
	prompt := Prompt{Ask: func(context.Context, string) (string, error) {
		share, err := pgpPair{holders[asked]}.decrypt(keys.Keys[asked])
		asked++
		return share.Reveal() + "\n", err
	}}
	if err := s.client().Unseal(t.Context(), prompt, nil); err != nil || asked != 2 {
		t.Fatalf("%d holders asked, %v", asked, err)
	}
	root, err := pgpPair{holders[0]}.decrypt(keys.RootToken)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.client().waitActive(t.Context(), 50*time.Millisecond, nil); err != nil {
		t.Fatal(err)
	}
	if lives, err := s.client().WithToken(root).Lives(t.Context()); err != nil || !lives {
		t.Fatalf("root token of the first holder: %v, %v", lives, err)
	}
}

// A Vault with auto-unseal has recovery keys, which open nothing and make root tokens. The seal is another real Vault.
func TestRecoveryKeys(t *testing.T) {
	t.Parallel()
	seal := openVault(t)
	ctx := t.Context()
	if err := seal.root().Write(ctx, "sys/mounts/transit", map[string]any{"type": "transit"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := seal.root().Write(ctx, "transit/keys/autounseal", map[string]any{}, nil); err != nil {
		t.Fatal(err)
	}
	s := startVault(t, fmt.Sprintf("seal \"transit\" {\n address = %q\n key_name = \"autounseal\"\n mount_path = \"transit/\"\n}", seal.Address),
		"VAULT_TOKEN="+seal.opened.RootToken.Reveal())
	file := KeyFile{Path: filepath.Join(t.TempDir(), "keys.yaml")}
	in := initOf(s, file)
	in.Spool = s.spool(t)
	if outcome, err := in.Run(ctx); err != nil || outcome != Initialised {
		t.Fatalf("init: %q, %v", outcome, err)
	}
	if keys := parseFile(t, file); keys.Kind != KindRecovery || len(keys.Keys) != 3 {
		t.Fatalf("%v", keys)
	}
	if err := s.client().waitActive(ctx, 50*time.Millisecond, nil); err != nil {
		t.Fatal(err)
	}
	opened := readKeys(t, file)
	var lines []string
	if err := s.client().Unseal(ctx, SharesOf(opened), func(l string) { lines = append(lines, l) }); err != nil || len(lines) != 1 {
		t.Fatalf("unseal of what opens itself: %v, %v", lines, err)
	}
	if err := s.client().WithToken(opened.RootToken).RevokeSelf(ctx); err != nil {
		t.Fatal(err)
	}
	root, err := s.client().GenerateRoot(ctx, SharesOf(opened), nil)
	if err != nil {
		t.Fatalf("root token from recovery keys: %v", err)
	}
	if lives, err := s.client().WithToken(root).Lives(ctx); err != nil || !lives {
		t.Fatalf("%v, %v", lives, err)
	}
}

// Public keys are taken as age-keygen prints them; what is given by mistake is not repeated.
func TestRecipientsAndIdentities(t *testing.T) {
	pair, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParseRecipients(pair.Recipient().String()); err != nil || len(got) != 1 {
		t.Errorf("a public key: %v, %v", got, err)
	}
	for _, wrong := range []string{"", "age1", "alice@example.org", pair.String()} {
		if _, err := ParseRecipients(wrong); err == nil || strings.Contains(err.Error(), "AGE-SECRET") {
			t.Errorf("%.12s: %v", wrong, err)
		}
	}
	file := filepath.Join(t.TempDir(), "identity")
	for text, ok := range map[string]bool{"# created: today\n" + pair.String() + "\n": true, pair.String()[:30]: false, "": false} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadIdentities(file)
		if ok != (err == nil && len(got) == 1) || err != nil && strings.Contains(err.Error(), "AGE-SECRET-KEY-1") {
			t.Errorf("%.20q: %d, %v", text, len(got), err)
		}
	}
	if _, err := ReadIdentities(file + ".none"); err == nil {
		t.Error("a file that is not there was read")
	}
}
