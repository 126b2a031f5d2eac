package acmetest

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/testbed"
)

// spawn starts a process that is killed at the end of the test.
func spawn(t testing.TB, c *exec.Cmd) {
	t.Helper()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// A process that ended by itself cannot be killed, and Wait calls a killed one an error.
		_ = c.Process.Kill()
		_ = c.Wait()
	})
}

// home is where the testbed keeps what it built.
func home(t testing.TB) string {
	t.Helper()
	folder, err := testbed.Home()
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// pebble is the authority's program, built once per machine by the testbed.
func pebble(t testing.TB) string {
	t.Helper()
	program := filepath.Join(home(t), "bin", "pebble")
	if _, err := os.Stat(program); err == nil {
		return program
	}
	if out, err := exec.Command(filepath.Join(sources(t), "build"), "pebble").CombinedOutput(); err != nil {
		t.Fatalf("these tests need a real certificate authority, and testbed/build pebble failed: %v\n%s", err, out)
	}
	return program
}

// nameServer is the testbed's name server, built once for each version of its sources.
func nameServer(t testing.TB) string {
	t.Helper()
	folder := sources(t)
	version := sha256.New()
	for _, pattern := range []string{"go.mod", "cmd/dns/*.go", "dnsserver/*.go"} {
		files, err := filepath.Glob(filepath.Join(folder, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("sources of the name server: %s: %v", pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			version.Write(text)
		}
	}
	program := filepath.Join(home(t), "bin", "acmetest", fmt.Sprintf("dns-%x", version.Sum(nil)[:6]))
	if _, err := os.Stat(program); err == nil {
		return program
	}
	// Several test binaries may build at once; each puts a whole file in place.
	fresh := fmt.Sprintf("%s.%d", program, os.Getpid())
	build := exec.Command("go", "build", "-C", folder, "-o", fresh, "./cmd/dns")
	build.Env = append(os.Environ(), "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the name server: %v\n%s", err, out)
	}
	if err := os.Rename(fresh, program); err != nil {
		t.Fatal(err)
	}
	return program
}

// sources is the testbed's folder in the repository.
func sources(t testing.TB) string {
	t.Helper()
	root, err := testbed.Root()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, "testbed")
}
