//go:build e2e

package e2e

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

// The skeleton: a bare cluster, one command, Onyxia over HTTPS; the same command again, nothing written.
func TestUp(t *testing.T) {
	b := bed(t)
	b.bare()
	first := b.onyxia("up", "ingress", "tls", "app").ok(t)
	t.Logf("first run: %s\n%s", first.took.Round(time.Millisecond), first.stdout)
	for _, want := range []string{"release.helm/traefik created", "certificate.acme/onyxia-tls created", "release.helm/onyxia created", "Onyxia is at https://onyxia.demo.test"} {
		if !strings.Contains(first.stdout, want) {
			t.Errorf("stdout lacks %q", want)
		}
	}
	b.tool("demo", "dns")

	t.Run("a client that knows the root alone gets the page", func(t *testing.T) {
		b := bed(t)
		if page := b.curl("https://onyxia.demo.test/"); !strings.Contains(strings.ToLower(page), "onyxia") {
			t.Errorf("the page is %.200s", page)
		}
		var served struct {
			Regions []map[string]any `json:"regions"`
		}
		if err := json.Unmarshal([]byte(b.configuration()), &served); err != nil || len(served.Regions) != 1 {
			t.Errorf("served %v, %v", served, err)
		}
	})
	t.Run("the certificate carries both names", func(t *testing.T) {
		b := bed(t)
		leaf := b.certificate("traefik", "onyxia-tls")
		names := slices.Sorted(slices.Values(leaf.DNSNames))
		if d := cmp.Diff([]string{"*.lab.demo.test", "onyxia.demo.test"}, names); d != "" {
			t.Error(d)
		}
	})
	t.Run("plain HTTP redirects", func(t *testing.T) {
		b := bed(t)
		got := b.in("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", "http://onyxia.demo.test/")
		if !strings.HasPrefix(got, "308 https://onyxia.demo.test") && !strings.HasPrefix(got, "301 https://onyxia.demo.test") {
			t.Errorf("got %q", got)
		}
	})
	t.Run("the second run writes nothing", func(t *testing.T) {
		b := bed(t)
		before := b.revisions()
		var second result
		var acme []string
		writes := b.writes(func() {
			acme = b.acme(func() { second = b.onyxia("up", "ingress", "tls", "app").ok(t) })
		})
		t.Logf("second run: %s\n%s", second.took.Round(time.Millisecond), second.stdout)
		if len(writes) > 0 {
			t.Errorf("writes:\n%s", strings.Join(writes, "\n"))
		}
		if len(acme) > 0 {
			t.Errorf("requests to the ACME server:\n%s", strings.Join(acme, "\n"))
		}
		if d := cmp.Diff(before, b.revisions()); d != "" {
			t.Errorf("Helm revisions: %s", d)
		}
		for _, line := range lines(second.stdout) {
			if !strings.HasSuffix(line, " unchanged") && !strings.HasPrefix(line, "Onyxia is at") {
				t.Errorf("second run says %q", line)
			}
		}
	})
	t.Run("diff finds nothing, and a change made by hand", func(t *testing.T) {
		b := bed(t)
		b.onyxia("diff", "ingress", "tls", "app").ok(t)
		b.in("kubectl", "-n", "onyxia", "scale", "deployment/onyxia-web", "--replicas=2")
		changed := b.onyxia("diff", "ingress", "tls", "app")
		if changed.code != 2 || !strings.Contains(changed.stdout, "spec.replicas") {
			t.Errorf("exit code %d\n%s", changed.code, changed.stdout)
		}
		before := b.revisions()
		b.onyxia("app", "install").ok(t)
		if got := b.in("kubectl", "-n", "onyxia", "get", "deployment/onyxia-web", "-o", "jsonpath={.spec.replicas}"); got != "1" {
			t.Errorf("replicas %s", got)
		}
		if d := cmp.Diff(before, b.revisions()); d != "" {
			t.Errorf("mending made a new Helm revision: %s", d)
		}
	})
	t.Run("status is well", func(t *testing.T) {
		bed(t).onyxia("status").ok(t)
	})
}

// Each stage alone, in the guide's order, and a run that was killed half way, give the same cluster as up.
func TestSameCluster(t *testing.T) {
	b := bed(t)
	b.bare()
	b.onyxia("up", "ingress", "tls", "app").ok(t)
	want := b.state()

	t.Run("stage by stage", func(t *testing.T) {
		b := bed(t)
		b.bare()
		b.onyxia("ingress", "install").ok(t)
		b.onyxia("tls", "issue").ok(t)
		b.onyxia("app", "install").ok(t)
		if d := cmp.Diff(want, b.state()); d != "" {
			t.Error(d)
		}
	})
	for _, write := range []int{1, 8, 20} {
		t.Run(fmt.Sprintf("killed after write %d", write), func(t *testing.T) {
			b := bed(t)
			b.bare()
			b.throughProxy(faults{Kill: true, After: true, From: write}, "up", "ingress", "tls", "app")
			b.onyxia("up", "ingress", "tls", "app").ok(t)
			if d := cmp.Diff(want, b.state()); d != "" {
				t.Error(d)
			}
		})
	}
}

// killed runs the plugin and sends it SIGKILL. It gives whether that hit the run before its end.
func (b testbed) killed(after time.Duration, args ...string) bool {
	b.t.Helper()
	cmd := b.command(filepath.Join(b.root, "testbed", "demo"), append([]string{"plugin"}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	time.Sleep(after)
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
		b.t.Logf("kill: %v", err)
	}
	err := cmd.Wait()
	state, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	hit := ok && state.Signaled() && state.Signal() == syscall.SIGKILL
	if !hit {
		b.t.Logf("the run had ended before it was killed: %v", err)
	}
	return hit
}

// revisions lists the Helm releases with their revisions.
func (b testbed) revisions() []string {
	b.t.Helper()
	return lines(b.in("kubectl", "get", "secret", "-A", "-l", "owner=helm", "-o", "name"))
}

func (b testbed) certificate(namespace, name string) *x509.Certificate {
	b.t.Helper()
	encoded := b.in("kubectl", "-n", namespace, "get", "secret", name, "-o", `jsonpath={.data.tls\.crt}`)
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		b.t.Fatal(err)
	}
	var der []byte
	if block, _ := pem.Decode(raw); block != nil {
		der = block.Bytes
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		b.t.Fatalf("no certificate in %s/%s: %v", namespace, name, err)
	}
	return leaf
}

// The home page, over HTTPS, in a browser that knows the root alone.
func TestHomePageInBrowser(t *testing.T) {
	if b := bed(t); !b.beside() {
		b.onyxia("up", "ingress", "tls", "app").ok(t)
		b.tool("demo", "dns")
	}
	inBrowser(t, func(ctx context.Context, t *testing.T) {
		var title, text string
		err := chromedp.Run(ctx,
			chromedp.Navigate("https://onyxia.demo.test/"),
			eventually(`/Onyxia|Welcome/.test(document.title + document.body.innerText)`),
			chromedp.Title(&title),
			chromedp.Text("body", &text),
		)
		if err != nil {
			t.Fatal(err)
		}
		picture(ctx, t, "home")
		if !strings.Contains(title+text, "Onyxia") && !strings.Contains(title+text, "Welcome") {
			t.Errorf("title %q, text %.300q", title, text)
		}
	})
}
