// Package keycloaktest starts real Keycloak servers as plain processes, for tests.
//
// The versions to test on stand in the environment variable KEYCLOAK_VERSIONS ("20.0.5 21.1.2 24.0.5 26.7.3"); without it such
// tests are skipped, because they need Java, Maven, unzip, 160 MB to fetch and 600 MB of memory for each version, and minutes.
package keycloaktest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/testbed"
)

// The administrator that every server starts with, in realm master.
const (
	AdminName     = "admin"
	AdminPassword = "bootstrap-password-of-tests"
)

// Versions gives the versions to test on, or skips the test and says so.
func Versions(t testing.TB) []string {
	t.Helper()
	versions := strings.Fields(os.Getenv("KEYCLOAK_VERSIONS"))
	if len(versions) == 0 {
		t.Skip(`NOT RUN: this test needs real Keycloak servers: apt-get install openjdk-17-jre-headless maven unzip, ` +
			`then set KEYCLOAK_VERSIONS="20.0.5 21.1.2 24.0.5 26.7.3"; testbed/keycloak fetches them`)
	}
	return versions
}

// How long a server may take to start on a machine that is busy, to answer one request, and to end when it is asked to.
const (
	startTime   = 6 * time.Minute
	attemptTime = 20 * time.Second
	endTime     = time.Minute
)

// Server is a running Keycloak.
type Server struct {
	// URL with the relative path, without a slash at the end.
	URL     string
	Version string

	home, dir string
	port      int
	args      []string
	process   *exec.Cmd
	exited    chan error
}

// Start runs a server on loopback with an empty database, and stops it when the test ends. Only one server runs at a time on a
// machine: others wait. Arguments are added to those of `kc.sh start-dev`.
func Start(t testing.TB, version string, args ...string) *Server {
	t.Helper()
	s := &Server{Version: version, home: distribution(t, version), dir: t.TempDir(), port: testbed.Port(t), args: args}
	s.URL = fmt.Sprintf("http://127.0.0.1:%d/auth", s.port)
	unlock := lock(t, filepath.Dir(s.home))
	t.Cleanup(unlock)
	t.Cleanup(s.Stop)
	s.Run(t)
	s.awaitAdministrator(t)
	return s
}

// awaitAdministrator waits until the administrator can log in; 23 answers before that.
func (s *Server) awaitAdministrator(t testing.TB) {
	t.Helper()
	form := url.Values{"grant_type": {"password"}, "client_id": {"admin-cli"}, "username": {AdminName}, "password": {AdminPassword}}
	client := &http.Client{Timeout: attemptTime}
	for deadline := time.Now().Add(startTime); time.Now().Before(deadline); time.Sleep(300 * time.Millisecond) {
		response, err := client.PostForm(s.URL+"/realms/master/protocol/openid-connect/token", form)
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
	}
	t.Fatalf("the administrator of Keycloak %s cannot log in\n%s", s.Version, s.Log())
}

