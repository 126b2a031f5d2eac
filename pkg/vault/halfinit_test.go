package vault

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/vaulttest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// A Vault that was killed between the writing of its keyring and of its seal is neither new nor initialised, whatever its
// storage. A file is made to be the like here, because no kill of ours can be sure of that moment.
func TestKilledBetweenKeyringAndSeal(t *testing.T) {
	t.Parallel()
	s := &server{vaulttest.Start(t, "storage \"file\" {\n  path = %q\n}\n")}
	folder := t.TempDir()
	begun, finished := KeyFile{Path: filepath.Join(folder, "begun.yaml")}, KeyFile{Path: filepath.Join(folder, "finished.yaml")}
	in := initOf(s, begun)
	begin(t, in)
	if _, err := initOf(s, finished).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if err := os.Remove(filepath.Join(s.Folder, "core", "_seal-config")); err != nil {
		t.Fatal(err)
	}
	s.Run(t)

	step := InitStep{Access: func(context.Context) (*Client, error) { return s.client(), nil }, Init: &in}
	seen, err := step.Observe(t.Context())
	if err != nil || !seen.Unfinished || step.Plan(seen).Action != engine.Create {
		t.Errorf("%+v, %v", seen, err)
	}
	var lost *LostError
	if err := step.Apply(t.Context(), seen); !errors.As(err, &lost) || !lost.Half || !lost.Sealed {
		t.Errorf("begun: %v", err)
	}
	// Whoever has keys has more to lose than a Vault that never was.
	if _, err := initOf(s, finished).Run(t.Context()); err == nil || errors.As(err, &lost) {
		t.Errorf("finished: %v", err)
	}
}
