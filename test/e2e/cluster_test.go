//go:build e2e

// Package e2e runs the plugin as a user would, on a real cluster with real pods: testbed/ beside it. See README.md there.
package e2e

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// patience bounds every command of the tests.
const patience = 10 * time.Minute

// held bounds how long a command that was killed may be waited for, since a program that it left behind may hold its output.
const held = 30 * time.Second

// testbed is the running cluster.
type testbed struct {
	t    testing.TB
	root string // of the checkout
	home string // of the testbed
}

func bed(t testing.TB) testbed {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return testbed{t: t, root: root, home: testbedHome()}
}

func testbedHome() string {
	if home := os.Getenv("TESTBED_HOME"); home != "" {
		return home
	}
	return filepath.Join(os.Getenv("HOME"), ".cache", "onyxia-cluster")
}

// run is a file that the testbed left for users of the cluster.
func (b testbed) run(name string) string { return filepath.Join(b.home, "run", name) }

func (b testbed) read(name string) string {
	b.t.Helper()
	raw, err := os.ReadFile(b.run(name))
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.TrimSpace(string(raw))
}

// bare starts the cluster over: nothing is installed in it.
func (b testbed) bare() {
	b.t.Helper()
	b.tool("demo", "cluster")
}

// configure puts keys on top of the demo's configuration until the test ends.
func (b testbed) configure(keys map[string]any) {
	b.t.Helper()
	before := b.read("onyxia.yaml")
	b.t.Cleanup(func() {
		if err := os.WriteFile(b.run("onyxia.yaml"), []byte(before), 0o600); err != nil {
			b.t.Error(err)
		}
	})
	config := map[string]any{}
	if err := yaml.Unmarshal([]byte(b.read("onyxia.yaml")), &config); err != nil {
		b.t.Fatal(err)
	}
	maps.Copy(config, keys)
	raw, err := yaml.Marshal(config)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(b.run("onyxia.yaml"), raw, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// stand puts stages up as an admin does, on the cluster that runs or on a new one: the ingress controller tells its address, the records are made, the rest follows.
func (b testbed) stand(stages ...string) {
	b.t.Helper()
	if !b.succeeds("kubectl", "get", "--raw", "/readyz") {
		b.bare()
	}
	b.onyxia("ingress", "install").ok(b.t)
	b.tool("demo", "dns")
	b.onyxia(append([]string{"up"}, stages...)...).ok(b.t)
}

// without starts the cluster over if something of that namespace stands in it.
func (b testbed) without(namespace string) {
	b.t.Helper()
	if b.succeeds("kubectl", "get", "namespace", namespace) {
		b.bare()
	}
}

func (b testbed) succeeds(args ...string) bool {
	return b.command(filepath.Join(b.root, "testbed", "exec"), args...).Run() == nil
}

// tool runs one of the testbed's programs and returns what it printed.
func (b testbed) tool(name string, args ...string) string {
	b.t.Helper()
	out, err := b.command(filepath.Join(b.root, "testbed", name), args...).Output()
	if err != nil {
		b.t.Fatalf("testbed/%s %s: %v\n%s", name, strings.Join(args, " "), err, stderr(err))
	}
	return string(out)
}

// in runs a command inside the cluster's network.
func (b testbed) in(args ...string) string {
	b.t.Helper()
	return b.tool("exec", args...)
}

func (b testbed) command(name string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	b.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = b.root
	cmd.Env = append(os.Environ(), "TESTBED_HOME="+b.home)
	cmd.WaitDelay = held
	return cmd
}

func stderr(err error) string {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(exit.Stderr)
	}
	return ""
}

// result is what a run of the plugin printed and how it ended.
type result struct {
	stdout, stderr string
	code           int
	took           time.Duration
}

// onyxia runs the plugin inside the cluster's network with the configuration of the demo.
func (b testbed) onyxia(args ...string) result {
	b.t.Helper()
	return b.plugin(b.command(filepath.Join(b.root, "testbed", "demo"), append([]string{"plugin"}, args...)...))
}

func (b testbed) plugin(cmd *exec.Cmd) result {
	b.t.Helper()
	var out, errOut bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = io.Discard
	}
	cmd.Stdout, cmd.Stderr = io.MultiWriter(cmd.Stdout, &out), &errOut
	began := time.Now()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		b.t.Fatal(err)
	}
	return result{stdout: out.String(), stderr: errOut.String(), code: cmd.ProcessState.ExitCode(), took: time.Since(began)}
}

