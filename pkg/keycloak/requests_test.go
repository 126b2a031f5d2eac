package keycloak

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/keycloaktest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// wire counts the bytes of connections, headers included.
type wire struct{ sent, received atomic.Int64 }

func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	return &counted{Conn: conn, wire: w}, err
}

type counted struct {
	net.Conn
	wire *wire
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.wire.received.Add(int64(n))
	return n, err
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.wire.sent.Add(int64(n))
	return n, err
}

// TestRequestsOfASecondRun counts what a configure with nothing to do asks of a real server: the realm with the clients of all
// stages.
func TestRequestsOfASecondRun(t *testing.T) {
	for _, version := range keycloaktest.Versions(t) {
		t.Run(version, func(t *testing.T) {
			l := newLab(keycloaktest.Start(t, version), "bench")
			l.mustUp(t.Context(), t)
			first := len(l.watch.requests())
			l.mustUp(t.Context(), t) // what the server does at the first look only is not counted
			count := &wire{}
			l.watch.base = &http.Transport{DialContext: count.dial, MaxIdleConnsPerHost: 16}
			l.again()
			began := time.Now()
			run, plan := l.plan(t.Context(), t)
			must(t, run.Apply(t.Context(), plan, engine.Options{Timeout: time.Minute}))
			took := time.Since(began)
			requests := l.watch.requests()
			slices.Sort(requests)
			t.Logf("Keycloak %s, %d steps: first configure %d requests; with nothing to do %d requests, %d bytes sent, %d received, %s",
				version, len(plan.Steps), first, len(requests), count.sent.Load(), count.received.Load(), took.Round(time.Millisecond))
			t.Logf("they are:\n%s", strings.Join(requests, "\n"))
			expect(t, len(plan.Steps) == len(l.steps()) && len(differing(plan)) == 0, "not a run with nothing to do: %v", differing(plan))
			expect(t, len(l.watch.writes()) == 0, "writes: %v", l.watch.writes())
			expect(t, len(requests) <= 10, "%d requests, want 10: the login and one for each kind of thing", len(requests))
			expect(t, len(slices.Compact(requests)) == len(l.watch.requests()), "something was asked for twice")
			expect(t, count.received.Load() < 512<<10 && count.sent.Load() < 32<<10, "%d bytes sent, %d received", count.sent.Load(), count.received.Load())
		})
	}
}
