package vault

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
)

// laid is a spool on which an answer may lie.
type laid struct {
	answer     *initAnswer
	err        error
	asked      bool
	removed    bool
	initialise func(initRequest) initAnswer
}

func (l *laid) Initialise(_ context.Context, question initRequest) error {
	l.asked = true
	if l.initialise != nil {
		answer := l.initialise(question)
		l.answer = &answer
	}
	return nil
}

func (l *laid) Collect(context.Context) (initAnswer, bool, error) {
	if l.answer == nil || l.err != nil {
		return initAnswer{}, false, l.err
	}
	return *l.answer, true, nil
}

func (l *laid) Remove(context.Context) error { l.removed = true; return nil }
func (l *laid) String() string               { return "the volume of pod vault/vault-0" }

// sealedAt answers for the state of a seal.
func sealedAt(t *testing.T, seal *Seal) *Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(seal) }))
	t.Cleanup(server.Close)
	return &Client{Address: server.URL}
}

// answerTo is what a Vault answers to a document: two of its shares open it.
func answerTo(t *testing.T, keys Keys) initAnswer {
	t.Helper()
	sealed := func(text string) string {
		message, err := encryptTo(keys.PublicKey, text)
		if err != nil {
			t.Fatal(err)
		}
		return message
	}
	return initAnswer{Keys: []string{sealed("one"), sealed("two"), sealed("three")}, RootToken: sealed("root")}
}

func initAt(t *testing.T, path string, cluster string, seal *Seal, spool Spool) Init {
	t.Helper()
	return Init{
		Client: sealedAt(t, seal), Keeper: KeyFile{Path: path}, Spool: spool, Shares: 3, Threshold: 2,
		Here: Identity{Cluster: cluster, Address: "https://vault.lab.demo.test"}, Now: time.Now,
	}
}

// A key file that was begun at one cluster is asked of no other one, which would end its use for the first: it is the only thing
// that opens the answer there. One of before, which names no cluster, waits for a person's word (B3).
func TestB3BegunAtAnotherCluster(t *testing.T) {
	for name, c := range map[string]struct {
		begunAt string
		agreed  bool
		asks    bool
	}{
		"here":                 {"here", false, true},
		"at another":           {"elsewhere", false, false},
		"at another, agreed":   {"elsewhere", true, false},
		"of before":            {"", false, false},
		"of before, agreed to": {"", true, true},
	} {
		path := filepath.Join(t.TempDir(), "keys.yaml")
		document := begin(t, initAt(t, path, c.begunAt, &Seal{}, nil))
		seal := &Seal{}
		spool := &laid{}
		keys, err := ParseKeys(document)
		if err != nil {
			t.Fatal(err)
		}
		spool.initialise = func(initRequest) initAnswer {
			seal.Initialised, seal.Sealed, seal.Shares, seal.Threshold = true, true, 3, 2
			if now, err := os.ReadFile(path); err != nil || !strings.Contains(string(now), "cluster: here") {
				t.Errorf("%s: Vault was asked before the document named its cluster: %v", name, err)
			}
			return answerTo(t, keys)
		}
		in := initAt(t, path, "here", seal, spool)
		in.Agreed = c.agreed
		outcome, err := in.Run(t.Context())
		after, readErr := os.ReadFile(path)
		if readErr != nil {
			t.Fatal(readErr)
		}
		if spool.asked != c.asks || (err == nil) != c.asks {
			t.Errorf("%s: asked %v, %q, %v", name, spool.asked, outcome, err)
		}
		if !c.asks && !bytes.Equal(after, document) {
			t.Errorf("%s: the key file was changed", name)
		}
		if whole, err := ParseKeys(after); c.asks && (err != nil || whole.State != KeysComplete || whole.Cluster != "here" || whole.PublicKey != "" || !spool.removed) {
			t.Errorf("%s: %s, %v", name, whole, err)
		}
	}
}

