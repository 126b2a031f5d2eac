package s3

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/testbed"
)

// front stands for the ingress controller: TLS for MinIO's public host, with a private authority.
type front struct {
	address netip.Addr
	caPEM   string
	to      atomic.Pointer[http.Handler]
}

// public listens on port 443 of an address of loopback of its own, so that tests may run beside each other. Nobody but root
// may take that port.
func public(t *testing.T) net.Listener {
	t.Helper()
	var err error
	for last := range 100 {
		var listener net.Listener
		listener, err = net.Listen("tcp", fmt.Sprintf("127.0.78.%d:443", last+1))
		if err == nil {
			return listener
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	if os.Getenv("ONYXIA_TEST_REAL") != "" {
		t.Fatalf("the public address needs port 443 of loopback: %v", err)
	}
	t.Skipf("NOT RUN: the public address needs port 443 of loopback: %v; ONYXIA_TEST_REAL=1 makes this a failure", err)
	return nil
}

func newFront(t *testing.T, host string) *front {
	t.Helper()
	listener := public(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "front"}, DNSNames: []string{host}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	f := &front{address: netip.MustParseAddrPort(listener.Addr().String()).Addr(), caPEM: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
	f.answer(http.NotFoundHandler())
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*f.to.Load()).ServeHTTP(w, r) }))
	_ = server.Listener.Close()
	server.Listener = listener
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	return f
}

func (f *front) answer(h http.Handler) { f.to.Store(&h) }

func (f *front) forward(t *testing.T, target string) {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(u)
	// A connection that was left from before the server was stopped would fail when it is there again.
	proxy.Transport = &http.Transport{DisableKeepAlives: true}
	f.answer(proxy)
}

// minioProcess is a real MinIO, as the chart's pod would start it.
type minioProcess struct {
	folder, address string
	env             []string
	process         *exec.Cmd
	audit           *audit
}

func startMinIO(t *testing.T, root, password, issuer string) *minioProcess {
	t.Helper()
	m := &minioProcess{folder: t.TempDir(), audit: newAudit(t), address: fmt.Sprintf("127.0.0.1:%d", testbed.Port(t)), env: []string{
		// Requests wait until the buckets are loaded. MinIO makes those anew that are removed meanwhile (cmd/bucket-metadata-sys.go
		// concurrentLoad, seen on a running server).
		"MINIO_SYNC_BOOT=on",
		"MINIO_ROOT_USER=" + root, "MINIO_ROOT_PASSWORD=" + password, "MINIO_UPDATE=off", "MINIO_BROWSER=off",
		"MINIO_IDENTITY_OPENID_CONFIG_URL=" + issuer + "/.well-known/openid-configuration", "MINIO_IDENTITY_OPENID_CLIENT_ID=minio",
		"MINIO_IDENTITY_OPENID_CLIENT_SECRET=console-only", "MINIO_IDENTITY_OPENID_CLAIM_NAME=policy", "MINIO_IDENTITY_OPENID_SCOPES=openid",
	}}
	m.env = append(m.env, m.audit.env()...)
	m.run(t)
	t.Cleanup(m.stop)
	return m
}

func (m *minioProcess) url() string { return "http://" + m.address }

func (m *minioProcess) run(t *testing.T) {
	t.Helper()
	m.process = exec.Command(testbed.Program(t, "minio"), "server", m.folder, "--address", m.address)
	m.process.Env = append(os.Environ(), m.env...)
	m.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := m.process.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if conn, err := net.Dial("tcp", m.address); err == nil {
			_ = conn.Close()
			return
		}
	}
	t.Fatal("MinIO does not listen")
}

func (m *minioProcess) stop() {
	_ = m.process.Process.Kill()
	_, _ = m.process.Process.Wait()
}
