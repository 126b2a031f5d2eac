package auth

import (
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The script with this machine's own shell and curl, against servers on loopback: what it ends with is what judge reads.
func TestScript(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("NOT RUN: there is no curl on this machine")
	}
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	// Clients that break off are what is tried here.
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, root, 0o600); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	go func() {
		for {
			conn, err := silent.Accept()
			if err != nil {
				return
			}
			// As a controller does that waits for the proxy protocol's header and meets a handshake.
			_ = conn.Close()
		}
	}()
	for name, c := range map[string]struct {
		url, ca string
		want    probeResult
	}{
		"an answer, by the private authority": {server.URL, ca, reached},
		"an authority that nobody knows":      {server.URL, "/dev/null", distrusted},
		"no file of authorities":              {server.URL, "/does/not/exist", distrusted},
		"another name":                        {"https://localhost:" + port, ca, misnamed},
		"nobody listens":                      {"https://127.0.0.1:1", ca, unconnected},
		"cut off":                             {"https://" + silent.Addr().String(), ca, unconnected},
	} {
		t.Run(name, func(t *testing.T) {
			sh := exec.CommandContext(t.Context(), "sh", "-c", script)
			seconds := "0"
			if c.want == reached {
				seconds = "120" // it ends when it got there, on a machine that is busy as well
			}
			sh.Env = []string{"PATH=" + os.Getenv("PATH"), "URL=" + c.url, "AUTHORITIES=" + c.ca, "TRY_SECONDS=" + seconds}
			var said strings.Builder
			sh.Stderr = &said
			code := int32(0)
			var failed *exec.ExitError
			if err := sh.Run(); errors.As(err, &failed) {
				code = int32(failed.ExitCode())
			} else if err != nil {
				t.Fatal(err)
			}
			if got := judge(code, said.String()); got.result != c.want {
				t.Errorf("%+v after exit code %d", got, code)
			}
		})
	}
}
