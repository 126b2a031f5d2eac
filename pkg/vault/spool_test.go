package vault

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// C1: a server on raft looks new beside what file storage wrote, and must not get new keys over it.
func TestNoKeysOverFileStorage(t *testing.T) {
	for name, c := range map[string]struct {
		folders []string
		refused bool
	}{
		"new":                    {[]string{"raft"}, false},
		"file storage":           {[]string{"core", "sys"}, false},
		"raft over file storage": {[]string{"raft", "core", "sys"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			for _, each := range c.folders {
				if err := os.Mkdir(filepath.Join(folder, each), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			cli := filepath.Join(t.TempDir(), "vault")
			if err := os.WriteFile(cli, []byte("#!/bin/sh\necho '{}'\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			spool := PodSpool{Folder: folder, CLI: cli, Where: "the volume", Exec: func(ctx context.Context, command []string, stdin []byte) ([]byte, error) {
				cmd := exec.CommandContext(ctx, command[0], command[1:]...)
				var complaint bytes.Buffer
				cmd.Stdin, cmd.Stderr = bytes.NewReader(stdin), &complaint
				out, err := cmd.Output()
				if err != nil {
					err = fmt.Errorf("%w: %s", err, complaint.String())
				}
				return out, err
			}}
			err := spool.Initialise(t.Context(), initRequest{SecretShares: 1, SecretThreshold: 1, PGPKeys: []string{"key"}})
			if c.refused != (err != nil) || err != nil && !strings.Contains(err.Error(), "holds the data of a server with file storage") {
				t.Errorf("got %v", err)
			}
			if _, err := os.Stat(filepath.Join(folder, ".onyxia-init")); (err == nil) == c.refused {
				t.Errorf("the server was asked: %v", err == nil)
			}
		})
	}
}
