package vault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// A new Vault is initialised and opened as steps; the second run finds nothing to do; after a restart the plan says what
// a person has to do, and with the key file does it.
func TestUnsealing(t *testing.T) {
	s := startVault(t, "")
	access := func(context.Context) (*Client, error) { return s.client(), nil }
	file := KeyFile{Path: filepath.Join(t.TempDir(), "keys.yaml")}
	steps := func(named bool) []engine.Step {
		initialisation, opening := InitStep{Access: access}, UnsealStep{Access: access}
		if named {
			in := initOf(s, file)
			in.Spool = s.spool(t)
			initialisation.Init = &in
			opening.Shares = func(context.Context) (Shares, error) { return SharesOf(readKeys(t, file)), nil }
		}
		return []engine.Step{engine.New("init.vault/vault", initialisation), engine.New("unseal.vault/vault-0", opening, "init.vault/vault")}
	}
	plan := func(named bool) (engine.Run, engine.Plan) {
		run := engine.Run{Steps: steps(named)}
		p, err := run.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return run, p
	}
	// Nobody is there to wait for: the run ends without waiting, and says what a person has to do.
	left := func(state, command string) {
		t.Helper()
		run, p := plan(false)
		if p.Err() != nil || p.Settled() {
			t.Fatalf("%s, without a key file: %+v", state, p.Steps)
		}
		var waited atomic.Bool
		run.Report = func(e engine.Event) {
			if e.Kind == engine.Waiting {
				waited.Store(true)
			}
		}
		err := run.Apply(t.Context(), p, engine.Options{Timeout: timeout})
		if err == nil || !strings.Contains(err.Error(), command) || errors.Is(err, engine.ErrTimeout) || waited.Load() {
			t.Fatalf("%s, without a key file: %v, waited: %v", state, err, waited.Load())
		}
	}
	left("new", "kubectl onyxia vault init --keys-file")
	apply := func() {
		t.Helper()
		run, p := plan(true)
		if err := run.Apply(t.Context(), p, engine.Options{Timeout: timeout}); err != nil {
			t.Fatal(err)
		}
		if _, p := plan(true); !p.Settled() {
			t.Fatalf("afterwards: %+v", p.Steps)
		}
	}
	apply()
	if _, p := plan(false); p.Writes() || p.Err() != nil {
		t.Fatalf("open, without a key file: %+v", p.Steps)
	}
	s.Kill()
	s.Run(t)
	left("sealed", "kubectl onyxia vault unseal")
	apply()
}

// Three servers: the first is initialised and opened, the others join it by retry_join and are opened with the same keys.
// What the chart sets for them is in Release.Config.
func TestThreeServers(t *testing.T) {
	t.Parallel()
	first := startVault(t, "")
	file := KeyFile{Path: filepath.Join(t.TempDir(), "keys.yaml")}
	in := initOf(first, file)
	in.Spool = first.spool(t)
	if _, err := in.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	join := fmt.Sprintf("retry_join {\n leader_api_addr = %q\n}", first.Address)
	servers := []*server{first}
	for i := 1; i < 3; i++ {
		servers = append(servers, startJoiner(t, i, join))
	}
	for i, s := range servers {
		access := func(context.Context) (*Client, error) { return s.client(), nil }
		opening := UnsealStep{Access: access, Shares: func(context.Context) (Shares, error) { return SharesOf(readKeys(t, file)), nil }}
		run := engine.Run{Steps: []engine.Step{engine.New("unseal.vault/vault", opening)}}
		plan, err := run.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := run.Apply(t.Context(), plan, engine.Options{Timeout: timeout}); err != nil {
			t.Fatalf("server %d: %v", i, err)
		}
	}
	var peers struct {
		Data struct {
			Config struct {
				Servers []map[string]any `json:"servers"`
			} `json:"config"`
		} `json:"data"`
	}
	root := first.client().WithToken(readKeys(t, file).RootToken)
	eventually(t, func() error { return root.Read(t.Context(), "sys/storage/raft/configuration", &peers) })
	if len(peers.Data.Config.Servers) != 3 {
		t.Fatalf("peers: %+v", peers)
	}
	// A standby hands requests on to the leader.
	standby := servers[2].client().WithToken(readKeys(t, file).RootToken)
	eventually(t, func() error {
		lives, err := standby.Lives(t.Context())
		if err == nil && !lives {
			t.Fatal("by a standby the root token is no good")
		}
		return err
	})
}

// eventually asks until there is an answer: servers on a busy machine lose their leader when it is not heard for half a
// second, and choose another.
func eventually(t *testing.T, ask func() error) {
	t.Helper()
	err := ask()
	for deadline := time.Now().Add(timeout); err != nil && time.Now().Before(deadline); err = ask() {
		time.Sleep(200 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// startJoiner starts a further server of a cluster.
func startJoiner(t *testing.T, number int, join string) *server {
	t.Helper()
	s := startVault(t, "")
	s.Kill()
	s.Empty(t)
	text, err := os.ReadFile(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	config := strings.Replace(string(text), `node_id = "vault-0"`, fmt.Sprintf("node_id = \"vault-%d\"\n  %s", number, join), 1)
	if err := os.WriteFile(s.Config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Run(t)
	return s
}
