package vault

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestInitAndUnseal(t *testing.T) {
	s := startVault(t, "")
	ctx := t.Context()
	state, err := s.client().Health(ctx)
	if err != nil || state.Initialised || state.Open() || !strings.HasPrefix(state.Version, "1.") {
		t.Fatalf("health of a new Vault: %+v, %v", state, err)
	}
	file := KeyFile{Path: filepath.Join(t.TempDir(), "keys.yaml")}
	if err := s.client().Unseal(ctx, SharesOf(DecryptedKeys{}), nil); !errors.Is(err, ErrNotInitialised) {
		t.Fatalf("unseal of a new Vault: %v", err)
	}
	outcome, err := initOf(s, file).Run(ctx)
	if err != nil || outcome != Initialised {
		t.Fatalf("init: %q, %v", outcome, err)
	}
	info, err := os.Stat(file.Path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("key file: %v, %v", info.Mode(), err)
	}
	if outcome, err := initOf(s, file).Run(ctx); err != nil || outcome != Untouched {
		t.Fatalf("second init: %q, %v", outcome, err)
	}
	opened := readKeys(t, file)
	if len(opened.Shares) != 3 || opened.Threshold != 2 || opened.RootToken.Empty() {
		t.Fatalf("opened: %d shares, threshold %d", len(opened.Shares), opened.Threshold)
	}
	state, err = s.client().Health(ctx)
	if err != nil || !state.Initialised || !state.Sealed {
		t.Fatalf("health of a sealed Vault: %+v, %v", state, err)
	}
	if err := s.client().WithToken(opened.RootToken).Read(ctx, "sys/mounts", nil); !errors.Is(err, ErrSealed) || !strings.Contains(err.Error(), "kubectl onyxia vault unseal") {
		t.Fatalf("a read from a sealed Vault: %v", err)
	}
	var lines []string
	if err := s.client().Unseal(ctx, SharesOf(opened), func(l string) { lines = append(lines, l) }); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(lines, "; "); got != "1 of 2 key shares given; open" {
		t.Fatalf("unsealing reported %q", got)
	}
	if err := s.client().waitActive(ctx, 50*time.Millisecond, nil); err != nil {
		t.Fatal(err)
	}
	if lives, err := s.client().WithToken(opened.RootToken).Lives(ctx); err != nil || !lives {
		t.Fatalf("root token: %v, %v", lives, err)
	}
	lines = nil
	if err := s.client().Unseal(ctx, SharesOf(opened), func(l string) { lines = append(lines, l) }); err != nil || len(lines) != 1 {
		t.Fatalf("second unseal: %v, %v", lines, err)
	}
}

