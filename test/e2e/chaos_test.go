//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// everything is set for the whole of these tests, by make chaos; without it they are a sample.
func everything() bool { return os.Getenv("E2E_CHAOS") == "all" }

// On a network that spoils each write once (answer 500, connection cut before the write or after it) all six stages come up by
// themselves, and are as a run on a good network leaves them. In the sample the run before was killed.
func TestChaosNetwork(t *testing.T) {
	b := bed(t)
	seeds, want := []int{0}, []string(nil)
	if everything() {
		seeds, want = []int{0, 1, 2}, b.undisturbed()
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			b := bed(t)
			b.bare()
			keys := filepath.Join(t.TempDir(), "vault-keys")
			network := faults{Network: true, Seed: seed}
			b.withFaults(network, "ingress", "install").ok(t)
			b.tool("demo", "dns")
			if !everything() {
				if _, o := b.throughProxy(faults{Kill: true, After: true, From: 25}, "up", "--keys-file", keys); o.Killed == "" {
					t.Error("it was not killed")
				}
			}
			b.withFaults(network, "up", "--keys-file", keys).ok(t)
			b.same(want)
		})
	}
}

// Killed by SIGKILL before each write, and after each: the run after is killed at the next one that is new, and so on until there is
// none. The last finds nothing more to do than to end.
func TestChaosKilled(t *testing.T) {
	if !everything() {
		t.Skip("NOT RUN: more than half an hour; make chaos runs it")
	}
	want := bed(t).undisturbed()
	for name, after := range map[string]bool{"before": false, "after": true} {
		t.Run(name, func(t *testing.T) {
			b := bed(t)
			b.bare()
			keys := filepath.Join(t.TempDir(), "vault-keys")
			b.killedEach(after, "ingress", "install")
			b.tool("demo", "dns")
			b.killedEach(after, "up", "--keys-file", keys)
			b.same(want)
		})
	}
}

// undisturbed is the cluster after a run that nothing disturbs.
func (b testbed) undisturbed() []string {
	b.t.Helper()
	b.bare()
	b.onyxia("ingress", "install").ok(b.t)
	b.tool("demo", "dns")
	b.onyxia("up", "--keys-file", filepath.Join(b.t.TempDir(), "vault-keys")).ok(b.t)
	return b.state()
}

// same wants nothing to do, nothing that is written, and the cluster to be as another one was.
func (b testbed) same(want []string) {
	b.t.Helper()
	if diff := b.onyxia("diff"); diff.code != 0 {
		b.t.Errorf("diff: exit code %d\n%s%s", diff.code, diff.stdout, diff.stderr)
	}
	if writes := b.writes(func() { b.onyxia("up").ok(b.t) }); len(writes) > 0 {
		b.t.Errorf("one more run wrote:\n%s", strings.Join(writes, "\n"))
	}
	if want == nil {
		return
	}
	if d := cmp.Diff(want, b.state()); d != "" {
		b.t.Error(d)
	}
}

// withFaults is throughProxy, and wants at least one fault.
func (b testbed) withFaults(w faults, args ...string) result {
	b.t.Helper()
	r, o := b.throughProxy(w, args...)
	b.t.Logf("%s: exit code %d after %s, %d writes, %d of them spoiled", strings.Join(args, " "), r.code, r.took.Round(time.Second), len(o.Targets), o.Spoiled)
	if o.Spoiled == 0 {
		b.t.Error("nothing was spoiled")
	}
	return r
}

// killedEach runs the plugin until no write is left at which it was not killed.
func (b testbed) killedEach(after bool, args ...string) {
	b.t.Helper()
	const most = 400 // far more than there are writes
	var tried []string
	for range most {
		r, o := b.throughProxy(faults{Kill: true, After: after, Spare: tried}, args...)
		if o.Killed == "" {
			r.ok(b.t)
			b.t.Logf("%s: killed at %d writes:\n%s", strings.Join(args, " "), len(tried), strings.Join(tried, "\n"))
			return
		}
		tried = append(tried, o.Killed)
	}
	b.t.Fatalf("%s: still killed at something new after %d runs; the last ones:\n%s", strings.Join(args, " "), most, strings.Join(tried[most-10:], "\n"))
}
