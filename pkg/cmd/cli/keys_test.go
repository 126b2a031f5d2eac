package cli

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	vaultstage "github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/vault"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

func keyFlags(t *testing.T, args ...string) *KeyFlags {
	t.Helper()
	flags, cmd := &KeyFlags{}, &cobra.Command{}
	flags.AddSharing(cmd)
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	return flags
}

// Where keys go, in which form, and how they are shared when nobody says otherwise.
func TestMakingKeys(t *testing.T) {
	pair, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	recipient := pair.Recipient().String()
	for name, c := range map[string]struct {
		args              []string
		file, form        string
		shares, threshold int
	}{
		"a file":           {[]string{"--keys-file", "k"}, "k", vault.FormPlain, 5, 3},
		"encrypted":        {[]string{"--recipient", recipient}, defaultKeysFile, vault.FormAge, 5, 3},
		"encrypted, named": {[]string{"--recipient", recipient, "--keys-file", "k"}, "k", vault.FormAge, 5, 3},
		"in the cluster":   {[]string{"--keep-in-cluster", "--shares", "1"}, "", vault.FormPlain, 1, 1},
		"seven":            {[]string{"--keys-file", "k", "--shares", "7"}, "k", vault.FormPlain, 7, 4},
		"two of seven":     {[]string{"--keys-file", "k", "--shares", "7", "--threshold", "2"}, "k", vault.FormPlain, 7, 2},
	} {
		flags := keyFlags(t, c.args...)
		keys, err := flags.Making()
		if err != nil || keys == nil || keys.File != c.file || flags.Form() != c.form || keys.Make.Shares != c.shares || keys.Make.Threshold != c.threshold {
			t.Errorf("%s: %+v, %v", name, keys, err)
		}
	}
	if keys, err := keyFlags(t).Making(); keys != nil || err != nil {
		t.Errorf("no place named: %+v, %v", keys, err)
	}
	if keys, err := keyFlags(t, "--keys-file", "k").Reading(); err != nil || keys.Make != nil {
		t.Errorf("a file to read: %+v, %v", keys, err)
	}
	identity := filepath.Join(t.TempDir(), "identity")
	if err := os.WriteFile(identity, []byte(pair.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, read := range []func(*KeyFlags) (*vaultstage.Keys, error){(*KeyFlags).Reading, (*KeyFlags).Making} {
		if keys, err := read(keyFlags(t, "--identity", identity)); err != nil || keys == nil || keys.File != "" || keys.Make != nil || keys.Decrypt == nil {
			t.Errorf("the Secret, opened by an identity: %+v, %v", keys, err)
		}
	}
	if keys, err := keyFlags(t, "--identity", identity, "--recipient", recipient, "--keep-in-cluster").Making(); err != nil || keys.File != "" || keys.Make == nil || keys.Decrypt == nil {
		t.Errorf("the Secret, encrypted: %+v, %v", keys, err)
	}
}

// Shares are read line by line, and given to the further servers of a cluster again.
func TestTyped(t *testing.T) {
	o := &Options{IOStreams: genericiooptions.IOStreams{In: strings.NewReader("one\n two \nthree"), Out: io.Discard, ErrOut: io.Discard}}
	typed := NewTyped(o)
	for server, want := range [][]string{{"one", "two"}, {"one", "two", "three"}} {
		shares, err := typed.Shares(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i, each := range want {
			if got, err := shares.Next(t.Context(), 1); err != nil || got.Reveal() != each {
				t.Errorf("server %d, share %d: %q, %v", server, i, got.Reveal(), err)
			}
		}
		if server == 1 {
			if _, err := shares.Next(t.Context(), 1); !errors.Is(err, io.EOF) {
				t.Errorf("no more: %v", err)
			}
		}
	}
	o.In = strings.NewReader("")
	shares, err := NewTyped(o).Shares(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := shares.Next(t.Context(), 1); err == nil || errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "--keys-file") {
		t.Errorf("none at all: %v", err)
	}
}

// What a step says goes below the change lines, or out of the way of a document.
func TestSay(t *testing.T) {
	for format, want := range map[Format][2]string{"": {"  a line\n", ""}, "json": {"", "  a line\n"}} {
		var out, errOut strings.Builder
		a := &Apply{Options: New(genericiooptions.IOStreams{Out: &out, ErrOut: &errOut}, nil, "kubectl onyxia"), Output: format}
		a.Say("a line")
		if out.String() != want[0] || errOut.String() != want[1] {
			t.Errorf("%q: %q %q", format, out.String(), errOut.String())
		}
	}
}

// A file that cannot be read is no wrong command line.
func TestReadingIdentities(t *testing.T) {
	file := filepath.Join(t.TempDir(), "identity")
	if err := os.WriteFile(file, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	var usage *UsageError
	for _, args := range [][]string{{"--identity", file}, {"--keys-file", "k", "--identity", file}, {"--keys-file", "k", "--identity", file + ".none"}} {
		if _, err := keyFlags(t, args...).Reading(); err == nil || errors.As(err, &usage) {
			t.Errorf("%v: %v", args, err)
		}
	}
}
