package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long an answer may take that is on its way; the stage has as long.
const patience = time.Minute

// childEnv tells this test program to be the process that is killed.
const childEnv = "VAULT_TEST_CHILD"

func TestMain(m *testing.M) {
	if order := os.Getenv(childEnv); order != "" {
		os.Exit(child(order))
	}
	os.Exit(m.Run())
}

// childOrder is what the process that is killed is to do.
type childOrder struct {
	Gate, File string
	Spool      string
	// Killer is an operation of the key file at which the process kills itself: "create before", "replace 2 after".
	Killer string
	// Configure, if set, is what to configure from the key file instead of initialising.
	Configure *childSetup
}

// childSetup is what differs from one test's setup to another's.
type childSetup struct{ Issuer, CAPEM, Audit string }

// child initialises a Vault through the gate, and prints the outcome.
func child(order string) int {
	var o childOrder
	if err := json.Unmarshal([]byte(order), &o); err != nil {
		fmt.Println(err)
		return 2
	}
	if o.Configure != nil {
		if err := childConfigure(context.Background(), o); err != nil {
			fmt.Print(err)
			return 1
		}
		return 0
	}
	in := Init{
		Client: &Client{HTTP: http.DefaultClient, Address: o.Gate}, Keeper: &deadlyKeeper{KeyFile: KeyFile{Path: o.File}, at: o.Killer},
		Shares: 3, Threshold: 2, Here: Identity{Address: "https://vault.lab.demo.test"}, Now: time.Now, Patience: patience,
	}
	if o.Spool != "" {
		in.Spool = PodSpool{Exec: gateExec(o.Gate), Folder: o.Spool, CLI: "vault", Where: "the volume of the test's vault"}
	}
	outcome, err := in.Run(context.Background())
	var lost *LostError
	switch {
	case errors.As(err, &lost) && lost.Sealed:
		fmt.Print("lost")
		return 3
	case err != nil:
		fmt.Print(err)
		return 1
	}
	fmt.Print(outcome)
	return 0
}

// deadlyKeeper is the real key file, in a process that kills itself at one of its operations.
type deadlyKeeper struct {
	KeyFile
	at       string
	replaced int
}

