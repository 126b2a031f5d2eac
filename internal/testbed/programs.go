package testbed

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Home is the folder in which the testbed keeps what it built, outside of the repository: $TESTBED_HOME, or one in the
// user's cache.
func Home() (string, error) {
	if home := os.Getenv("TESTBED_HOME"); home != "" {
		return home, nil
	}
	user, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(user, ".cache", "onyxia-cluster"), nil
}

// Program is the path of a program that the testbed builds. Without it the test does not run, and says so; with
// ONYXIA_TEST_REAL=1 it fails.
func Program(t testing.TB, name string) string {
	t.Helper()
	home, err := Home()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(home, "bin", name)
	if _, err := os.Stat(path); err != nil {
		const hint = "testbed/build makes it, and TESTBED_HOME names the folder whose bin holds it"
		if os.Getenv("ONYXIA_TEST_REAL") != "" {
			t.Fatalf("no %s: %s", path, hint)
		}
		t.Skipf("NOT RUN on the real thing: no %s: %s; ONYXIA_TEST_REAL=1 makes this a failure", path, hint)
	}
	return path
}

// Root is the folder of go.mod above the package under test, which is where go test runs it.
func Root() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		_, err := os.Stat(filepath.Join(folder, "go.mod"))
		if err == nil {
			return folder, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if folder == filepath.Dir(folder) {
			return "", errors.New("no go.mod above the package under test")
		}
		folder = filepath.Dir(folder)
	}
}
