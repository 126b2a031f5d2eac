package root

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/acmetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/internal/kubetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/internal/testbed"
)

// The scripts in testdata/script are the manual of the commands: each one runs the plugin as a user would, against a
// real API server, a real ACME server and a real DNS server. There is no node: workloads are made ready by their status.
// testdata/script/README.md lists the commands that scripts have besides testscript's own.
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
	charts := testbed.PackCharts(t, "*")
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			w := &world{charts: charts}
			said := &transcript{T: t}
			testscript.RunT(said, testscript.Params{
				Files: []string{file},
				Setup: func(env *testscript.Env) error { return w.setup(t, file, env) },
				Cmds:  w.commands(t),
			})
			w.tellsNoSecret(t, said.text.String())
		})
	}
}

// transcript runs a script as this very test and keeps all that it printed.
type transcript struct {
	*testing.T
	text strings.Builder
}

func (s *transcript) Run(_ string, script func(testscript.T)) { script(s) }
func (s *transcript) Parallel()                               {}

// Verbose makes the log complete; Log shows it only to those who asked.
func (s *transcript) Verbose() bool { return true }

func (s *transcript) Log(args ...any) {
	text := fmt.Sprintln(args...)
	s.text.WriteString(text)
	if testing.Verbose() || s.Failed() {
		s.T.Log(text)
	}
}

// world is what surrounds one script.
type world struct {
	charts  string
	names   []string // of the variables that scripts begin with
	cluster *kubetest.Cluster
	dns     *acmetest.DNS
	ca      *acmetest.Authority
	people  *people
	mark    kubetest.Mark
	asked   int
}

// setup starts what the script says it needs in its first line: "# needs: cluster", "# needs: cluster acme". In an
// "idle cluster" nothing gets ready before the script says so; "names" is a cluster whose DNS knows what the name server does.
func (w *world) setup(t *testing.T, file string, env *testscript.Env) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	needs, _, _ := strings.Cut(string(raw), ".")
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, "cache"))
	env.Setenv("CHARTS", w.charts)
	env.Setenv("PATH", env.Getenv("PATH")+string(os.PathListSeparator)+kubectlFolder(t))
	if strings.Contains(needs, "cluster") {
		w.cluster = kubetest.Start(t)
		env.Setenv("KUBECONFIG", w.cluster.Kubeconfig)
		env.Setenv("BOB", w.cluster.User(t, "bob"))
		if !strings.Contains(needs, "idle") {
			w.cluster.KeepReady(t)
		}
	}
	if strings.Contains(needs, "acme") {
		if err := w.authority(t, env); err != nil {
			return err
		}
	}
	if strings.Contains(needs, "keycloak") {
		if err := w.keycloak(t, env); err != nil {
			return err
		}
	}
	if strings.Contains(needs, "names") {
		if err := w.clusterDNS(t); err != nil {
			return err
		}
	}
	for _, pair := range env.Vars {
		name, _, _ := strings.Cut(pair, "=")
		w.names = append(w.names, name)
	}
	return w.configuration(t, env)
}

// configuration adds to the script's onyxia.yaml where the charts, the ACME server and the name server are here.
func (w *world) configuration(t *testing.T, env *testscript.Env) error {
	file := filepath.Join(env.WorkDir, "onyxia.yaml")
	text, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	text = append(text, chartDigests(t, w.charts)...)
	if w.ca != nil {
		text = fmt.Appendf(text, "tls: {acme: {server: %q, caBundle: acme-ca.pem}, dns: {provider: rfc2136, resolvers: [%q]}}\n", w.ca.Directory, w.dns.Addr)
	}
	if w.people != nil {
		text = fmt.Appendf(text, "auth: {mode: keycloak, url: %q, credentialsSecret: onyxia/admin}\ntrust: {caBundle: keycloak-ca.pem}\n", w.people.server.URL)
	}
	return os.WriteFile(file, text, 0o600)
}

// authority starts a name server and an ACME server. The secret for the name server's updates is in a file, as lego's
// variables that end with _FILE want it; so it stands in no transcript by itself.
func (w *world) authority(t *testing.T, env *testscript.Env) error {
	w.dns = acmetest.StartHiddenDNS(t)
	w.ca = acmetest.Start(t, w.dns, acmetest.Options{})
	for name, value := range map[string]string{
		"ACME":                 w.ca.Directory,
		"DNSUPDATE_NAMESERVER": w.dns.Addr, "DNSUPDATE_TSIG_KEY": "onyxia.", "DNSUPDATE_TSIG_ALGORITHM": "hmac-sha256.",
		"DNSUPDATE_TSIG_SECRET_FILE": filepath.Join(env.WorkDir, "tsig.secret"),
		"DNSUPDATE_POLLING_INTERVAL": "1", "DNSUPDATE_PROPAGATION_TIMEOUT": "60",
	} {
		env.Setenv(name, value)
	}
	for name, content := range map[string][]byte{"tsig.secret": []byte(acmetest.Secret), "acme-ca.pem": w.ca.CAPEM} {
		if err := os.WriteFile(filepath.Join(env.WorkDir, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// clusterDNS lets the cluster ask the name server, at the place where clusters have their own.
func (w *world) clusterDNS(t *testing.T) error {
	port := []corev1.ServicePort{{Name: "dns-tcp", Port: 53}}
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "kube-dns"}, Spec: corev1.ServiceSpec{Selector: map[string]string{"k8s-app": "kube-dns"}, Ports: port}}
	if _, err := w.cluster.Clientset().CoreV1().Services("kube-system").Create(t.Context(), s, metav1.CreateOptions{}); err != nil {
		return err
	}
	w.cluster.Back(t, "kube-system", "kube-dns", 53, w.dns.Addr)
	return nil
}

// kubectlFolder holds kubectl, which the testbed builds together with the API server. Scripts use it to change things as
// an admin would, and to call the plugin.
func kubectlFolder(t *testing.T) string {
	t.Helper()
	home, err := testbed.Home()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.Symlink(filepath.Join(home, "bin", "kubectl"), filepath.Join(folder, "kubectl")); err != nil {
		t.Fatal(err)
	}
	return folder
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
