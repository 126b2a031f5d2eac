package root

import (
	"bytes"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/kubetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/internal/testbed"
	"github.com/kubectl-onyxia/kubectl-onyxia/test/chaos"
)

// F21 (review of 2026-11): one write that is answered by 500, or whose connection is cut, ended a run. Here one write after
// another is spoiled, of an installation and of its removal: each run ends well by itself, and the next one finds nothing to do.
// The faults take turns; with CHAOS=all each write meets each of them.
func TestF21RunsEndWellOnABadNetwork(t *testing.T) {
	t.Parallel()
	cluster := kubetest.Start(t)
	cluster.KeepReady(t)
	charts := testbed.PackCharts(t, "traefik")
	file := filepath.Join(t.TempDir(), "onyxia.yaml")
	if err := os.WriteFile(file, append([]byte("domain: demo.test\n"), chartDigests(t, charts)...), 0o600); err != nil {
		t.Fatal(err)
	}
	tls, err := rest.TLSConfigFor(cluster.Config)
	if err != nil {
		t.Fatal(err)
	}
	// run gives the writes of a command over a proxy that chooses faults.
	run := func(choose func(chaos.Write) chaos.Fault, args ...string) []chaos.Write {
		proxy, err := chaos.New(cluster.Address, tls, chaos.Options{Choose: choose})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(proxy)
		defer server.Close()
		kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
		if err := os.WriteFile(kubeconfig, chaos.Kubeconfig(server.URL), 0o600); err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		args = append(args, "--kubeconfig", kubeconfig, "--cache-dir", t.TempDir())
		code := Main(genericiooptions.IOStreams{In: strings.NewReader(""), Out: &said, ErrOut: &said}, append([]string{"kubectl-onyxia"}, args...))
		if code != 0 {
			t.Errorf("%s: exit code %d\n%s%v", strings.Join(args, " "), code, &said, proxy.Writes())
		}
		return proxy.Writes()
	}
	install := []string{"ingress", "install", "--file", file, "--chart-dir", charts}
	down := []string{"down", "--yes", "--chart-dir", charts}
	sweep := func(fault func(n int) chaos.Fault) {
		for n, longest := 1, 1; n <= longest && !t.Failed(); n++ {
			choose := chaos.At(n, fault(n))
			installed := run(choose, install...)
			if again := run(nil, install...); len(again) > 0 {
				t.Errorf("after %s at write %d the second run wrote %v", fault(n), n, again)
			}
			removed := run(choose, down...)
			longest = max(len(installed), len(removed))
		}
	}
	if os.Getenv("CHAOS") != "all" {
		sweep(func(n int) chaos.Fault { return chaos.Network()[n%len(chaos.Network())] })
		return
	}
	for _, f := range chaos.Network() {
		sweep(func(int) chaos.Fault { return f })
	}
}
