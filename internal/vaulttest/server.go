// Package vaulttest starts real Vault servers as plain processes on loopback, and an issuer of tokens for them, for tests.
package vaulttest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/testbed"
)

// The stores of a server. %q in one stands for its folder.
const (
	Raft   = "storage \"raft\" {\n  path = %q\n  node_id = \"vault-0\"\n  performance_multiplier = 1\n}\n"
	Memory = "storage \"inmem\" {}\n"
)

// startTime is how long a server may take to answer on a busy machine; on an idle one it takes a second.
const startTime = 60 * time.Second

// Server is a Vault process, neither initialised nor unsealed by this package.
type Server struct {
	// Address of its API, "http://127.0.0.1:PORT".
	Address string
	// Folder is its volume, Config its configuration file, Home the home of who runs it.
	Folder, Config, Home string
	// Env is the environment of the process, from its next Run on.
	Env []string

	program string
	args    []string
	log     *log
	kill    func()
}

// log is what the server printed.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// Start starts a server on a store, in a new folder. Configuration may follow the store; env is added to its environment.
func Start(t testing.TB, storage string, env ...string) *Server {
	t.Helper()
	program := testbed.Program(t, "vault")
	port, folder := testbed.Port(t), t.TempDir()
	s := &Server{
		Address: fmt.Sprintf("http://127.0.0.1:%d", port), Folder: filepath.Join(folder, "data"), Config: filepath.Join(folder, "vault.hcl"),
		Home: folder, program: program, Env: append(os.Environ(), append(env, "GODEBUG=x509negativeserial=1", "HOME="+folder)...),
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
`, port, testbed.Port(t), strings.Replace(storage, "%q", strconv.Quote(s.Folder), 1))
	if err := os.WriteFile(s.Config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s.args = []string{"-config=" + s.Config}
	s.Empty(t)
	s.Run(t)
	return s
}

// StartDev starts a server in dev mode, as the chart does: it makes a root token for itself at each start, and leaves it in
// Home.
func StartDev(t testing.TB) *Server {
	t.Helper()
	address, home := fmt.Sprintf("127.0.0.1:%d", testbed.Port(t)), t.TempDir()
	s := &Server{
		Address: "http://" + address, Home: home, program: testbed.Program(t, "vault"), args: []string{"-dev", "-dev-listen-address=" + address},
		Env: append(os.Environ(), "GODEBUG=x509negativeserial=1", "HOME="+home, "VAULT_DEV_ROOT_TOKEN_ID="),
	}
	s.Run(t)
	return s
}

// Empty throws the volume away; the server must not be running.
func (s *Server) Empty(t testing.TB) {
	t.Helper()
	if err := os.RemoveAll(s.Folder); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(s.Folder, 0o700); err != nil {
		t.Fatal(err)
	}
}

// Run starts the process, again after Kill, and waits until it answers. It ends with the test.
func (s *Server) Run(t testing.TB) {
	t.Helper()
	s.log = &log{}
	cmd := exec.Command(s.program, append([]string{"server"}, s.args...)...)
	cmd.Env, cmd.Stdout, cmd.Stderr = s.Env, s.log, s.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		// It ends by being killed; what matters of an early end stands in its log.
		_ = cmd.Wait()
	}()
	s.kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		<-ended
		// A connection that was kept alive would break the first request to the next process.
		http.DefaultClient.CloseIdleConnections()
	})
	t.Cleanup(s.kill)
	s.await(t, ended)
}

// await waits until the process answers.
func (s *Server) await(t testing.TB, ended <-chan struct{}) {
	t.Helper()
	client := &http.Client{Timeout: 5 * time.Second}
	for deadline := time.Now().Add(startTime); time.Now().Before(deadline); {
		res, err := client.Get(s.Address + "/v1/sys/seal-status")
		if err == nil {
			body, _ := io.ReadAll(res.Body)
			_ = res.Body.Close()
			// The latter for good, if it was killed while it initialised itself.
			if res.StatusCode == http.StatusOK || bytes.Contains(body, []byte("no seal configuration found")) {
				return
			}
		}
		select {
		case <-ended:
			t.Fatalf("Vault ended:\n%s", s.Log())
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatalf("Vault does not answer:\n%s", s.Log())
}

// Kill ends the process by SIGKILL.
func (s *Server) Kill() { s.kill() }

// Log is what the process printed since it was run.
func (s *Server) Log() string {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return s.log.b.String()
}

// Command is a command as it would run in the server's container.
func (s *Server) Command(command ...string) *exec.Cmd {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(append([]string{}, s.Env...), "PATH="+filepath.Dir(s.program)+":"+os.Getenv("PATH"), "VAULT_ADDR="+s.Address)
	return cmd
}

// Exec runs a command as kubectl exec would, and gives its exit code.
func (s *Server) Exec(command []string, stdin io.Reader, stdout, stderr io.Writer) int {
	cmd := s.Command(command...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(stderr, err)
		return max(cmd.ProcessState.ExitCode(), 1)
	}
	return 0
}
