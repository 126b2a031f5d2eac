package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// lab is an HTTPS server for the Onyxia host, at the load balancer's address, with a certificate that signed itself.
type lab struct {
	server *httptest.Server
	caPEM  []byte
	status int
	answer any
}

func newLab(t *testing.T) *lab {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, DNSNames: []string{"onyxia.demo.test"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{caPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), status: http.StatusOK}
	l.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "onyxia.demo.test:"+hostPort(t, l.server.Listener) || r.URL.Path != "/api/public/configuration" {
			http.NotFound(w, r)
			return
		}
		w.WriteHeader(l.status)
		if err := json.NewEncoder(w).Encode(l.answer); err != nil {
			t.Error(err)
		}
	}))
	l.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	l.server.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	l.server.StartTLS()
	t.Cleanup(l.server.Close)
	return l
}

// Onyxia is up when what was rendered is served at its address, under a certificate that is trusted; DNS is not asked.
func TestServed(t *testing.T) {
	l := newLab(t)
	for name, c := range map[string]struct {
		change func(*lab, map[string]any)
		trust  bool
		want   engine.Action
		says   string
	}{
		"as rendered":        {trust: true, want: engine.Unchanged},
		"an authority apart": {want: engine.Pending, says: "if the authority is your own, name its PEM file by the key trust.caBundle"},
		"not yet there":      {trust: true, change: func(l *lab, _ map[string]any) { l.status = http.StatusServiceUnavailable }, want: engine.Pending, says: "answers 503 Service Unavailable"},
		"the old pod": {trust: true, change: func(_ *lab, served map[string]any) {
			regions, ok := served["regions"].([]any)
			if !ok {
				t.Fatalf("served: %v", served)
			}
			one, ok := regions[0].(map[string]any)
			if !ok {
				t.Fatalf("served: %v", served)
			}
			one["name"] = "Old"
		}, want: engine.Pending, says: `the API serves regions[0].name = "Old"`},
		"something else": {trust: true, change: func(l *lab, _ map[string]any) { l.answer = "<html>" }, want: engine.Pending, says: "JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			config := platform.Config{}
			if c.trust {
				config.Trust.CABundle = string(l.caPEM)
			}
			env := environment(t, config)
			values, err := Values(env)
			if err != nil {
				t.Fatal(err)
			}
			version := env.Profile.Components["onyxia"].Chart.Version
			// Without a login the API answers the regions alone, as they are.
			raw, err := json.Marshal(map[string]any{"regions": at(t, values, "api", "regions")})
			if err != nil {
				t.Fatal(err)
			}
			var answer map[string]any
			if err := json.Unmarshal(raw, &answer); err != nil {
				t.Fatal(err)
			}
			l.status, l.answer = http.StatusOK, answer
			if c.change != nil {
				c.change(l, answer)
			}
			s := newServed(env, version, values)
			s.url = strings.Replace(s.url, "onyxia.demo.test", "onyxia.demo.test:"+hostPort(t, l.server.Listener), 1)
			gate := stage.Gate(s.trouble)
			if _, err := gate.Observe(t.Context()); err == nil {
				t.Error("asked before there was an address")
			}
			env.Links.Address.Set([]kube.Address{{IP: netip.MustParseAddr("127.0.0.1")}})
			seen, err := gate.Observe(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if change := gate.Plan(seen); change.Action != c.want || !strings.Contains(change.Why, c.says) {
				t.Errorf("%+v, want %s, %q", change, c.want, c.says)
			}
			health, err := gate.Ready(t.Context())
			if err != nil || health.Ready != (c.want == engine.Unchanged) || health.Hopeless {
				t.Errorf("%+v, %v", health, err)
			}
		})
	}
}

// A slow answer is said in words of ours, whatever of the request it was that took so long.
func TestSlowAnswer(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer server.Close()
	client := &http.Client{Timeout: 100 * time.Millisecond}
	_, err := client.Get(server.URL)
	if got := explained(err); got == nil || got.Error() != server.URL+" does not answer in time" {
		t.Errorf("%v", got)
	}
}
