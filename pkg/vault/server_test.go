package vault

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/vaulttest"
)

// timeout is how long a step may take to become ready on a busy machine; on an idle one it takes some seconds.
const timeout = 3 * time.Minute

// server is a real Vault process on loopback.
type server struct{ *vaulttest.Server }

// startVault starts a Vault on raft in a new folder, neither initialised nor unsealed. extra is more configuration.
func startVault(t *testing.T, extra string, env ...string) *server {
	t.Helper()
	return &server{vaulttest.Start(t, vaulttest.Raft+extra, env...)}
}

func (s *server) client() *Client { return &Client{HTTP: http.DefaultClient, Address: s.Address} }

// exec runs a command as kubectl exec would run it in Vault's container.
func (s *server) exec() Exec {
	return func(_ context.Context, command []string, stdin []byte) ([]byte, error) {
		var out, problem bytes.Buffer
		if code := s.Exec(command, bytes.NewReader(stdin), &out, &problem); code != 0 {
			return nil, fmt.Errorf("exit code %d: %s", code, problem.String())
		}
		return out.Bytes(), nil
	}
}

func (s *server) spool(*testing.T) PodSpool {
	return PodSpool{Exec: s.exec(), Folder: s.Folder, CLI: "vault", Where: "the volume of the test's vault"}
}

// running is a Vault that is open, with its keys.
type running struct {
	*server
	keys   KeyFile
	opened DecryptedKeys
}

// openVault starts, initialises and unseals a Vault that keeps its data in memory, which is faster.
func openVault(t *testing.T) *running {
	t.Helper()
	return opened(t, &server{vaulttest.Start(t, vaulttest.Memory)})
}

func opened(t *testing.T, s *server) *running {
	t.Helper()
	file := KeyFile{Path: filepath.Join(t.TempDir(), "keys.yaml")}
	ctx := t.Context()
	in := initOf(s, file)
	if _, err := in.Run(ctx); err != nil {
		t.Fatal(err)
	}
	r := &running{server: s, keys: file, opened: readKeys(t, file)}
	r.unseal(t)
	return r
}

func (r *running) unseal(t *testing.T) {
	t.Helper()
	if err := r.client().Unseal(t.Context(), SharesOf(r.opened), nil); err != nil {
		t.Fatal(err)
	}
	if err := r.client().waitActive(t.Context(), 50*time.Millisecond, nil); err != nil {
		t.Fatal(err)
	}
}

func (r *running) root() *Client { return r.client().WithToken(r.opened.RootToken) }

func initOf(s *server, keeper Keeper) Init {
	return Init{Client: s.client(), Keeper: keeper, Shares: 3, Threshold: 2, Here: Identity{Address: "https://vault.lab.demo.test"}, Now: time.Now}
}

// begin leaves what an initialisation has written when it ends before it asks Vault: the key file with shares that nobody has yet.
func begin(t *testing.T, in Init) []byte {
	t.Helper()
	keys, err := in.pending(Seal{})
	if err != nil {
		t.Fatal(err)
	}
	document, err := keys.encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Keeper.Create(t.Context(), document); err != nil {
		t.Fatal(err)
	}
	return document
}

func readKeys(t *testing.T, file KeyFile) DecryptedKeys {
	t.Helper()
	text, err := file.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := keys.Decrypt()
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

// waitActive waits until this server or its leader takes requests: raft elects a leader after the unsealing, which takes
// some seconds. report gets a line whenever the reason changes; it may be nil.
func (c *Client) waitActive(ctx context.Context, every time.Duration, report func(string)) error {
	last := ""
	for {
		ready, reason, err := c.active(ctx)
		if err != nil {
			reason = err.Error()
		}
		if ready {
			return nil
		}
		if reason != last {
			say(report, reason)
		}
		last = reason
		select {
		case <-ctx.Done():
			return fmt.Errorf("vault at %s has not become active: %s: %w", c.Address, reason, ctx.Err())
		case <-time.After(every):
		}
	}
}

// emptiedBut empties the volume but for one file, and says where that is.
func (s *server) emptiedBut(t *testing.T, name string) string {
	t.Helper()
	kept := filepath.Join(s.Folder, name)
	text, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	s.Empty(t)
	if err := os.WriteFile(kept, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return kept
}
