package root

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/kubetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/acme/acmetest"
)

// The scripts in testdata/script are the manual of the commands: each one runs the plugin as a user would, against a
// real API server, a real ACME server and a real DNS server. There is no node: workloads are made ready by their status.
//
// Beside testscript's own commands: "mark" remembers the present moment, "nowrites" fails if clients wrote to the API
// server since (leases, the lock, aside), "noacme" if the ACME server was asked anything.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"kubectl-onyxia": func() {
			os.Exit(Main(genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}, os.Args))
		},
	})
}

func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	charts := packCharts(t)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			w := &world{charts: charts}
			testscript.Run(t, testscript.Params{
				Files: []string{file},
				Setup: func(env *testscript.Env) error { return w.setup(t, file, env) },
				Cmds:  w.commands(t),
			})
		})
	}
}

// world is what surrounds one script.
type world struct {
	charts  string
	cluster *kubetest.Cluster
	ca      *acmetest.Authority
	mark    kubetest.Mark
	asked   int
}

// setup starts what the script says it needs in its first line: "# needs: cluster", "# needs: cluster acme".
func (w *world) setup(t *testing.T, file string, env *testscript.Env) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, "cache"))
	env.Setenv("CHARTS", w.charts)
	if strings.Contains(first, "cluster") {
		w.cluster = kubetest.Start(t)
		w.cluster.KeepReady(t)
		env.Setenv("KUBECONFIG", w.cluster.Kubeconfig)
	}
	if strings.Contains(first, "acme") {
		dns := acmetest.StartHiddenDNS(t)
		dns.Setenv(t)
		w.ca = acmetest.Start(t, dns, acmetest.Options{})
		if err := os.WriteFile(filepath.Join(env.WorkDir, "acme-ca.pem"), w.ca.CAPEM, 0o600); err != nil {
			return err
		}
		env.Setenv("ACME", w.ca.Directory)
		env.Setenv("RESOLVER", dns.Addr)
		for _, pair := range os.Environ() {
			if name, value, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "RFC2136_") || strings.HasPrefix(name, "DNSUPDATE_") {
				env.Setenv(name, value)
			}
		}
	}
	return os.WriteFile(filepath.Join(env.WorkDir, "charts.yaml"), chartDigests(t, w.charts), 0o600)
}

func (w *world) commands(t *testing.T) map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"mark": func(*testscript.TestScript, bool, []string) {
			w.mark = w.cluster.Mark(t)
			if w.ca != nil {
				w.asked = w.ca.Requests()
			}
		},
		"nowrites": func(ts *testscript.TestScript, _ bool, _ []string) {
			var writes []string
			for _, line := range w.mark.Writes(t) {
				if !strings.Contains(line, "/leases") {
					writes = append(writes, line)
				}
			}
			if len(writes) > 0 {
				ts.Fatalf("clients wrote:\n%s", strings.Join(writes, "\n"))
			}
		},
		"noacme": func(ts *testscript.TestScript, _ bool, _ []string) {
			if asked := w.ca.Requests(); asked > w.asked {
				ts.Fatalf("the ACME server was asked %d times", asked-w.asked)
			}
		},
		"kubectl": func(ts *testscript.TestScript, neg bool, args []string) {
			cmd := exec.Command(kubectl(t), args...)
			cmd.Env = append(os.Environ(), "KUBECONFIG="+ts.Getenv("KUBECONFIG"))
			out, err := cmd.CombinedOutput()
			ts.Logf("%s", out)
			if (err != nil) != neg {
				ts.Fatalf("kubectl: %v", err)
			}
		},
	}
}

// kubectl is the testbed's: scripts use it to change things as an admin would.
func kubectl(t *testing.T) string {
	t.Helper()
	home := os.Getenv("TESTBED_HOME")
	if home == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		home = filepath.Join(dir, "onyxia-cluster")
	}
	return filepath.Join(home, "bin", "kubectl")
}

// packCharts packs the stand-in charts.
func packCharts(t *testing.T) string {
	t.Helper()
	out := t.TempDir()
	folders, err := filepath.Glob("../../../testbed/charts/*/Chart.yaml")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no charts: %v", err)
	}
	args := []string{"run", "-C", "../../../testbed", "./cmd/charts", out}
	for _, f := range folders {
		dir, err := filepath.Abs(filepath.Dir(f))
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, dir)
	}
	if output, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		t.Fatalf("packing charts: %v\n%s", err, output)
	}
	return out
}

// chartDigests is the part of an onyxia.yaml that says which charts these are.
func chartDigests(t *testing.T, dir string) []byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	fmt.Fprintln(&out, "charts:")
	for _, f := range files {
		base := strings.TrimSuffix(filepath.Base(f), ".tgz")
		at := strings.LastIndex(base, "-")
		if name := base[:at]; !strings.HasPrefix(base, "onyxia-4") {
			fmt.Fprintf(&out, "  %s: {version: %s, sha256: %s}\n", name, base[at+1:], digest(t, f))
		}
	}
	return out.Bytes()
}