func (k *deadlyKeeper) die(moment string) {
	if k.at == moment {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

func (k *deadlyKeeper) Create(ctx context.Context, document []byte) error {
	k.die("create before")
	err := k.KeyFile.Create(ctx, document)
	k.die("create after")
	return err
}

func (k *deadlyKeeper) Replace(ctx context.Context, document []byte) error {
	k.replaced++
	k.die(fmt.Sprintf("replace %d before", k.replaced))
	err := k.KeyFile.Replace(ctx, document)
	k.die(fmt.Sprintf("replace %d after", k.replaced))
	return err
}

// gateExec asks the gate to run a command, as kubectl exec asks the API server.
func gateExec(gate string) Exec {
	return func(ctx context.Context, command []string, stdin []byte) ([]byte, error) {
		body, err := json.Marshal(map[string]any{"command": command, "stdin": stdin})
		if err != nil {
			return nil, err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, gate+"/exec", bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, err
		}
		defer func() { _ = res.Body.Close() }()
		out, err := io.ReadAll(res.Body)
		if err == nil && res.StatusCode != http.StatusOK {
			err = errors.New(string(out))
		}
		return out, err
	}
}

// gate stands between the process that is killed and the real Vault, and kills it at one request.
type gate struct {
	exec  Exec
	proxy http.Handler

	mu    sync.Mutex
	seen  []string
	at    int  // number of the request to kill at, from 1; 0 for none
	after bool // when Vault has answered, not before it is asked
	kill  func()
}

func gateOf(t *testing.T, s *server) *gate {
	t.Helper()
	target, err := url.Parse(s.Address)
	if err != nil {
		t.Fatal(err)
	}
	return &gate{exec: s.exec(), proxy: httputil.NewSingleHostReverseProxy(target)}
}

func (g *gate) arm(at int, after bool, kill func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seen, g.at, g.after, g.kill = nil, at, after, kill
}

func (g *gate) requests() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.seen...)
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Read whole, so that the answer does not depend on the process that asked, as with a pod that was asked already.
	body, _ := io.ReadAll(r.Body)
	g.mu.Lock()
	g.seen = append(g.seen, r.Method+" "+r.URL.Path)
	deadly := len(g.seen) == g.at
	after, kill := g.after, g.kill
	g.mu.Unlock()
	if deadly && !after {
		kill()
		return
	}
	answer := httptest.NewRecorder()
	again := r.Clone(context.Background())
	again.Body, again.RequestURI = io.NopCloser(bytes.NewReader(body)), ""
	if r.URL.Path == "/exec" {
		g.run(answer, body)
	} else {
		g.proxy.ServeHTTP(answer, again)
	}
	if deadly {
		kill()
		return
	}
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

func (g *gate) run(w http.ResponseWriter, body []byte) {
	var in struct {
		Command []string `json:"command"`
		Stdin   []byte   `json:"stdin"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	out, err := g.exec(context.Background(), in.Command, in.Stdin)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(out)
}

// runChild runs the process once. at and after arm the gate; the process is really killed by SIGKILL.
func runChild(t *testing.T, g *gate, o childOrder, at int, after bool) (out string, killed bool) {
	t.Helper()
	// A server for this process alone: once closed, it has finished what the process asked for, and begins no more of it.
	front := httptest.NewServer(g)
	defer front.Close()
	o.Gate = front.URL
	order, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"="+string(order))
	var printed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &printed
	started, gone := make(chan struct{}), make(chan struct{})
	g.arm(at, after, func() {
		<-started
		_ = cmd.Process.Kill()
		<-gone
	})
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	close(started)
	err = cmd.Wait()
	close(gone)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status, _ := exit.Sys().(syscall.WaitStatus)
		return printed.String(), status.Signal() == syscall.SIGKILL
	}
	return printed.String(), false
}

// checkKeys shows that nothing is lost: what stands in the file opens the Vault, the root token works, nothing is left over.
func checkKeys(t *testing.T, s *server, file string) {
	t.Helper()
	opened := readKeys(t, KeyFile{Path: file})
	if err := s.client().Unseal(t.Context(), SharesOf(opened), nil); err != nil {
		t.Fatalf("the keys in the file do not open Vault: %v", err)
	}
	if err := s.client().waitActive(t.Context(), 50*time.Millisecond, nil); err != nil {
		t.Fatal(err)
	}
	if lives, err := s.client().WithToken(opened.RootToken).Lives(t.Context()); err != nil || !lives {
		t.Fatalf("root token: %v, %v", lives, err)
	}
	for _, pattern := range []string{filepath.Join(filepath.Dir(file), ".*"), filepath.Join(s.Folder, ".onyxia-init*")} {
		if left, err := filepath.Glob(pattern); err != nil || len(left) > 0 {
			t.Errorf("left over: %v, %v", left, err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(text), "beside") || strings.Contains(string(text), "PRIVATE KEY") {
		t.Errorf("the finished file still names a copy or has the one-time key, %v", err)
	}
}

// The process is killed by SIGKILL before and after each of its requests and at each operation on the key file, with the
// answer laid down beside Vault's data. No keys are lost, and the next run finishes.
func TestKilledWithSpool(t *testing.T) {
	const requests = 5
	type moment struct {
		at     int
		after  bool
		killer string
	}
	moments := map[string]moment{}
	for at := 1; at <= requests; at++ {
		moments[fmt.Sprintf("request %d before", at)] = moment{at: at}
		moments[fmt.Sprintf("request %d after", at)] = moment{at: at, after: true}
	}
	for _, killer := range []string{"create before", "create after", "replace 1 before", "replace 1 after", "replace 2 before", "replace 2 after"} {
		moments["key file "+killer] = moment{killer: killer}
	}
	for name, m := range moments {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startVault(t, "")
			g := gateOf(t, s)
			o := childOrder{File: filepath.Join(t.TempDir(), "keys.yaml"), Spool: s.Folder, Killer: m.killer}
			out, killed := runChild(t, g, o, m.at, m.after)
			if !killed {
				t.Fatalf("not killed: %s (%v)", out, g.requests())
			}
			o.Killer = ""
			out, killed = runChild(t, g, o, 0, false)
			if killed || out != string(Initialised) && out != string(Finished) && out != string(Untouched) {
				t.Fatalf("the next run: %q", out)
			}
			checkKeys(t, s, o.File)
			t.Logf("next run: %s, %v", out, g.requests())
		})
	}
	t.Run("not killed", func(t *testing.T) {
		s := startVault(t, "")
		g := gateOf(t, s)
		o := childOrder{File: filepath.Join(t.TempDir(), "keys.yaml"), Spool: s.Folder}
		out, _ := runChild(t, g, o, 0, false)
		if out != string(Initialised) || len(g.requests()) != requests {
			t.Fatalf("%s; %d requests, and the test kills at %d: %v", out, len(g.requests()), requests, g.requests())
		}
		checkKeys(t, s, o.File)
		if out, _ := runChild(t, g, o, 0, false); out != string(Untouched) || len(g.requests()) != 1 {
			t.Fatalf("second run: %s, %v", out, g.requests())
		}
	})
}

// Without a spool there is one moment at which the keys are lost: Vault has answered and the process is killed before the
// document is written. Then Vault is empty and sealed, the next run says so, and after a reset it finishes.
func TestKilledWithoutSpool(t *testing.T) {
	for name, c := range map[string]struct {
		at     int
		after  bool
		killer string
		lost   bool
	}{
		"before seal-status": {at: 1},
		"after seal-status":  {at: 1, after: true},
		"before create":      {killer: "create before"},
		"after create":       {killer: "create after"},
		"before init":        {at: 2},
		"after init":         {at: 2, after: true, lost: true},
		"before replace":     {killer: "replace 1 before", lost: true},
		"after replace":      {killer: "replace 1 after"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startVault(t, "")
			g := gateOf(t, s)
			o := childOrder{File: filepath.Join(t.TempDir(), "keys.yaml"), Killer: c.killer}
			if out, killed := runChild(t, g, o, c.at, c.after); !killed {
				t.Fatalf("not killed: %s", out)
			}
			o.Killer = ""
			out, _ := runChild(t, g, o, 0, false)
			if (out == "lost") != c.lost {
				t.Fatalf("the next run: %q", out)
			}
			if c.lost {
				if seal, err := s.client().SealStatus(t.Context()); err != nil || !seal.Initialised || !seal.Sealed {
					t.Fatalf("a Vault whose keys are lost: %+v, %v", seal, err)
				}
				s.Kill()
				s.Empty(t)
				s.Run(t)
				if out, _ := runChild(t, g, o, 0, false); out != string(Initialised) {
					t.Fatalf("after the reset: %q", out)
				}
			}
			checkKeys(t, s, o.File)
		})
	}
}