// What lies beside Vault is removed only if it is what the key file was made of (B3).
func TestB3AnswerOfAnotherOnTheSpool(t *testing.T) {
	for _, form := range []string{FormPlain, FormAge} {
		for name, c := range map[string]struct {
			other, before, removed bool
		}{
			"its own":                          {false, false, true},
			"another run's":                    {true, false, false},
			"its own, by a document of before": {false, true, form == FormAge},
		} {
			path := filepath.Join(t.TempDir(), "keys.yaml")
			in := initAt(t, path, "here", &Seal{Initialised: true, Sealed: true, Shares: 3, Threshold: 2}, nil)
			keys, err := in.pending(Seal{})
			if err != nil {
				t.Fatal(err)
			}
			answer := answerTo(t, keys)
			keys.State, keys.Keys, keys.RootToken, keys.Beside = KeysComplete, answer.Keys, answer.RootToken, "somewhere"
			if form == FormPlain {
				if err := keys.decryptAnswer(); err != nil {
					t.Fatal(err)
				}
			}
			keys.Form = form
			if form == FormAge {
				keys.PrivateKey = "unused"
			}
			if c.before {
				keys.PublicKey, keys.Cluster = "", ""
			}
			document, err := keys.encode()
			if err != nil {
				t.Fatal(err)
			}
			if err := (KeyFile{Path: path}).Create(t.Context(), document); err != nil {
				t.Fatal(err)
			}
			if c.other {
				others, err := in.pending(Seal{})
				if err != nil {
					t.Fatal(err)
				}
				answer = answerTo(t, others)
			}
			spool := &laid{answer: &answer}
			in.Spool = spool
			if outcome, err := in.Run(t.Context()); err != nil || outcome != Untouched || spool.removed != c.removed {
				t.Errorf("%s, %s: %q, %v, removed %v", form, name, outcome, err, spool.removed)
			}
			if text, err := os.ReadFile(path); err != nil || strings.Contains(string(text), "beside:") {
				t.Errorf("%s, %s: %v", form, name, err)
			}
		}
	}
}

// A key file that is a link stays one; what it leads to is read and replaced (B4).
func TestB4KeyFileThatIsALink(t *testing.T) {
	folder, target := t.TempDir(), t.TempDir()
	link, file := filepath.Join(folder, "keys.yaml"), filepath.Join(target, "real.yaml")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	f := KeyFile{Path: link}
	// Its disk is not there: that is not a new key file, and nothing is made in its place.
	if _, err := f.Read(t.Context()); err == nil || errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "is a link to what is not there") {
		t.Errorf("a link into nothing: %v", err)
	}
	for what, err := range map[string]error{"created": f.Create(t.Context(), []byte("new")), "replaced": f.Replace(t.Context(), []byte("new"))} {
		if err == nil {
			t.Errorf("a link into nothing was %s", what)
		}
	}
	if err := os.WriteFile(file, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := f.Read(t.Context()); err != nil || string(text) != "one" {
		t.Errorf("%q, %v", text, err)
	}
	if err := f.Replace(t.Context(), []byte("two")); err != nil {
		t.Fatal(err)
	}
	if to, err := os.Readlink(link); err != nil || to != file {
		t.Errorf("the link: %q, %v", to, err)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "two" {
		t.Errorf("what it leads to: %q, %v", text, err)
	}
	for _, each := range []string{folder, target} {
		if entries, err := os.ReadDir(each); err != nil || len(entries) != 1 {
			t.Errorf("left beside: %v, %v", entries, err)
		}
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Read(t.Context()); err == nil || !strings.Contains(err.Error(), "others may read it") {
		t.Errorf("readable behind the link: %v", err)
	}
}

// Key files that are none: each is refused, with what is wrong and what to do, and left as it is.
func TestBadKeyFiles(t *testing.T) {
	whole := Keys{Version: 1, State: KeysComplete, Kind: KindUnseal, Form: FormPlain, Address: "https://vault.lab.demo.test", Shares: 3, Threshold: 2, Keys: []string{hidden, hidden, hidden}, Created: time.Now()}
	text, err := whole.encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		make func(path string) error
		says string
	}{
		"empty":          {func(path string) error { return os.WriteFile(path, nil, 0o600) }, "is empty; bring back your copy"},
		"a folder":       {func(path string) error { return os.Mkdir(path, 0o700) }, "is not a file"},
		"cut off":        {func(path string) error { return os.WriteFile(path, text[:len(text)*2/3], 0o600) }, "not whole"},
		"something else": {func(path string) error { return os.WriteFile(path, []byte(hidden), 0o600) }, "no document with keys"},
		"for all to see": {func(path string) error { return os.WriteFile(path, text, 0o644) }, "chmod 600"},
		"a dead link":    {func(path string) error { return os.Symlink(path+".none", path) }, "a link to what is not there"},
		"of another cluster": {func(path string) error {
			other := whole
			other.Cluster = "elsewhere"
			text, err := other.encode()
			return errors.Join(err, os.WriteFile(path, text, 0o600))
		}, "in another cluster, whose namespace kube-system has the UID elsewhere, and here it has here"},
	} {
		path := filepath.Join(t.TempDir(), "keys.yaml")
		if err := c.make(path); err != nil {
			t.Fatal(err)
		}
		before, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, seal := range []*Seal{{}, {Initialised: true, Sealed: true, Shares: 3, Threshold: 2}} {
			spool := &laid{}
			outcome, err := initAt(t, path, "here", seal, spool).Run(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), hidden) || spool.asked {
				t.Errorf("%s: %q, %v", name, outcome, err)
			}
		}
		if after, err := os.Lstat(path); err != nil || after.Mode() != before.Mode() || after.Size() != before.Size() || !os.SameFile(before, after) {
			t.Errorf("%s: was changed", name)
		}
	}
}