// call is how advice names a command of the plugin: with the configuration that this run was given.
func (b testbed) call(command string) string {
	return "kubectl onyxia -f " + b.run("onyxia.yaml") + " " + command
}

// says repeats a look at something that is just starting until the plugin prints that, and gives the last answer.
func (b testbed) says(what string, args ...string) result {
	b.t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(time.Second) {
		if r := b.onyxia(args...); strings.Contains(r.stdout+r.stderr, what) || time.Now().After(deadline) {
			return r
		}
	}
}

// again waits for a pod that was deleted a moment ago: until there is another, and until that is as wanted.
func (b testbed) again(namespace, pod, state string) {
	b.t.Helper()
	for _, wanted := range []string{"create", state} {
		b.in("kubectl", "-n", namespace, "wait", "pod/"+pod, "--for="+wanted, "--timeout=300s")
	}
}

// ok fails the test when the plugin did.
func (r result) ok(t testing.TB) result {
	t.Helper()
	if r.code != 0 {
		t.Fatalf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	return r
}

// writes counts what clients wrote to the API server while f ran; the lock is not counted.
func (b testbed) writes(f func()) []string {
	b.t.Helper()
	mark := strings.TrimSpace(b.tool("writes", "--mark"))
	f()
	var out []string
	for _, line := range lines(b.tool("writes", mark)) {
		if !strings.Contains(line, "/leases/") && !strings.HasSuffix(strings.Fields(line)[2], "/leases") {
			out = append(out, line)
		}
	}
	return out
}

// acme counts the requests to the ACME server while f ran.
func (b testbed) acme(f func()) []string {
	b.t.Helper()
	mark := strings.TrimSpace(b.tool("acme-requests", "--mark"))
	f()
	return lines(b.tool("acme-requests", mark))
}

// curl fetches an address inside the cluster's network, trusting the ACME server's root alone.
func (b testbed) curl(url string, args ...string) string {
	b.t.Helper()
	return b.in(append([]string{"curl", "-sS", "--cacert", b.run("acme-root.pem"), url}, args...)...)
}

// configuration is what Onyxia's API tells everybody. The ingress controller reads seconds late that a pod has gone, and
// answers 502 for it meanwhile: that is asked again.
func (b testbed) configuration() string {
	b.t.Helper()
	return b.curl("https://onyxia.demo.test/api/public/configuration", "-f", "--retry", "30", "--retry-delay", "1")
}

// state is everything in the cluster that the plugin is answerable for, without what differs from run to run.
func (b testbed) state() []string {
	b.t.Helper()
	var out []string
	kinds := []string{"namespace", "ingressclass", "ingress", "service", "deployment", "statefulset", "job", "configmap", "secret", "serviceaccount", "rolebinding", "clusterrolebinding"}
	for _, kind := range kinds {
		list := b.in("kubectl", "get", kind, "-A", "-o", `go-template={{range .items}}{{.kind}} {{.metadata.namespace}} {{.metadata.name}} {{.metadata.labels}} {{range $k, $v := .data}}{{$k}} {{end}}{{.spec}}{{"\n"}}{{end}}`)
		for _, line := range lines(list) {
			if strings.Contains(line, " kube-") || strings.Contains(line, "sh.helm.release") {
				continue
			}
			out = append(out, stable(line))
		}
	}
	return out
}

// stable cuts what a cluster draws anew each time: addresses and node ports, and the ACME server's root.
func stable(line string) string {
	line = regexp.MustCompile(`(ca-|private-ca:|onyxia\.sh/trust:)[0-9a-f]{16,32}`).ReplaceAllString(line, "${1}DIGEST")
	words := strings.Fields(line)
	for i, w := range words {
		for _, drawn := range []string{"clusterIP:", "clusterIPs:", "nodePort:", "healthCheckNodePort:"} {
			if at := strings.Index(w, drawn); at >= 0 {
				words[i] = w[:at+len(drawn)]
			}
		}
	}
	return strings.Join(words, " ")
}

func lines(text string) []string {
	var out []string
	for _, line := range strings.Split(text, "\n") {
		if strings.TrimSpace(line) != "" {
			out = append(out, line)
		}
	}
	return out
}
