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

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak/keycloaktest"
)

// refusing gives an address on loopback where nothing listens.
func refusing(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, listener.Close())
	return listener.Addr().String()
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
	const bound = 400 * time.Millisecond
	for name, c := range map[string]struct {
		address func(*testing.T) string
		words   []string
	}{
		"refused": {refusing, []string{"no answer from Keycloak at http://ADDRESS/auth: dial tcp ADDRESS: connect: connection refused (tried for 400ms)",
			"see that its pod is ready", "run the same command again"}},
		"hanging": {hanging, []string{"no answer from Keycloak at http://ADDRESS/auth: it took too long (tried for 400ms)", "run the same command again"}},
		"500": {func(t *testing.T) string { t.Helper(); return troubled(t, 500) }, []string{"500 Internal Server Error; Keycloak at http://ADDRESS/auth answers so for 400ms",
			"look at its log and whether its database runs"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := c.address(t)
			l := newLab(&keycloaktest.Server{URL: "http://" + address + "/auth"}, "dead")
			l.own.outage.patience, l.own.outage.attempt = bound, 2*bound
			began := time.Now()
			run := engine.Run{Steps: l.steps()}
			plan, err := run.Plan(t.Context())
			must(t, err)
			took := time.Since(began)
			// an attempt that hangs is let run once before the server counts as being in trouble
			expect(t, took < 4*bound, "%d steps took %s", len(plan.Steps), took)
			for _, s := range plan.Steps {
				expect(t, s.Err != nil, "step %s has no error: %+v", s.ID, s.Change)
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
	const bound = 300 * time.Millisecond
	a := NewAdmin("http://"+refusing(t), http.DefaultClient, (&ServiceAccount{ID: "x", Secret: given(ownSecret)}).Credentials)
	a.outage.patience = bound
	began := time.Now()
	for range 12 {
		var dead *deadError
		err := a.put(t.Context(), "/realms/lab", nil)
		expect(t, errors.As(err, &dead), "%v", err)
	}
	expect(t, time.Since(began) < 2*bound, "twelve requests took %s", time.Since(began))
}

// A server that is back is used again: within the patience, and after it was given up.
func TestOutageEnds(t *testing.T) {
	address := refusing(t)
	a := NewAdmin("http://"+address, http.DefaultClient, (&ServiceAccount{ID: "x", Secret: given(ownSecret)}).Credentials)
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
	started := make(chan *httptest.Server)
	time.AfterFunc(300*time.Millisecond, func() { started <- serve() })
	must(t, a.get(t.Context(), "/x", nil))
	server := <-started
	server.CloseClientConnections()
	server.Close()

	a.outage.patience = 100 * time.Millisecond
	err := a.get(t.Context(), "/x", nil)
	expect(t, err != nil, "a closed server answered")
	server = serve()
	defer server.Close()
	err = a.get(t.Context(), "/x", nil)
	expect(t, err != nil, "a server given up a moment ago was asked again")
	time.Sleep(lull)
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
		return &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			dialled.Add(1)
			return nil, err
		}}}
	}
	for name, c := range map[string]struct {
		base   string
		client *http.Client
		words  string
	}{
		"certificate":  {untrusted.URL, http.DefaultClient, "trust.caBundle"},
		"unknown name": {"http://keycloak.invalid", dialing(&net.DNSError{Err: "no such host", Name: "keycloak.invalid", IsNotFound: true}), "DNS record"},
		"not yet":      {"http://keycloak.svc", dialing(&engine.NotYetError{After: "release.helm/keycloak"}), "release.helm/keycloak"},
	} {
		a := NewAdmin(c.base, c.client, (&ServiceAccount{ID: "x", Secret: given(ownSecret)}).Credentials)
		dialled.Store(0)
		began := time.Now()
		err := a.get(t.Context(), "/x", nil)
		expect(t, err != nil && strings.Contains(err.Error(), c.words), "%s: %v", name, err)
		expect(t, time.Since(began) < firstPause && dialled.Load() <= 1, "%s: tried %d times in %s", name, dialled.Load(), time.Since(began))
		var notYet *engine.NotYetError
		expect(t, errors.As(err, &notYet) == (name == "not yet"), "%s: %v", name, err)
	}
}
