package keycloak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/keycloaktest"
	"github.com/kubectl-onyxia/kubectl-onyxia/internal/testbed"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// refusing gives an address on loopback where nothing listens, and nobody else will.
func refusing(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", testbed.Port(t))
}

// hanging gives an address on loopback that takes connections and says nothing.
func hanging(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
		}
	}()
	return listener.Addr().String()
}

// troubled serves tokens, and to all else one of the server's own errors.
func troubled(t *testing.T, status int) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/token") {
			fmt.Fprint(w, `{"access_token": "`+jwt("{}")+`", "expires_in": 60}`)
			return
		}
		w.WriteHeader(status)
		fmt.Fprint(w, `{"error": "unknown_error"}`)
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// A server that is dead is waited for once, not by each of two dozen steps, and what is told is one line.
func TestPatienceIsSpentOnce(t *testing.T) {
	// As long as this machine may be busy with others: what is waited for again and again takes five times as long.
	const bound = 3 * time.Second
	for name, c := range map[string]struct {
		address func(*testing.T) string
		words   []string
	}{
		"refused": {refusing, []string{"no answer from Keycloak at http://ADDRESS/auth: dial tcp ADDRESS: connect: connection refused (tried for 3s)",
			"see that its pod is ready", "run the same command again"}},
		"hanging": {hanging, []string{"no answer from Keycloak at http://ADDRESS/auth: it took too long (tried for 3s)", "run the same command again"}},
		"500": {func(t *testing.T) string { t.Helper(); return troubled(t, 500) }, []string{"500 Internal Server Error; Keycloak at http://ADDRESS/auth answers so for 3s",
			"look at its log and whether its database runs"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := c.address(t)
			l := newLab(&keycloaktest.Server{URL: "http://" + address + "/auth"}, "dead")
			l.own.outage.patience, l.own.outage.attempt = bound, bound
			began := time.Now()
			run := engine.Run{Steps: l.steps()}
			plan, err := run.Plan(t.Context())
			must(t, err)
			took := time.Since(began)
			// an attempt that hangs is let run once before the server counts as being in trouble
			expect(t, took < 4*bound, "%d steps took %s", len(plan.Steps), took)
			var first *deadError
			for _, s := range plan.Steps {
				var dead *deadError
				expect(t, errors.As(s.Err, &dead), "step %s does not say that the server is given up: %v, %+v", s.ID, s.Err, s.Change)
				if first == nil {
					first = dead
				}
				expect(t, dead == first, "step %s waited on its own", s.ID)
			}
			told := plan.Err().Error()
			for _, words := range c.words {
				words = strings.ReplaceAll(words, "ADDRESS", address)
				expect(t, strings.Contains(told, words), "no %q in:\n%s", words, told)
			}
			expect(t, !strings.Contains(told, "\n"), "more than one line:\n%s", told)
			expect(t, !strings.Contains(told, ownSecret), "the error shows a secret")
			t.Logf("%d steps in %s: %s", len(plan.Steps), took.Round(time.Millisecond), told)
		})
	}
}

// Steps that come one after another, as those of an apply do, wait no longer than steps at once.
func TestPatienceIsSharedByStepsInARow(t *testing.T) {
	const bound = 2 * time.Second
	a := NewAdmin("http://"+refusing(t), http.DefaultClient, (&ServiceAccount{ID: "x", Secret: given(ownSecret)}).Credentials)
	a.outage.patience = bound
	began := time.Now()
	var first *deadError
	for range 12 {
		var dead *deadError
		err := a.put(t.Context(), "/realms/lab", nil)
		expect(t, errors.As(err, &dead), "%v", err)
		if first == nil {
			first = dead
		}
		expect(t, dead == first, "a request waited on its own")
	}
	expect(t, time.Since(began) < 5*bound, "twelve requests took %s", time.Since(began))
}

// A server that is back is used again: within the patience, and after it was given up.
func TestOutageEnds(t *testing.T) {
	address := refusing(t)
	w := &watch{base: &http.Transport{}}
	a := NewAdmin("http://"+address, &http.Client{Transport: w}, (&ServiceAccount{ID: "x", Secret: given(ownSecret)}).Credentials)
	serve := func() *httptest.Server {
		listener, err := net.Listen("tcp", address)
		must(t, err)
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"access_token": "a.b.c", "expires_in": 60}`)
		}))
		server.Listener = listener
		server.Start()
		return server
	}
	var server *httptest.Server
	w.at = func(n int, _ *http.Request) (*http.Response, error) {
		if n == 2 {
			server = serve()
		}
		return nil, nil
	}
	must(t, a.get(t.Context(), "/x", nil))
	server.CloseClientConnections()
	server.Close()

	w.at, a.outage.patience = nil, 100*time.Millisecond
	var dead *deadError
	err := a.get(t.Context(), "/x", nil)
	expect(t, errors.As(err, &dead), "a closed server: %v", err)
	server = serve()
	defer server.Close()
	w.reset()
	a.outage.last = time.Now().Add(time.Hour) // a moment ago, however slow this machine is
	err = a.get(t.Context(), "/x", nil)
	expect(t, errors.As(err, &dead) && len(w.requests()) == 0, "a server given up a moment ago: %v after %v", err, w.requests())
	a.outage.last = time.Now().Add(-2 * lull)
	must(t, a.get(t.Context(), "/x", nil))
}

// Trouble that waiting does not end is told at once, with what to do about it.
func TestLastingTroubleIsNotRetried(t *testing.T) {
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	defer untrusted.Close()
	var dialled atomic.Int32
	dialing := func(err error) *http.Client {
		return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			dialled.Add(1)
			if err != nil {
				return nil, err
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		}}}
	}
	for name, c := range map[string]struct {
		base   string
		client *http.Client
		words  string
	}{
		"certificate":  {untrusted.URL, dialing(nil), "trust.caBundle"},
		"unknown name": {"http://keycloak.invalid", dialing(&net.DNSError{Err: "no such host", Name: "keycloak.invalid", IsNotFound: true}), "DNS record"},
		"not yet":      {"http://keycloak.svc", dialing(&engine.NotYetError{After: "release.helm/keycloak"}), "release.helm/keycloak"},
	} {
		a := NewAdmin(c.base, c.client, (&ServiceAccount{ID: "x", Secret: given(ownSecret)}).Credentials)
		dialled.Store(0)
		err := a.get(t.Context(), "/x", nil)
		expect(t, err != nil && strings.Contains(err.Error(), c.words), "%s: %v", name, err)
		expect(t, dialled.Load() == 1, "%s: tried %d times", name, dialled.Load())
		var notYet *engine.NotYetError
		expect(t, errors.As(err, &notYet) == (name == "not yet"), "%s: %v", name, err)
	}
}
