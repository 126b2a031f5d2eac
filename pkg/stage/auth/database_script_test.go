package auth

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A second PostgreSQL on the same volume waits until every process of the first has ended, and says so.
func TestPostgreSQLStartsOnceOnAVolume(t *testing.T) {
	dir := t.TempDir()
	entry := "#!/bin/sh\necho up $1\nread line\n"
	if err := os.WriteFile(filepath.Join(dir, "docker-entrypoint.sh"), []byte(entry), 0o700); err != nil {
		t.Fatal(err)
	}
	script := strings.ReplaceAll(startOnce, "/var/lib/postgresql/data", dir)
	if script == startOnce {
		t.Fatal("the script does not name the volume")
	}
	type server struct {
		stop io.Closer
		out  io.Reader
	}
	start := func() server {
		cmd := exec.CommandContext(t.Context(), "sh", "-ec", script)
		cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return server{in, out}
	}
	says := func(s server, want string) {
		t.Helper()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(s.out, got); err != nil || string(got) != want {
			t.Fatalf("%q, want %q (%v)", got, want, err)
		}
	}
	first := start()
	says(first, "up postgres\n")
	second := start()
	says(second, "waiting: another PostgreSQL still writes to this volume\n")
	if err := first.stop.Close(); err != nil {
		t.Fatal(err)
	}
	says(second, "up postgres\n")
	if err := second.stop.Close(); err != nil {
		t.Fatal(err)
	}
}
