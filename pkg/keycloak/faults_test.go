package keycloak

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/keycloaktest"
)

func killedHalfWay(ctx context.Context, t *testing.T, server *keycloaktest.Server) {
	whole := newLab(server, "whole")
	whole.mustUp(ctx, t)
	total := len(whole.watch.requests())
	want := whole.state(ctx, t)
	for _, share := range []int{5, 20, 35, 50, 65, 80, 95} {
		l := newLab(server, "killed"+string(rune('a'+share/10)))
		k := max(2, total*share/100)
		killed, cancel := context.WithCancel(ctx)
		l.watch.at = func(n int, _ *http.Request) (*http.Response, error) {
			if n >= k {
				cancel()
				return nil, context.Canceled
			}
			return nil, nil
		}
		if err := l.up(killed); err == nil && len(l.watch.requests()) >= k {
			t.Errorf("killed at request %d of %d: no error", k, total)
		}
		cancel()
		l.watch.at = nil
		if err := l.up(ctx); err != nil {
			t.Errorf("killed at request %d of %d, then run again: %v", k, total, err)
			continue
		}
		if diff := cmp.Diff(want, l.state(ctx, t)); diff != "" {
			t.Errorf("killed at request %d of %d, then run again (-whole +killed):\n%s", k, total, diff)
		}
	}
}

// onceEach makes a fault happen to each request, by method and path, the first time that it is sent.
func onceEach(fault func(*http.Request) (*http.Response, error)) func(int, *http.Request) (*http.Response, error) {
	var mu sync.Mutex
	known := map[string]bool{}
	return func(_ int, r *http.Request) (*http.Response, error) {
		mu.Lock()
		first := !known[r.Method+r.URL.Path]
		known[r.Method+r.URL.Path] = true
		mu.Unlock()
		if first {
			return fault(r)
		}
		return nil, nil
	}
}

// faults are what a server in trouble does: here to every request of a first configure, the first time it is sent.
func faults(ctx context.Context, t *testing.T, server *keycloaktest.Server) {
	whole := newLab(server, "faultless")
	whole.mustUp(ctx, t)
	want := whole.state(ctx, t)
	for name, fault := range map[string]func(*http.Request) (*http.Response, error){
		"500": func(r *http.Request) (*http.Response, error) {
			return answering(r, 500, `{"error":"unknown_error"}`), nil
		},
		"no answer": func(*http.Request) (*http.Response, error) { return nil, errors.New("connection reset by peer") },
		"answer lost": func(r *http.Request) (*http.Response, error) {
			response, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				return nil, err
			}
			response.Body.Close()
			return nil, errors.New("connection reset by peer")
		},
		"token expired": func(r *http.Request) (*http.Response, error) {
			if r.Header.Get("Authorization") != "" {
				r.Header.Set("Authorization", "Bearer x.y.z")
			}
			return nil, nil
		},
	} {
		l := newLab(server, "faults"+strings.ReplaceAll(name, " ", ""))
		l.watch.at = onceEach(fault)
		if err := l.up(ctx); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		l.watch.at = nil
		if err := l.up(ctx); err != nil {
			t.Errorf("%s, then run again: %v", name, err)
			continue
		}
		if diff := cmp.Diff(want, l.state(ctx, t)); diff != "" {
			t.Errorf("%s (-faultless +faults):\n%s", name, diff)
		}
	}
}

// failingRuns answers each request of a configure once with an error that ends the run, and runs again until all is done.
func failingRuns(ctx context.Context, t *testing.T, server *keycloaktest.Server) {
	whole := newLab(server, "unfailing")
	whole.mustUp(ctx, t)
	want := whole.state(ctx, t)
	for name, fault := range map[string]func(*http.Request) (*http.Response, error){
		"409": func(r *http.Request) (*http.Response, error) {
			return answering(r, http.StatusConflict, `{"errorMessage": "injected"}`), nil
		},
		"500": func(r *http.Request) (*http.Response, error) {
			return answering(r, http.StatusInternalServerError, `{"errorMessage": "injected"}`), nil
		},
		"500 after the work was done": func(r *http.Request) (*http.Response, error) {
			response, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				return nil, err
			}
			response.Body.Close()
			return answering(r, http.StatusInternalServerError, `{"errorMessage": "injected"}`), nil
		},
	} {
		l := newLab(server, "failing"+strings.ReplaceAll(name, " ", ""))
		l.patience = time.Nanosecond
		l.watch.at = onceEach(fault)
		runs, most := 1, 2*len(whole.watch.requests())
		for ; runs < most; runs++ {
			err := l.up(ctx)
			if err == nil {
				break
			}
			// without patience, requests that were on the way when another one failed have no time left
			ours := strings.Contains(err.Error(), "injected") || strings.Contains(err.Error(), "it took too long")
			expect(t, ours, "%s: run %d failed with something else: %v", name, runs, err)
		}
		l.watch.at, l.patience = nil, outagePatience
		l.mustUp(ctx, t)
		expect(t, runs > 3 && runs < most, "%s: done after %d runs", name, runs)
		t.Logf("%s to each request: done after %d runs", name, runs)
		l.unchanged(ctx, t)
		if diff := cmp.Diff(want, l.state(ctx, t)); diff != "" {
			t.Errorf("%s (-unfailing +failing):\n%s", name, diff)
		}
	}
}

