package acme

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/acmetest"
)

// troubled is a provider that does what real ones do on their bad days.
type troubled struct {
	present, cleanUp func(domain string) error

	mu      sync.Mutex
	removed []string
}

func (p *troubled) Present(domain, _, _ string) error { return p.present(domain) }

func (p *troubled) CleanUp(domain, _, _ string) error {
	p.mu.Lock()
	p.removed = append(p.removed, domain)
	p.mu.Unlock()
	if p.cleanUp == nil {
		return nil
	}
	return p.cleanUp(domain)
}

// solveWith runs the challenge for both names with such a provider, against a real authority.
func solveWith(ctx context.Context, t *testing.T, order Order, p *troubled) error {
	t.Helper()
	order.Notice = order.Progress
	s, placed, err := begin(ctx, order)
	if err != nil {
		t.Fatal(err)
	}
	s.provider, s.lookup = &provider{name: "troubled", impl: p}, newLookup(order.Resolvers, order.port)
	_, err = s.issue(ctx, placed)
	return err
}

// anyOrder is an order at a real authority.
func anyOrder(t *testing.T) Order {
	t.Helper()
	dns := acmetest.StartDNS(t)
	return orderAt(t, acmetest.Start(t, dns, acmetest.Options{}), dns, &transcript{})
}

func TestProviderOnABadDay(t *testing.T) {
	order := anyOrder(t)
	for name, tc := range map[string]struct {
		provider *troubled
		want     []string
	}{
		"crashes": {
			&troubled{present: func(domain string) error {
				if domain == "onyxia.demo.test" {
					panic("index out of range")
				}
				return nil
			}},
			[]string{"dns provider troubled crashed: index out of range"},
		},
		"refuses": {
			&troubled{present: func(string) error { return errors.New("403 forbidden") }},
			[]string{"dns provider troubled did not set the TXT record", "403 forbidden"},
		},
		"ends the program": {
			&troubled{present: func(string) error { silence{}.Fatalf("no %s", "way"); return nil }},
			[]string{"crashed: no way"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := solveWith(t.Context(), t, order, tc.provider)
			if err == nil {
				t.Fatal("no error")
			}
			for _, word := range tc.want {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not say %q", err, word)
				}
			}
			if len(tc.provider.removed) == 0 {
				t.Error("nothing was cleaned up")
			}
		})
	}
}

// A record that cannot be removed is named, so that a person can do it.
func TestProviderThatDoesNotCleanUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p := &troubled{
		present: func(string) error { cancel(); return nil },
		cleanUp: func(string) error { return errors.New("503 unavailable") },
	}
	err := solveWith(ctx, t, anyOrder(t), p)
	if err == nil || !strings.Contains(err.Error(), "take them out by hand: _acme-challenge.") || !strings.Contains(err.Error(), " IN TXT ") {
		t.Errorf("error: %v", err)
	}
}

// The record of a call that is under way at Ctrl-C must not be removed before it is made.
func TestProviderIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		var course []string
		note := func(what string) { mu.Lock(); defer mu.Unlock(); course = append(course, what) }
		p := &troubled{
			present: func(string) error {
				cancel()
				time.Sleep(abandonAfter / 2) // on the clock of synctest: all that goes on without it has been done by then
				note("made")
				return nil
			},
			cleanUp: func(string) error { note("removed"); return nil },
		}
		s := &session{provider: &provider{name: "troubled", impl: p}}
		if err := s.solve(ctx, []record{{domain: "onyxia.demo.test", fqdn: "_acme-challenge.onyxia.demo.test."}}); !errors.Is(err, context.Canceled) {
			t.Errorf("error: %v", err)
		}
		if got := strings.Join(course, ", "); got != "made, removed" {
			t.Errorf("course: %s", got)
		}
	})
}
