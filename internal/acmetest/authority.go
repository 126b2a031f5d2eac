// Package acmetest gives tests a real certificate authority (Pebble) and a real name server, as processes on loopback.
package acmetest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/testbed"
)

// Options of an Authority.
type Options struct {
	// Validity of certificates; default 90 days.
	Validity time.Duration
	// RejectNonces is the share of good nonces that are refused, in percent.
	RejectNonces int
	// EAB are HMAC keys by key identifier; with any, accounts have to be bound to one.
	EAB map[string]string
	// Blocked domains are refused.
	Blocked []string
	// Roots is how many roots besides the first one a chain may lead to.
	Roots int
}

// Authority is a running Pebble 2.10.1.
type Authority struct {
	// Directory is its URL.
	Directory string
	// CAPEM signed the certificate of its HTTPS server.
	CAPEM []byte

	t          testing.TB
	management string
	log        *log
}

// Start starts an authority that asks the given name server, and ends with the test.
func Start(t testing.TB, resolver *DNS, o Options) *Authority {
	t.Helper()
	a := launch(t, resolver, o)
	a.await(t)
	return a
}

func launch(t testing.TB, resolver *DNS, o Options) *Authority {
	t.Helper()
	dir := t.TempDir()
	ports := []int{testbed.Port(t), testbed.Port(t)}
	a := &Authority{
		Directory: fmt.Sprintf("https://127.0.0.1:%d/dir", ports[0]),
		CAPEM:     serverCertificate(t, dir),

		t: t, management: fmt.Sprintf("https://127.0.0.1:%d/roots/0", ports[1]), log: &log{},
	}
	config := filepath.Join(dir, "pebble.json")
	if err := os.WriteFile(config, pebbleConfig(t, dir, ports, o), 0o600); err != nil {
		t.Fatal(err)
	}
	server := exec.Command(pebble(t), "-config", config, "-strict", "-dnsserver", resolver.Addr)
	server.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", fmt.Sprintf("PEBBLE_WFE_NONCEREJECT=%d", o.RejectNonces), "PEBBLE_AUTHZREUSE=0", fmt.Sprintf("PEBBLE_ALTERNATE_ROOTS=%d", o.Roots))
	server.Stdout, server.Stderr = a.log, a.log
	spawn(t, server)
	return a
}

// called is what the authority logs of a request before it answers, and mark is a request that only flushed makes.
const (
	called = " -> calling handler()"
	mark   = "HEAD /dir" + called
)

// Requests counts what was asked of the authority so far.
func (a *Authority) Requests() int {
	a.t.Helper()
	log := a.flushed()
	return strings.Count(log, called) - strings.Count(log, mark)
}

// Log is what the authority wrote.
func (a *Authority) Log() string {
	a.t.Helper()
	return a.flushed()
}

// patience with the authority on a machine that is busy.
const patience = 2 * time.Minute

// flushed makes a request that can be told from others and waits until the log has it. The log is written in order, and of each
// request before its answer, so what was answered before is in it then too.
func (a *Authority) flushed() string {
	a.t.Helper()
	before := strings.Count(a.log.String(), mark)
	if err := a.request(http.MethodHead, a.Directory); err != nil {
		a.t.Fatalf("pebble does not answer any more: %v\n%s", err, a.log)
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if text := a.log.String(); strings.Count(text, mark) > before {
			return text
		}
	}
	a.t.Fatalf("pebble's log does not show the test's own request\n%s", a.log)
	return ""
}

// request asks whoever has the authority's certificate, which is made anew for each.
func (a *Authority) request(method, address string) error {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(a.CAPEM)
	client := &http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	defer client.CloseIdleConnections()
	request, err := http.NewRequest(method, address, http.NoBody)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// await waits for the authority at both of its ports.
func (a *Authority) await(t testing.TB) {
	t.Helper()
	var failure error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if failure = errors.Join(a.request(http.MethodGet, a.Directory), a.request(http.MethodGet, a.management)); failure == nil {
			return
		}
	}
	t.Fatalf("pebble does not answer: %v\n%s", failure, a.log)
}

func pebbleConfig(t testing.TB, dir string, ports []int, o Options) []byte {
	t.Helper()
	if o.Validity == 0 {
		o.Validity = 90 * 24 * time.Hour
	}
	settings := map[string]any{
		"listenAddress":                  fmt.Sprintf("127.0.0.1:%d", ports[0]),
		"managementListenAddress":        fmt.Sprintf("127.0.0.1:%d", ports[1]),
		"certificate":                    filepath.Join(dir, "cert.pem"),
		"privateKey":                     filepath.Join(dir, "key.pem"),
		"keyAlgorithm":                   "ecdsa",
		"externalAccountBindingRequired": len(o.EAB) > 0,
		"externalAccountMACKeys":         o.EAB,
		"domainBlocklist":                o.Blocked,
		"profiles":                       map[string]any{"default": map[string]any{"description": "default", "validityPeriod": int(o.Validity.Seconds())}},
	}
	text, err := json.Marshal(map[string]any{"pebble": settings})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// serverCertificate writes a self-signed certificate for 127.0.0.1 and returns it.
func serverCertificate(t testing.TB, dir string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "acmetest"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, text := range map[string][]byte{"cert.pem": certPEM, "key.pem": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certPEM
}

// log collects a process's output.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