// statuses notes the statuses of a server's answers.
type statuses struct {
	mu   sync.Mutex
	seen []int
}

func (s *statuses) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		s.mu.Lock()
		s.seen = append(s.seen, response.StatusCode)
		s.mu.Unlock()
	}
	return response, err
}

// expiredToken lets a real token expire on the server while a request waits on the way to it.
func expiredToken(ctx context.Context, t *testing.T, server *keycloaktest.Server) {
	whole := newLab(server, "unexpired")
	whole.mustUp(ctx, t)
	l := newLab(server, "expired")
	short := func(seconds int) {
		must(t, l.theirs.put(ctx, "/realms/master", document{"accessTokenLifespan": seconds}))
	}
	short(6)
	defer short(60)
	seen := &statuses{}
	l.watch.base = seen
	middle := len(whole.watch.requests()) / 2
	var once sync.Once
	l.watch.at = func(n int, r *http.Request) (*http.Response, error) {
		if n >= middle && r.Header.Get("Authorization") != "" {
			once.Do(func() { expect(t, expires(r), "the token of %s %s does not expire", r.Method, r.URL.Path) })
		}
		return nil, nil
	}
	l.mustUp(ctx, t)
	short(60)
	expect(t, slices.Contains(seen.seen, http.StatusUnauthorized), "no token expired on the way: %v", seen.seen)
	l.unchanged(ctx, t)
	if diff := cmp.Diff(whole.state(ctx, t), l.state(ctx, t)); diff != "" {
		t.Errorf("(-unexpired +expired):\n%s", diff)
	}
}

// expires asks with the token of a request until the server takes it no more.
func expires(r *http.Request) bool {
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		ask := r.Clone(context.WithoutCancel(r.Context()))
		ask.Method, ask.URL.Path, ask.URL.RawQuery, ask.Body, ask.ContentLength = http.MethodGet, "/auth/admin/realms/master", "", nil, 0
		if response, err := http.DefaultTransport.RoundTrip(ask); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusUnauthorized {
				return true
			}
		}
	}
	return false
}

// stoppedServer ends the server in the middle of a configure, politely or not; the next run finishes.
func stoppedServer(ctx context.Context, t *testing.T, server *keycloaktest.Server) {
	whole := newLab(server, "unstopped")
	whole.mustUp(ctx, t)
	want := whole.state(ctx, t)
	total := len(whole.watch.requests())
	for name, c := range map[string]struct {
		end   func()
		share int
		words string
	}{
		"killed early": {server.Kill, 20, "no answer from Keycloak"}, "killed": {server.Kill, 50, "no answer from Keycloak"},
		"killed late": {server.Kill, 80, "no answer from Keycloak"},
		// one that is ending may answer with errors of its own until it is gone
		"stopped": {server.Stop, 50, "no answer from Keycloak|50[03] .*Keycloak at .* answers so"},
	} {
		l := newLab(server, strings.ReplaceAll(name, " ", ""))
		l.patience = time.Second
		var once sync.Once
		l.watch.at = func(n int, _ *http.Request) (*http.Response, error) {
			if n >= total*c.share/100 {
				once.Do(c.end)
			}
			return nil, nil
		}
		err := l.up(ctx)
		expect(t, err != nil && regexp.MustCompile(c.words).MatchString(err.Error()), "%s at %d of %d requests: %v", name, total*c.share/100, total, err)
		l.watch.at, l.patience = nil, outagePatience
		server.Run(t)
		l.mustUp(ctx, t)
		l.unchanged(ctx, t)
		if diff := cmp.Diff(want, l.state(ctx, t)); diff != "" {
			t.Errorf("%s (-unstopped +%s):\n%s", name, name, diff)
		}
	}
}
