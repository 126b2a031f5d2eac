package vault

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// server is a real Vault process on loopback.
type server struct {
	Address string
	folder  string
	config  string
	env     []string
	log     *lockedBuffer
	kill    func()
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// vaultBinary finds the server program. The tests against a real server do not run without it, and say so; with
// ONYXIA_TEST_REAL=1 they fail instead.
func vaultBinary(t *testing.T) string {
	t.Helper()
	home := os.Getenv("CLUSTER_HOME")
	if home == "" {
		user, err := os.UserHomeDir()
		if err != nil {
			t.Fatal(err)
		}
		home = filepath.Join(user, ".cache", "onyxia-cluster")
	}
	path := filepath.Join(home, "bin", "vault")
	if _, err := os.Stat(path); err != nil {
		const hint = "the testbed builds it; set CLUSTER_HOME to where its bin folder is"
		if os.Getenv("ONYXIA_TEST_REAL") != "" {
			t.Fatalf("no Vault server at %s: %s", path, hint)
		}
		t.Skipf("NOT RUN against a real Vault: no server at %s: %s; ONYXIA_TEST_REAL=1 makes this a failure", path, hint)
	}
	return path
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// startVault starts a Vault on raft in a new folder, neither initialised nor unsealed. extra is more configuration.
func startVault(t *testing.T, extra string, env ...string) *server {
	t.Helper()
	return startOn(t, "storage \"raft\" {\n  path = %q\n  node_id = \"vault-0\"\n  performance_multiplier = 1\n}\n"+extra, env...)
}

// startOn starts a Vault on the storage; %q in it stands for the folder.
func startOn(t *testing.T, storage string, env ...string) *server {
	t.Helper()
	port, folder := freePort(t), t.TempDir()
	s := &server{
		Address: fmt.Sprintf("http://127.0.0.1:%d", port), folder: filepath.Join(folder, "data"), config: filepath.Join(folder, "vault.hcl"),
		env: append(os.Environ(), append(env, "GODEBUG=x509negativeserial=1", "HOME="+folder)...),
	}
	config := fmt.Sprintf(`ui = true
disable_mlock = true
api_addr = "http://127.0.0.1:%[1]d"
cluster_addr = "https://127.0.0.1:%[2]d"
listener "tcp" {
  address = "127.0.0.1:%[1]d"
  cluster_address = "127.0.0.1:%[2]d"
  tls_disable = 1
}
%[3]s
`, port, freePort(t), strings.Replace(storage, "%q", strconv.Quote(s.folder), 1))
	if err := os.WriteFile(s.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s.empty(t)
	s.start(t)
	return s
}

// empty throws the volume away.
func (s *server) empty(t *testing.T) {
	t.Helper()
	if err := os.RemoveAll(s.folder); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(s.folder, 0o700); err != nil {
		t.Fatal(err)
	}
}

// start runs the program and waits until it answers.
func (s *server) start(t *testing.T) {
	t.Helper()
	s.log = &lockedBuffer{}
	cmd := exec.Command(vaultBinary(t), "server", "-config="+s.config)
	cmd.Env, cmd.Stdout, cmd.Stderr = s.env, s.log, s.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	t.Cleanup(s.kill)
	deadline := time.Now().Add(60 * time.Second)
	for {
		if _, err := s.client().Health(context.Background()); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("Vault does not answer:\n%s", s.log)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (s *server) client() *Client { return &Client{HTTP: http.DefaultClient, Address: s.Address} }

// exec runs a command as kubectl exec would run it in Vault's container.
func (s *server) exec(t *testing.T) Exec {
	path := filepath.Dir(vaultBinary(t)) + ":" + os.Getenv("PATH")
	env := append(append([]string{}, s.env...), "PATH="+path, "VAULT_ADDR="+s.Address)
	return func(_ context.Context, command []string, stdin []byte) ([]byte, error) {
		cmd := exec.Command(command[0], command[1:]...)
		var out, problem bytes.Buffer
		cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = env, bytes.NewReader(stdin), &out, &problem
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("%w: %s", err, problem.String())
		}
		return out.Bytes(), nil
	}
}

func (s *server) spool(t *testing.T) PodSpool {
	return PodSpool{Exec: s.exec(t), Folder: s.folder, CLI: "vault", Where: "the volume of the test's vault"}
}

// running is a Vault that is open, with its keys.
type running struct {
	*server
	keys   KeyFile
	opened Opened
}

// openVault starts, initialises and unseals a Vault that keeps its data in memory, which is faster.
func openVault(t *testing.T) *running {
	t.Helper()
	return opened(t, startOn(t, `storage "inmem" {}`))
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
	if err := r.client().WaitActive(t.Context(), 50*time.Millisecond, nil); err != nil {
		t.Fatal(err)
	}
}

func (r *running) root() *Client { return r.client().WithToken(r.opened.RootToken) }

func initOf(s *server, keeper Keeper) Init {
	return Init{Client: s.client(), Keeper: keeper, Shares: 3, Threshold: 2, Address: "https://vault.lab.demo.test", Now: time.Now}
}

func readKeys(t *testing.T, file KeyFile) Opened {
	t.Helper()
	text, err := file.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := keys.Open()
	if err != nil {
		t.Fatal(err)
	}
	return opened
}
