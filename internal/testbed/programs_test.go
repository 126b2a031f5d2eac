package testbed

import (
	"os"
	"path/filepath"
	"testing"
)

func TestHome(t *testing.T) {
	t.Setenv("TESTBED_HOME", "")
	t.Setenv("HOME", "/home/x")
	if got, err := Home(); err != nil || got != "/home/x/.cache/onyxia-cluster" {
		t.Errorf("by default %q, %v", got, err)
	}
	t.Setenv("TESTBED_HOME", "/elsewhere")
	if got, err := Home(); err != nil || got != "/elsewhere" {
		t.Errorf("with TESTBED_HOME %q, %v", got, err)
	}
}

// A program that is missing skips the test, and fails it where real programs are asked for.
func TestProgram(t *testing.T) {
	home := t.TempDir()
	t.Setenv("TESTBED_HOME", home)
	there := filepath.Join(home, "bin", "vault")
	if err := os.MkdirAll(filepath.Dir(there), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(there, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if got := Program(t, "vault"); got != there {
		t.Errorf("got %q, want %q", got, there)
	}
	t.Setenv("ONYXIA_TEST_REAL", "")
	missing := false
	t.Run("missing", func(t *testing.T) {
		defer func() { missing = t.Skipped() }()
		Program(t, "minio")
	})
	if !missing {
		t.Error("a missing program does not skip")
	}
}

func TestRoot(t *testing.T) {
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "internal", "testbed", "programs_test.go")); err != nil {
		t.Error(err)
	}
	t.Chdir(t.TempDir())
	if got, err := Root(); err == nil {
		t.Errorf("outside of a module: %q", got)
	}
}
