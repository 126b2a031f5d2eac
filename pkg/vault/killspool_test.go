package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// The connection breaks, and the container runtime kills the command that it ran for us, at any moment: what that
// command started goes on.
func TestSpoolOutlivesItsCommand(t *testing.T) {
	for _, life := range []time.Duration{0, 10, 40, 160, 320} {
		life *= time.Millisecond
		t.Run(life.String(), func(t *testing.T) {
			t.Parallel()
			s := startVault(t, "")
			file := KeyFile{Path: filepath.Join(t.TempDir(), "keys.yaml")}
			in := initOf(s, file)
			in.Patience = patience
			spool := s.spool(t)
			broken, outlived := s.breaking(t, func() { time.Sleep(life) })
			spool.Exec = broken
			in.Spool = spool
			if outcome, err := in.Run(t.Context()); err == nil {
				t.Fatalf("the broken run: %q", outcome)
			}
			in.Spool = s.spool(t)
			outcome, err := in.Run(t.Context())
			if err != nil {
				t.Fatalf("the next run: %v", err)
			}
			t.Logf("the next run: %s", outcome)
			outlived()
			checkKeys(t, s, file.Path)
		})
	}
}

// What outlives its command may come too late, because the next run was faster. Then it leaves nothing on the volume.
func TestSpoolThatComesTooLate(t *testing.T) {
	t.Parallel()
	s := startVault(t, "")
	folder := t.TempDir()
	file := KeyFile{Path: filepath.Join(folder, "keys.yaml")}
	begun, now, slow := filepath.Join(folder, "begun"), filepath.Join(folder, "now"), filepath.Join(folder, "slow")
	script := fmt.Sprintf("#!/bin/sh\n: >%[1]s\nwhile [ -e %[1]s ] && [ ! -e %[2]s ]; do sleep 0.1; done\nexec vault \"$@\"\n", begun, now)
	if err := os.WriteFile(slow, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	in := initOf(s, file)
	spool := s.spool(t)
	broken, outlived := s.breaking(t, func() { awaitFile(t, begun) })
	spool.Exec, spool.CLI = broken, slow
	in.Spool = spool
	if outcome, err := in.Run(t.Context()); err == nil {
		t.Fatalf("the broken run: %q", outcome)
	}
	in.Spool = s.spool(t)
	if outcome, err := in.Run(t.Context()); err != nil || outcome != Initialised {
		t.Fatalf("the next run: %q, %v", outcome, err)
	}
	if err := os.WriteFile(now, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	outlived()
	checkKeys(t, s, file.Path)
}

func awaitFile(t *testing.T, path string) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return
		}
	}
	t.Errorf("%s does not appear", path)
}

// breaking runs commands and kills each when the function returns. What they started goes on; outlived waits for its end,
// after which nobody writes to the volume any more, and is called before the test ends too.
func (s *server) breaking(t *testing.T, when func()) (broken Exec, outlived func()) {
	t.Helper()
	// Whatever a command starts holds the pipe open.
	ended, held, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	outlived = sync.OnceFunc(func() {
		err := errors.Join(held.Close(), ended.SetReadDeadline(time.Now().Add(patience)))
		if _, end := ended.Read(make([]byte, 1)); err != nil || !errors.Is(end, io.EOF) {
			t.Errorf("what the commands started does not end: %v, %v", err, end)
		}
		_ = ended.Close()
	})
	t.Cleanup(outlived)
	return func(_ context.Context, command []string, stdin []byte) ([]byte, error) {
		cmd := s.Command(command...)
		cmd.Stdin, cmd.ExtraFiles = bytes.NewReader(stdin), []*os.File{held}
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		when()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, errors.New("the connection broke")
	}, outlived
}

// Vault itself is killed by SIGKILL, with the command that runs beside it, while it initialises itself. This is the one
// moment that no spool covers: the next run finishes, or says that the keys are lost, and then the Vault is sealed and a
// reset helps.
func TestVaultKilledDuringInit(t *testing.T) {
	for _, life := range []time.Duration{60, 200, 350, 500} {
		life *= time.Millisecond
		t.Run(life.String(), func(t *testing.T) {
			t.Parallel()
			s := startVault(t, "")
			file := KeyFile{Path: filepath.Join(t.TempDir(), "keys.yaml")}
			in := initOf(s, file)
			in.Spool = s.spool(t)
			in.Patience = 2 * time.Second
			killed := make(chan struct{})
			time.AfterFunc(life, func() {
				s.Kill()
				close(killed)
			})
			outcome, err := in.Run(t.Context())
			// A run that was faster must not have the next server killed.
			<-killed
			t.Logf("the run: %s %v", outcome, err)
			s.Run(t)
			outcome, err = in.Run(t.Context())
			var lost *LostError
			t.Logf("the next run: %s %v", outcome, err)
			if errors.As(err, &lost) {
				if !lost.Sealed {
					t.Fatal("a Vault whose keys are lost is open")
				}
				s.Kill()
				s.Empty(t)
				s.Run(t)
				_, err = in.Run(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			checkKeys(t, s, file.Path)
		})
	}
}