// Run starts the server's process, again after Stop, on the same database, and waits until it answers. More arguments are for
// this time only.
func (s *Server) Run(t testing.TB, more ...string) {
	t.Helper()
	args := append([]string{"start-dev", "--http-relative-path=/auth", "--cache=local", "--http-host=127.0.0.1", "--http-port=" + strconv.Itoa(s.port)}, s.args...)
	args = append(args, more...)
	if major, _, _ := strings.Cut(s.Version, "."); major < "24" {
		args = append(args, "--features=declarative-user-profile")
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	s.process = exec.Command(filepath.Join(s.home, "bin", "kc.sh"), args...)
	// No *os.File, so that Wait also waits for Java, which kc.sh starts: a new server needs its port and its database.
	said := struct{ io.Writer }{log}
	s.process.Stdout, s.process.Stderr = said, said
	s.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	s.process.Env = s.environment()
	began := time.Now()
	if err := s.process.Start(); err != nil {
		t.Fatal(errors.Join(err, log.Close()))
	}
	s.exited = make(chan error, 1)
	go func(process *exec.Cmd, exited chan<- error) { exited <- errors.Join(process.Wait(), log.Close()) }(s.process, s.exited)
	s.await(t)
	t.Logf("Keycloak %s answers after %s", s.Version, time.Since(began).Round(time.Second))
}

func (s *Server) await(t testing.TB) {
	t.Helper()
	client := &http.Client{Timeout: attemptTime}
	for deadline := time.Now().Add(startTime); time.Now().Before(deadline); time.Sleep(300 * time.Millisecond) {
		select {
		case err := <-s.exited:
			s.process = nil
			t.Fatalf("Keycloak %s ended: %v\n%s", s.Version, err, s.Log())
		default:
		}
		response, err := client.Get(s.URL + "/realms/master")
		if err != nil {
			continue
		}
		response.Body.Close()
		if response.StatusCode == http.StatusOK {
			return
		}
	}
	t.Fatalf("Keycloak %s does not answer\n%s", s.Version, s.Log())
}

// Stop ends the process and what it started; the database stays.
func (s *Server) Stop() {
	if s.process == nil {
		return
	}
	if err := syscall.Kill(-s.process.Process.Pid, syscall.SIGTERM); err == nil {
		select {
		case <-s.exited:
			s.process = nil
			return
		case <-time.After(endTime):
		}
	}
	s.Kill()
}

// Kill ends the process as a crash of its machine does, without a word; the database stays as it is.
func (s *Server) Kill() {
	if s.process == nil {
		return
	}
	if err := syscall.Kill(-s.process.Process.Pid, syscall.SIGKILL); err == nil {
		<-s.exited
	}
	s.process = nil
}

// Command runs kc.sh with other arguments than those of a server, on the stopped server's database. More environment is added.
func (s *Server) Command(t testing.TB, environment []string, args ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), filepath.Join(s.home, "bin", "kc.sh"), args...)
	command.Env = append(s.environment(), environment...)
	if said, err := command.CombinedOutput(); err != nil {
		t.Fatalf("kc.sh %s: %v\n%s", strings.Join(args, " "), err, said)
	}
}

// Admin is the path of the server's own command line for its admin API, kcadm.sh.
func (s *Server) Admin() string { return filepath.Join(s.home, "bin", "kcadm.sh") }

// environment of the server's process.
func (s *Server) environment() []string {
	return append(os.Environ(),
		"KC_DB_URL=jdbc:h2:file:"+filepath.Join(s.dir, "h2")+";NON_KEYWORDS=VALUE",
		"JAVA_OPTS=-Xms64m -Xmx512m -XX:MaxMetaspaceSize=320m -Djava.net.preferIPv4Stack=true",
		"KEYCLOAK_ADMIN="+AdminName, "KEYCLOAK_ADMIN_PASSWORD="+AdminPassword,
		"KC_BOOTSTRAP_ADMIN_USERNAME="+AdminName, "KC_BOOTSTRAP_ADMIN_PASSWORD="+AdminPassword)
}

// Log is the end of what the server wrote.
func (s *Server) Log() string {
	log, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(log[max(0, len(log)-4000):])
}

// distribution fetches a version if it is not there, by the script testbed/keycloak, and gives its folder.
func distribution(t testing.TB, version string) string {
	t.Helper()
	root, err := testbed.Root()
	if err != nil {
		t.Fatal(err)
	}
	fetch := exec.CommandContext(context.Background(), filepath.Join(root, "testbed", "keycloak"), version)
	fetch.Stderr = os.Stderr
	folder, err := fetch.Output()
	if err != nil {
		t.Fatalf("testbed/keycloak %s: %v", version, err)
	}
	return strings.TrimSpace(string(folder))
}

// lock keeps other test processes of this machine from starting a server at the same time.
func lock(t testing.TB, folder string) (unlock func()) {
	t.Helper()
	file, err := os.OpenFile(filepath.Join(folder, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	return func() { file.Close() }
}