// After a restart a Vault is sealed, the file opens it, and the data is there.
func TestRestart(t *testing.T) {
	r := opened(t, startVault(t, ""))
	ctx := t.Context()
	if err := r.root().Write(ctx, "sys/mounts/kv", map[string]any{"type": "kv"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := r.root().Write(ctx, "kv/a", map[string]string{"x": "kept"}, nil); err != nil {
		t.Fatal(err)
	}
	r.Kill()
	r.Run(t)
	state, err := r.client().Health(ctx)
	if err != nil || !state.Sealed || !strings.Contains(state.String(), "unseal") {
		t.Fatalf("after the restart: %+v, %v", state, err)
	}
	// A wrong share, given by somebody before, does not stop the right ones.
	stray := DecryptedKeys{Shares: []Secret{NewSecret(strings.Repeat("ab", 33))}}
	if err := r.client().Unseal(ctx, SharesOf(stray), nil); err == nil {
		t.Fatal("one wrong share opened Vault")
	}
	r.unseal(t)
	var kept struct {
		Data map[string]string `json:"data"`
	}
	if err := r.root().Read(ctx, "kv/a", &kept); err != nil || kept.Data["x"] != "kept" {
		t.Fatalf("data after the restart: %v, %v", kept, err)
	}
}

func TestUnsealWithForeignShares(t *testing.T) {
	s := startVault(t, "")
	file := KeyFile{Path: filepath.Join(t.TempDir(), "keys.yaml")}
	if _, err := initOf(s, file).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	foreign := DecryptedKeys{Shares: []Secret{NewSecret(strings.Repeat("ab", 32) + "01"), NewSecret(strings.Repeat("cd", 32) + "02")}}
	err := s.client().Unseal(t.Context(), SharesOf(foreign), nil)
	if !errors.Is(err, ErrShares) || strings.Contains(err.Error(), "abab") || strings.Contains(err.Error(), "cdcd") {
		t.Fatalf("foreign shares: %v", err)
	}
	if err := s.client().Unseal(t.Context(), SharesOf(readKeys(t, file)), nil); err != nil {
		t.Fatalf("the right shares afterwards: %v", err)
	}
}

func TestInitRefuses(t *testing.T) {
	s := startVault(t, "")
	folder := t.TempDir()
	write := func(name, text string, mode os.FileMode) KeyFile {
		f := KeyFile{Path: filepath.Join(folder, name)}
		if err := os.WriteFile(f.Path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return f
	}
	taken := write("taken.yaml", "precious: true\n", 0o600)
	for name, c := range map[string]struct {
		change func(*Init)
		want   string
	}{
		"a file that is something else": {func(in *Init) { in.Keeper = taken }, "no document with keys"},
		"a file that others read":       {func(in *Init) { in.Keeper = write("open.yaml", "x", 0o644) }, "chmod 600"},
		"a folder that is not there":    {func(in *Init) { in.Keeper = KeyFile{Path: filepath.Join(folder, "no", "keys.yaml")} }, "choose a folder"},
		"no shares":                     {func(in *Init) { in.Shares = 0 }, "0 key shares"},
		"threshold above":               {func(in *Init) { in.Threshold = 4 }, "threshold of 4"},
		"threshold 1 of 3":              {func(in *Init) { in.Threshold = 1 }, "each share would open Vault alone"},
		"holders too few":               {func(in *Init) { in.Holders = []string{"x"} }, "1 OpenPGP keys for 3 shares"},
	} {
		in := initOf(s, KeyFile{Path: filepath.Join(folder, "keys.yaml")})
		c.change(&in)
		_, err := in.Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if _, err := os.Lstat(filepath.Join(folder, "keys.yaml")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: left a key file", name)
		}
	}
	if text, err := os.ReadFile(taken.Path); err != nil || string(text) != "precious: true\n" {
		t.Fatalf("the file that was there: %q, %v", text, err)
	}
	if seal, err := s.client().SealStatus(t.Context()); err != nil || seal.Initialised {
		t.Fatalf("Vault was initialised: %+v, %v", seal, err)
	}
}

// Somebody else's Vault, and the file of another one.
func TestInitOfAnother(t *testing.T) {
	s := startVault(t, "")
	folder := t.TempDir()
	file := KeyFile{Path: filepath.Join(folder, "keys.yaml")}
	if _, err := initOf(s, file).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var already *AlreadyInitialisedError
	if _, err := initOf(s, KeyFile{Path: filepath.Join(folder, "other.yaml")}).Run(t.Context()); !errors.As(err, &already) {
		t.Fatalf("init of an initialised Vault: %v", err)
	}
	elsewhere := initOf(s, file)
	elsewhere.Here.Address = "https://vault.lab.example.org"
	if _, err := elsewhere.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "and this one is at https://vault.lab.example.org") {
		t.Fatalf("the file of another Vault: %v", err)
	}
	s.Kill()
	s.Empty(t)
	s.Run(t)
	if _, err := initOf(s, file).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "its data is gone, or new") {
		t.Fatalf("a Vault whose volume is gone: %v", err)
	}
}

// A key file that was begun, and a Vault that somebody else initialised: nothing is taken, and what is said depends on
// whether it has been opened since.
func TestBegunAndInitialisedByAnother(t *testing.T) {
	s := startVault(t, "")
	folder := t.TempDir()
	mine, theirs := KeyFile{Path: filepath.Join(folder, "mine.yaml")}, KeyFile{Path: filepath.Join(folder, "theirs.yaml")}
	in := initOf(s, mine)
	in.Spool, in.Patience = s.spool(t), time.Second
	document := begin(t, in)
	if _, err := initOf(s, theirs).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var lost *LostError
	if _, err := in.Run(t.Context()); !errors.As(err, &lost) || !lost.Sealed || lost.Half || !strings.Contains(err.Error(), "unless somebody else initialised it") {
		t.Fatalf("sealed: %v", err)
	}
	if err := s.client().Unseal(t.Context(), SharesOf(readKeys(t, theirs)), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Run(t.Context()); !errors.As(err, &lost) || lost.Sealed || !strings.Contains(err.Error(), "somebody else initialised it and has them") {
		t.Fatalf("open: %v", err)
	}
	if again, err := mine.Read(t.Context()); err != nil || string(again) != string(document) {
		t.Fatalf("the begun key file was changed: %v", err)
	}
	other := in
	other.Shares, other.Threshold = 5, 3
	s.Kill()
	s.Empty(t)
	s.Run(t)
	if _, err := other.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "was begun for 2 of 3 shares") {
		t.Fatalf("other numbers than begun with: %v", err)
	}
}
