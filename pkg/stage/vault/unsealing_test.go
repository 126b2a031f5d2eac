package vault

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

// A new Vault in a pod is initialised through an exec and opened through a port-forward; the second run finds nothing to
// do; without keys a run ends at once and says what a person has to do.
func TestUnsealing(t *testing.T) {
	l := newLab(t, nil)
	l.runServer(t)
	file := filepath.Join(t.TempDir(), "keys.yaml")

	ends := func(command string, o Options) {
		t.Helper()
		_, waited, err := applied(t, l.unsealing(t, o))
		if err == nil || !strings.Contains(err.Error(), command) || errors.Is(err, engine.ErrTimeout) || len(waited) > 0 {
			t.Fatalf("%v, waited for %v", err, waited)
		}
	}
	ends("kubectl onyxia vault init --keys-file", Options{})
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("a run without a destination made a file: %v", err)
	}

	done, err := apply(t, l.unsealing(t, Options{Keys: making(Keys{File: file}), Say: l.say}))
	if err != nil || done[KeysID] != engine.Create || len(done) != 2 {
		t.Fatalf("%v, %v", done, err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	if !strings.Contains(l.transcript(), "vault-0: 1 of 2 key shares given") {
		t.Errorf("said: %s", l.transcript())
	}
	for _, o := range []Options{{}, {Keys: making(Keys{File: file})}} {
		if done, err := apply(t, l.unsealing(t, o)); err != nil || len(done) != 0 {
			t.Fatalf("again: %v, %v", done, err)
		}
	}
	// Another file's keys are not these.
	_, err = apply(t, l.unsealing(t, Options{Keys: making(Keys{File: file + ".other", Required: true})}))
	var before *vault.AlreadyInitialisedError
	if err == nil || !errors.As(err, &before) {
		t.Fatalf("initialised again: %v", err)
	}

	l.server.Kill()
	l.server.Run(t)
	ends("kubectl onyxia vault unseal", Options{})
	if done, err := apply(t, l.unsealing(t, Options{Keys: &Keys{File: file}})); err != nil || done["seal.vault/vault-0"] != engine.Configure {
		t.Fatalf("opened by the file: %v, %v", done, err)
	}

	l.server.Kill()
	l.server.Run(t)
	typed := func(context.Context) (vault.Shares, error) {
		lines := openedFile(t, file).Shares
		return vault.Prompt{Ask: func(context.Context, string) (string, error) {
			if len(lines) == 0 {
				return "", io.EOF
			}
			line := lines[0].Reveal()
			lines = lines[1:]
			return line, nil
		}}, nil
	}
	if done, err := apply(t, l.unsealing(t, Options{Shares: typed})); err != nil || done["seal.vault/vault-0"] != engine.Configure {
		t.Fatalf("opened by a person: %v, %v", done, err)
	}
}

func openedFile(t *testing.T, file string) vault.DecryptedKeys {
	t.Helper()
	text, err := vault.KeyFile{Path: file}.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := vault.ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := keys.Decrypt()
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

// Keys that were put into the cluster by name open Vault in every later run; nothing of them is on this machine.
func TestKeptInCluster(t *testing.T) {
	l := newLab(t, nil)
	l.runServer(t)
	if done, err := apply(t, l.unsealing(t, Options{Keys: making(Keys{Required: true})})); err != nil || len(done) != 2 {
		t.Fatalf("%v, %v", done, err)
	}
	secret, err := l.cluster.Clientset().CoreV1().Secrets(l.namespace()).Get(t.Context(), KeysSecret, metav1.GetOptions{})
	if err != nil || len(secret.Data) != 1 || len(secret.Data[keysEntry]) == 0 {
		t.Fatalf("%v", err)
	}
	l.server.Kill()
	l.server.Run(t)
	if done, err := apply(t, l.unsealing(t, Options{})); err != nil || done["seal.vault/vault-0"] != engine.Configure {
		t.Fatalf("after a restart: %v, %v", done, err)
	}
	// What is there is never overwritten.
	keeper := &secretKeeper{client: l.env.Kube, namespace: l.namespace()}
	if err := keeper.Create(t.Context(), []byte("other")); !errors.Is(err, os.ErrExist) {
		t.Errorf("%v", err)
	}
}

// Keys in the cluster that are encrypted to somebody are opened by that one's identity, and by nothing else.
func TestKeptInClusterEncrypted(t *testing.T) {
	l := newLab(t, nil)
	l.runServer(t)
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	decrypt := func(keys vault.Keys) (vault.DecryptedKeys, error) { return keys.Decrypt(identity) }
	made := making(Keys{Required: true, Decrypt: decrypt})
	made.Make.Recipients = []age.Recipient{identity.Recipient()}
	if done, err := apply(t, l.unsealing(t, Options{Keys: made})); err != nil || len(done) != 2 {
		t.Fatalf("%v, %v", done, err)
	}
	l.server.Kill()
	l.server.Run(t)
	if _, err := apply(t, l.unsealing(t, Options{})); err == nil || !strings.Contains(err.Error(), "--identity FILE") {
		t.Errorf("without an identity: %v", err)
	}
	if done, err := apply(t, l.unsealing(t, Options{Keys: &Keys{Decrypt: decrypt}})); err != nil || done["seal.vault/vault-0"] != engine.Configure {
		t.Errorf("with it: %v, %v", done, err)
	}
}

// A Vault whose keys reached nobody is thrown away, and gets new ones; one that may hold something is not.
func TestReset(t *testing.T) {
	l := newLab(t, nil)
	l.runServer(t)
	file := filepath.Join(t.TempDir(), "keys.yaml")
	options := Options{Keys: making(Keys{File: file, Required: true})}
	if _, err := apply(t, l.unsealing(t, options)); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	refuses := func(why string) {
		t.Helper()
		if err := Reset(t.Context(), l.env, options, &vault.LostError{Sealed: true}); err == nil || !strings.Contains(err.Error(), why) {
			t.Fatalf("not refused for %q: %v", why, err)
		}
	}
	l.env.Standing = map[string]bool{Name: true}
	refuses("it was configured once and may hold secrets")
	l.env.Standing = nil
	refuses("it is open")
	l.server.Kill()
	l.server.Run(t)
	refuses("holds its keys")
	// As if the machine had stopped before the keys were written.
	pending := strings.NewReplacer("state: complete", "state: pending").Replace(string(whole))
	pending = pending[:strings.Index(pending, "keys:")] + "kind: unseal\nprivateKey: unused\n" + pending[strings.Index(pending, "shares:"):]
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(strings.Replace(pending, "shares: 3", "shares: 4", 1))
	refuses("somebody else initialised it")
	write(pending)
	site, err := newSite(t.Context(), l.env, options)
	if err != nil {
		t.Fatal(err)
	}
	mark := stage.NewProofNote(l.env, Name)
	if err := mark.Write(t.Context(), stage.Shown{Digest: "d", At: "then"}); err != nil {
		t.Fatal(err)
	}
	refuses("configured and shown to work at then")
	if err := mark.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}

	stop := l.controllers(t)
	defer stop()
	if err := Reset(t.Context(), l.env, options, &vault.LostError{Sealed: true}); err != nil {
		t.Fatal(err)
	}
	if seal, err := site.reached[0].SealStatus(t.Context()); err != nil || seal.Initialised {
		t.Fatalf("after the reset: %+v, %v", seal, err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if done, err := apply(t, l.unsealing(t, options)); err != nil || len(done) != 2 {
		t.Fatalf("a new one: %v, %v", done, err)
	}
}
