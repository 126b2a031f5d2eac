package keycloak

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// scripted answers from a list; it stands in for the network, not for Keycloak: what is tested here is which requests are sent.
type scripted struct {
	answers []int
	sent    []string
	tokens  int
}

func (s *scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/token") {
		s.tokens++
		return answering(r, 200, fmt.Sprintf(`{"access_token": "a.b%d.c", "expires_in": 60}`, s.tokens)), nil
	}
	s.sent = append(s.sent, r.Method+" "+strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	status := s.answers[min(len(s.sent), len(s.answers))-1]
	if status == 0 {
		return nil, errors.New("connection refused")
	}
	return answering(r, status, `{"errorMessage": "words of Keycloak"}`), nil
}

func TestRequestsAreRepeated(t *testing.T) {
	for name, c := range map[string]struct {
		answers []int
		send    func(context.Context, *Admin) error
		sent    string
		fails   bool
	}{
		"once":                      {[]int{200}, func(ctx context.Context, a *Admin) error { return a.get(ctx, "/x", nil) }, "GET a.b1.c", false},
		"new token on 401":          {[]int{401, 200}, func(ctx context.Context, a *Admin) error { return a.get(ctx, "/x", nil) }, "GET a.b1.c,GET a.b2.c", false},
		"one new token only":        {[]int{401}, func(ctx context.Context, a *Admin) error { return a.get(ctx, "/x", nil) }, "GET a.b1.c,GET a.b2.c", true},
		"server error":              {[]int{500, 503, 200}, func(ctx context.Context, a *Admin) error { return a.put(ctx, "/x", nil) }, "PUT a.b1.c,PUT a.b1.c,PUT a.b1.c", false},
		"no connection":             {[]int{0, 200}, func(ctx context.Context, a *Admin) error { return a.get(ctx, "/x", nil) }, "GET a.b1.c,GET a.b1.c", false},
		"creation of a unique name": {[]int{500, 409}, func(ctx context.Context, a *Admin) error { _, err := a.create(ctx, "/x", nil); return err }, "POST a.b1.c,POST a.b1.c", true},
		"any other POST is not":     {[]int{500, 200}, func(ctx context.Context, a *Admin) error { return a.post(ctx, "/x", nil) }, "POST a.b1.c", true},
		"a mail is not": {[]int{500, 200}, func(ctx context.Context, a *Admin) error {
			return a.do(ctx, request{method: "PUT", path: "/x", single: true})
		}, "PUT a.b1.c", true},
		"refusal":                    {[]int{403}, func(ctx context.Context, a *Admin) error { return a.get(ctx, "/x", nil) }, "GET a.b1.c", true},
		"deleting what is not there": {[]int{404}, func(ctx context.Context, a *Admin) error { return a.remove(ctx, "/x") }, "DELETE a.b1.c", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wire := &scripted{answers: c.answers}
			a := NewAdmin("http://keycloak/auth/", &http.Client{Transport: wire}, func(context.Context) (Credentials, error) {
				return Credentials{Username: "admin", Password: "hidden-password"}, nil
			})
			err := c.send(t.Context(), a)
			if (err != nil) != c.fails || strings.Join(wire.sent, ",") != c.sent {
				t.Errorf("%v, sent %v", err, wire.sent)
			}
			if err != nil && (strings.Contains(err.Error(), "a.b") || strings.Contains(err.Error(), "hidden")) {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

func TestCancelledWhileWaiting(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	a := NewAdmin("http://keycloak", &http.Client{Transport: &scripted{answers: []int{500}}}, func(context.Context) (Credentials, error) {
		time.AfterFunc(50*time.Millisecond, func() { cancel(errors.New("interrupted")) })
		return Credentials{}, nil
	})
	began := time.Now()
	// far from the end of patience, with room for a machine that is busy
	if err := a.get(ctx, "/x", nil); err == nil || !strings.Contains(err.Error(), "interrupted") || time.Since(began) > outagePatience*2/3 {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}

// A write that waits for others is sent with the token that is good when its turn comes.
func TestTokenIsTakenInTurn(t *testing.T) {
	wire := &scripted{answers: []int{200}}
	a := NewAdmin("http://keycloak", &http.Client{Transport: wire}, func(context.Context) (Credentials, error) { return Credentials{}, nil })
	if err := a.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	done, sent := a.turn(http.MethodGet), make(chan error)
	go func() { sent <- a.put(t.Context(), "/x", nil) }()
	for a.turns.TryRLock() { // until the write waits
		a.turns.RUnlock()
		time.Sleep(time.Millisecond)
	}
	a.Reauthenticate()
	done()
	if err := <-sent; err != nil || strings.Join(wire.sent, ",") != "PUT a.b2.c" {
		t.Errorf("%v, sent %v", err, wire.sent)
	}
}

func TestErrorsOfCredentialsAreGivenOn(t *testing.T) {
	a := NewAdmin("http://keycloak", http.DefaultClient, func(context.Context) (Credentials, error) {
		return Credentials{}, &engine.NotYetError{After: "secret/keycloak"}
	})
	var notYet *engine.NotYetError
	if err := a.get(t.Context(), "/x", nil); !errors.As(err, &notYet) {
		t.Errorf("%v", err)
	}
}

func TestAnswersInWords(t *testing.T) {
	for body, want := range map[string]string{
		`{"errorMessage": "Client c1 already exists"}`:                                                             "GET /p: 409 Conflict: Client c1 already exists",
		`{"error": "invalid_grant", "error_description": "Invalid user credentials"}`:                              "GET /p: 409 Conflict: invalid_grant: Invalid user credentials",
		`{"error": "Realm not found.", "error_description": "For more on this error consult the server log at x"}`: "GET /p: 409 Conflict: Realm not found.",
		`{"field": "username", "errorMessage": "too long"}`:                                                        "GET /p: 409 Conflict: username: too long",
		`{"errors": [{"errorMessage": "one"}, {"errorMessage": "two"}]}`:                                           "GET /p: 409 Conflict: one: two",
		`{"error": "unknown_error"}`:                                                                               "GET /p: 409 Conflict",
		`<html>`:                                                                                                   "GET /p: 409 Conflict",
	} {
		if got := answer("GET", "/p", 409, []byte(body)).Error(); got != want {
			t.Errorf("%s\n got %s\nwant %s", body, got, want)
		}
	}
}

func TestCredentialsPrintNoSecret(t *testing.T) {
	c := Credentials{Username: "admin", Password: "hidden", ClientSecret: "hidden"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, c); strings.Contains(text, "hidden") || !strings.Contains(text, "admin") {
			t.Errorf("%s: %s", verb, text)
		}
		if text := fmt.Sprintf(verb, UserTokens{Access: "hidden"}); strings.Contains(text, "hidden") {
			t.Errorf("%s: %s", verb, text)
		}
	}
}

func jwt(claims string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

func TestClaims(t *testing.T) {
	for _, bad := range []string{"", "opaque", "a.b.c", "a.!.c", jwt(`[]`)} {
		if _, err := ParseClaims(bad); err == nil {
			t.Errorf("%q was taken for a token", bad)
		}
	}
}

// B2: an administrator's password goes to the address that it is for, and not where that sends it: not from http to https either.
func TestB2PasswordFollowsNoRedirect(t *testing.T) {
	for _, code := range []int{301, 302, 307, 308} {
		var reached atomic.Int32
		other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
		t.Cleanup(other.Close)
		server := httptest.NewTLSServer(http.RedirectHandler(other.URL+"/auth/realms/master/x?a=b", code))
		t.Cleanup(server.Close)
		a := NewAdmin(server.URL, server.Client(), func(context.Context) (Credentials, error) {
			return Credentials{Username: "admin", Password: "hidden-password"}, nil
		})
		err := a.get(t.Context(), "/x", nil)
		if err == nil || !strings.Contains(err.Error(), "sent on to "+other.URL+"/auth/realms/master/x, which is not followed") || !strings.Contains(err.Error(), "auth.url") {
			t.Errorf("%d: %v", code, err)
		}
		if reached.Load() != 0 || strings.Contains(fmt.Sprint(err), "hidden") {
			t.Errorf("%d: the other server was asked %d times; %v", code, reached.Load(), err)
		}
	}
}
