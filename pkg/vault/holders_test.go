package vault

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Holders on different machines: each runs the command, gives one share, and leaves the rest to the others.
func TestUnsealByHolders(t *testing.T) {
	s := startVault(t, "")
	file := KeyFile{Path: filepath.Join(t.TempDir(), "keys.yaml")}
	in := initOf(s, file)
	in.Threshold = 3
	if _, err := in.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	shares := readKeys(t, file).Shares
	holder := func(lines ...string) (string, error) {
		prompt := Prompt{Ask: func(context.Context, string) (string, error) {
			if len(lines) == 0 {
				return "\n", nil
			}
			line := lines[0]
			lines = lines[1:]
			return line, nil
		}}
		var said []string
		err := s.client().Unseal(t.Context(), prompt, func(line string) { said = append(said, line) })
		return strings.Join(said, "; "), err
	}
	given := func(want int, err error) {
		t.Helper()
		var more *MoreSharesError
		if !errors.As(err, &more) || more.Given != want || more.Threshold != 3 || !strings.Contains(err.Error(), "the next holder runs the same command") {
			t.Fatalf("%d given: %v", want, err)
		}
	}
	_, err := holder(shares[0].Reveal())
	given(1, err)
	said, err := holder(shares[0].Reveal())
	given(1, err)
	if !strings.Contains(said, "1 of 3 key shares were given before; this key share was given before") {
		t.Errorf("said %q", said)
	}
	// What is no share at all costs nobody theirs.
	if _, err = holder("no share"); !errors.Is(err, ErrShares) || !strings.Contains(err.Error(), "1 of 3 are given") {
		t.Errorf("no share: %v", err)
	}
	_, err = holder(shares[1].Reveal())
	given(2, err)
	// A share of another Vault is only noticed when there are enough, and then all are dropped.
	if _, err = holder(strings.Repeat("ab", 32) + "07"); !errors.Is(err, ErrShares) || !strings.Contains(err.Error(), "all shares given are dropped") {
		t.Errorf("a wrong share: %v", err)
	}
	_, err = holder(shares[2].Reveal())
	given(1, err)
	if said, err = holder(shares[0].Reveal(), shares[1].Reveal()); err != nil || !strings.HasSuffix(said, "open") {
		t.Errorf("%q, %v", said, err)
	}
}

// One share of one, which Vault itself takes.
func TestOneShare(t *testing.T) {
	s := startVault(t, "")
	file := KeyFile{Path: filepath.Join(t.TempDir(), "keys.yaml")}
	in := initOf(s, file)
	in.Shares, in.Threshold, in.Spool = 1, 1, s.spool(t)
	if _, err := in.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	keys := readKeys(t, file)
	if err := s.client().Unseal(t.Context(), SharesOf(keys), nil); err != nil || len(keys.Shares) != 1 {
		t.Fatalf("%d shares, %v", len(keys.Shares), err)
	}
}

// An answer that lies on the volume is taken for this initialisation only if it is.
func TestAnswerOfAnother(t *testing.T) {
	s := startVault(t, "")
	folder := t.TempDir()
	// Somebody began with one key file, and Vault's answer to it is on the volume.
	first, second := KeyFile{Path: filepath.Join(folder, "first.yaml")}, KeyFile{Path: filepath.Join(folder, "second.yaml")}
	spooled := func(file KeyFile) Init {
		in := initOf(s, file)
		in.Spool = s.spool(t)
		begin(t, in)
		return in
	}
	in, other := spooled(first), spooled(second)
	if err := in.Spool.Initialise(t.Context(), in.question(parseFile(t, first))); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "another key file") {
		t.Fatalf("by another key file: %v", err)
	}
	if keys := parseFile(t, second); keys.State != KeysPending || len(keys.Keys) > 0 {
		t.Errorf("the other file: %s", keys)
	}
	// The volume is emptied but for the answer, as by a person who deletes what looks like Vault's.
	answer, found, err := in.Spool.Collect(t.Context())
	if err != nil || !found || len(answer.Keys) != 3 {
		t.Fatalf("the answer is gone: %v, %v", found, err)
	}
	s.Kill()
	kept := s.emptiedBut(t, ".onyxia-init")
	s.Run(t)
	if _, err := in.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "an earlier vault's") {
		t.Fatalf("of an earlier Vault: %v", err)
	}
	if keys := parseFile(t, first); keys.State != KeysPending {
		t.Errorf("the file: %s", keys)
	}
	if err := os.Remove(kept); err != nil {
		t.Fatal(err)
	}
	if outcome, err := in.Run(t.Context()); err != nil || outcome != Initialised {
		t.Fatalf("%s, %v", outcome, err)
	}
	checkKeys(t, s, first.Path)
}
