package secret

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A shell's <(...) is a pipe: it gives its content once, and has neither size nor place.
func TestSecretsAreReadFromPipes(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() { _ = os.WriteFile(pipe, []byte("hunter2\n"), 0) }()
	if text, err := ReadFile(pipe); err != nil || string(text) != "hunter2\n" {
		t.Errorf("%q, %v", text, err)
	}
	t.Setenv("X_TOKEN", "")
	t.Setenv("X_TOKEN_FILE", pipe)
	go func() { _ = os.WriteFile(pipe, []byte("hunter2\n"), 0) }()
	for range 3 {
		if v, err := Variable("X_TOKEN"); err != nil || v.Reveal() != "hunter2" {
			t.Errorf("%q, %v", v.Reveal(), err)
		}
	}
	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, []byte(strings.Repeat("x", limit+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(large); err == nil || !strings.Contains(err.Error(), large) {
		t.Errorf("%v", err)
	}
	if _, err := ReadFile(filepath.Join(t.TempDir(), "none")); !os.IsNotExist(err) {
		t.Errorf("%v", err)
	}
	// A file that stays is read anew each time.
	file := filepath.Join(t.TempDir(), "file")
	t.Setenv("Y_TOKEN_FILE", file)
	for _, c := range []struct{ text, want, err string }{{"one\n", "one", ""}, {"two", "two", ""}, {"\n", "", "Y_TOKEN_FILE: " + file + " is empty"}} {
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if v, err := Variable("Y_TOKEN"); v.Reveal() != c.want || (err != nil) != (c.err != "") || err != nil && err.Error() != c.err {
			t.Errorf("%q, %v", v.Reveal(), err)
		}
	}
}