// shell runs the spool's script here, on a volume on which no file gets larger than the limit, in blocks of 512 bytes.
func shell(limit int) Exec {
	return func(ctx context.Context, command []string, stdin []byte) ([]byte, error) {
		full := append([]string{"-c", fmt.Sprintf(`trap "" XFSZ; ulimit -f %d; exec "$@"`, limit), "sh"}, command...)
		cmd := exec.CommandContext(ctx, "/bin/sh", full...)
		var out, problem bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &out, &problem
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("%w: %s", err, problem.String())
		}
		return out.Bytes(), nil
	}
}

// On a volume that is full Vault is not asked at all, because its answer comes only once (D).
func TestDVolumeFullDuringInit(t *testing.T) {
	folder := t.TempDir()
	asked := filepath.Join(folder, "asked")
	answer, err := json.Marshal(map[string]any{"unseal_keys_b64": []string{strings.Repeat("a", 3000), strings.Repeat("b", 3000)}, "root_token": "c"})
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(folder, "vault")
	// Like the real one it does not mind that its output cannot be written.
	script := fmt.Sprintf("#!/bin/sh\n: >%s\ncat <<'END' 2>/dev/null\n%s\nEND\nexit 0\n", asked, answer)
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	question := initRequest{SecretShares: 2, SecretThreshold: 2, PGPKeys: []string{"k", "k"}}
	volume := t.TempDir()
	full := PodSpool{Exec: shell(4), Folder: volume, CLI: program, Where: "the volume"}
	if err := full.Initialise(t.Context(), question); err == nil || !strings.Contains(err.Error(), "make room on the volume") {
		t.Errorf("full: %v", err)
	}
	if _, err := os.Stat(asked); err == nil {
		t.Error("Vault was asked for an answer that has no room")
	}
	if left, err := os.ReadDir(volume); err != nil || len(left) > 0 {
		t.Errorf("left on the volume: %v, %v", left, err)
	}
	roomy := PodSpool{Exec: shell(1024), Folder: volume, CLI: program, Where: "the volume"}
	if err := roomy.Initialise(t.Context(), question); err != nil {
		t.Fatal(err)
	}
	if got, found, err := roomy.Collect(t.Context()); err != nil || !found || len(got.Keys) != 2 || got.RootToken != "c" {
		t.Errorf("with room: %v, %v, %v", found, err, got)
	}
}

// An answer that is damaged all the same is lost, and --reset helps with that (D).
func TestDDamagedAnswer(t *testing.T) {
	for name, text := range map[string]string{"cut off": `{"unseal_keys_b64": ["a`, "blank": "   ", "no keys": "{}", "no token": `{"unseal_keys_b64": ["a", "b", "c"]}`} {
		volume := t.TempDir()
		if err := os.WriteFile(filepath.Join(volume, ".onyxia-init"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for state, seal := range map[string]*Seal{"sealed": {Initialised: true, Sealed: true}, "open": {Initialised: true}} {
			path := filepath.Join(t.TempDir(), "keys.yaml")
			in := initAt(t, path, "here", seal, PodSpool{Exec: shell(1024), Folder: volume, CLI: "vault", Where: "the volume"})
			begin(t, in)
			_, err := in.Run(t.Context())
			var lost *LostError
			if !errors.As(err, &lost) || lost.Damaged != "the volume" || lost.Sealed != seal.Sealed || !strings.Contains(err.Error(), "damaged at the volume, which may have been full") {
				t.Errorf("%s, %s: %v", name, state, err)
			}
			if strings.Contains(err.Error(), "--reset") != seal.Sealed {
				t.Errorf("%s, %s: %v", name, state, err)
			}
		}
	}
}

// encryptTo seals a text to an OpenPGP public key as Vault does.
func encryptTo(public, text string) (string, error) {
	raw, err := base64.StdEncoding.DecodeString(public)
	if err != nil {
		return "", err
	}
	ring, err := openpgp.ReadKeyRing(bytes.NewReader(raw))
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	w, err := openpgp.Encrypt(&out, ring, nil, nil, nil)
	if err != nil {
		return "", err
	}
	_, err = w.Write([]byte(text))
	err = errors.Join(err, w.Close())
	return base64.StdEncoding.EncodeToString(out.Bytes()), err
}
