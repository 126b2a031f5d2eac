//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"hash/fnv"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubectl-onyxia/kubectl-onyxia/test/chaos"
)

// faultsVariable has this program take the plugin's place: it runs the plugin behind a proxy that spoils its writes.
const faultsVariable = "E2E_FAULTS"

// faults are those of one run of the plugin. Each target meets one at most.
type faults struct {
	// Network has each target's first write meet a fault of the network. Three seeds in a row meet all three.
	Network bool
	Seed    int
	// Kill sends SIGKILL before a write or After it: the first one whose target is none of Spare, beginning with number From.
	Kill, After bool
	From        int
	Spare       []string

	// Plugin is the program, Report the file for what became of its writes.
	Plugin, Report string
}

// outcome is what became of them.
type outcome struct {
	// Targets are those of all writes, in the order of their arrival. Killed is the one at which the plugin was killed.
	Targets []string
	Spoiled int
	Killed  string
}

// throughProxy runs the plugin behind a proxy that injects the faults.
func (b testbed) throughProxy(w faults, args ...string) (result, outcome) {
	b.t.Helper()
	self, err := os.Executable()
	if err != nil {
		b.t.Fatal(err)
	}
	w.Plugin, w.Report = filepath.Join(b.root, "bin", "kubectl-onyxia"), filepath.Join(b.t.TempDir(), "outcome")
	text, err := json.Marshal(w)
	if err != nil {
		b.t.Fatal(err)
	}
	cmd := b.command(filepath.Join(b.root, "testbed", "demo"), append([]string{"plugin"}, args...)...)
	cmd.Env = append(cmd.Env, "PLUGIN="+self, faultsVariable+"="+string(text))
	r := b.plugin(cmd)
	raw, err := os.ReadFile(w.Report)
	var o outcome
	if err == nil {
		err = json.Unmarshal(raw, &o)
	}
	if err != nil {
		b.t.Fatalf("%v\n%s%s", err, r.stdout, r.stderr)
	}
	return r, o
}

// behindProxy runs the plugin with this program's arguments, behind the proxy.
func behindProxy(text string) (code int, err error) {
	var w faults
	if err := json.Unmarshal([]byte(text), &w); err != nil {
		return 0, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return 0, err
	}
	trust, err := rest.TLSConfigFor(config)
	if err != nil {
		return 0, err
	}
	plugin, ended, o := exec.Command(w.Plugin, os.Args[1:]...), make(chan struct{}), outcome{}
	proxy, err := chaos.New(config.Host, trust, chaos.Options{
		Choose: w.choose(),
		Counts: func(r *http.Request) bool {
			// the lock is renewed by the clock
			return chaos.Changes(r) && (w.Network || !strings.Contains(r.URL.Path, "/leases"))
		},
		Hook: func(at chaos.Write) {
			o.Killed = target(at)
			_ = plugin.Process.Kill()
			<-ended
		},
	})
	if err != nil {
		return 0, err
	}
	server := httptest.NewServer(proxy)
	kubeconfig := w.Report + ".kubeconfig"
	if err := os.WriteFile(kubeconfig, chaos.Kubeconfig(server.URL), 0o600); err != nil {
		return 0, err
	}
	plugin.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, faultsVariable+"=") }), "KUBECONFIG="+kubeconfig)
	plugin.Stdin, plugin.Stdout, plugin.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := plugin.Start(); err != nil {
		return 0, err
	}
	var exit *exec.ExitError
	err = plugin.Wait()
	close(ended)
	if err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	server.CloseClientConnections()
	server.Close()
	for _, each := range proxy.Writes() {
		o.Targets = append(o.Targets, target(each))
		if each.Fault != chaos.None {
			o.Spoiled++
		}
	}
	raw, err := json.Marshal(o)
	if err != nil {
		return 0, err
	}
	return plugin.ProcessState.ExitCode(), os.WriteFile(w.Report, raw, 0o600)
}

// choose decides on each write when it arrives.
func (w faults) choose() func(chaos.Write) chaos.Fault {
	met, killed := map[string]bool{}, false
	return func(write chaos.Write) chaos.Fault {
		name := target(write)
		first := !met[name]
		met[name] = true
		switch {
		case w.Kill && !killed && write.N >= w.From && !slices.Contains(w.Spare, name):
			killed = true
			if w.After {
				return chaos.HookAfter
			}
			return chaos.HookBefore
		case w.Network && first:
			sum := fnv.New32a()
			_, _ = sum.Write([]byte(name))
			kinds := chaos.Network()
			return kinds[(int(sum.Sum32())+w.Seed)%len(kinds)]
		}
		return chaos.None
	}
}

// drawn is what differs from run to run in a name: a release's revision, the end of a job's name.
var drawn = regexp.MustCompile(`(sh\.helm\.release\.v1\..*\.v|onyxia-reach-)[0-9a-z]+`)

// target is what a write is for.
func target(w chaos.Write) string { return drawn.ReplaceAllString(w.Target(), "$1") }
