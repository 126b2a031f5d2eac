//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A company's own Traefik, Vault with file storage and Keycloak stand in the cluster under the names that the datalab's would
// have (C1). Nothing of them is changed before somebody agrees to it, and down leaves them.
func TestForeignReleases(t *testing.T) {
	b := bed(t)
	for _, namespace := range []string{"onyxia", "traefik", "vault", "keycloak"} {
		b.without(namespace)
	}
	b.company()
	t.Cleanup(bed(t).bare)
	before := b.companyState()

	up := b.onyxia("up", "--yes", "--keys-file", filepath.Join(t.TempDir(), "keys.yaml"))
	if up.code != 1 {
		t.Fatalf("up: exit code %d\n%s%s", up.code, up.stdout, up.stderr)
	}
	for _, want := range []string{
		"release.helm/vault: ", "storage file", "set vault.mode to external",
		"release.helm/keycloak: ", "--adopt release.helm/keycloak", "set auth.mode to keycloak",
	} {
		if !strings.Contains(up.stderr, want) {
			t.Errorf("up does not say %q:\n%s", want, up.stderr)
		}
	}
	if asked := b.onyxia("ingress", "install"); asked.code != 1 || !strings.Contains(asked.stderr, "values.deployment.podLabels.company") {
		t.Errorf("ingress install: exit code %d\n%s", asked.code, asked.stderr)
	}
	if after := b.companyState(); after != before {
		t.Errorf("something was changed:\n%s\nbefore:\n%s", after, before)
	}

	// Agreed to, Traefik serves the datalab, and the company's Vault and Keycloak go on beside it.
	installed := b.onyxia("ingress", "install", "--adopt", "release.helm/traefik").ok(t)
	if !strings.Contains(installed.stdout, "release.helm/traefik configured") {
		t.Errorf("not taken over:\n%s", installed.stdout)
	}
	b.tool("demo", "dns")
	b.configure(map[string]any{"auth": map[string]any{"mode": "none"}})
	b.onyxia("up", "tls", "app").ok(t)
	if again := b.onyxia("up", "ingress", "tls", "app").ok(t); strings.Contains(again.stdout, "configured") {
		t.Errorf("the second run:\n%s", again.stdout)
	}

	down := b.onyxia("down", "--yes").ok(t)
	for _, want := range []string{"release.helm/traefik kept: was there before and was adopted", "namespace/traefik kept"} {
		if !strings.Contains(down.stdout, want) {
			t.Errorf("down does not say %q:\n%s", want, down.stdout)
		}
	}
	for _, release := range []string{"traefik", "vault", "keycloak"} {
		b.in("helm", "-n", release, "status", release)
	}
	if status := b.in("kubectl", "-n", "vault", "exec", "vault-0", "--", "cat", "/vault/data/company"); !strings.Contains(status, "secret") {
		t.Errorf("the company's data: %q", status)
	}
}

// company installs what was there before, by helm, from the stand-in charts.
func (b testbed) company() {
	b.t.Helper()
	charts := b.t.TempDir()
	pack := b.command(filepath.Join(b.root, "testbed", "charts", "pack"), charts)
	if out, err := pack.CombinedOutput(); err != nil {
		b.t.Fatalf("%v\n%s", err, out)
	}
	for name, c := range map[string]struct{ chart, values string }{
		"traefik":  {"traefik", "{deployment: {podLabels: {company: yes-it-is}}}"},
		"vault":    {"vault", "{injector: {enabled: false}, server: {enabled: true, standalone: {enabled: true}}}"},
		"keycloak": {"keycloakx", "{replicas: 0}"},
	} {
		found, err := filepath.Glob(filepath.Join(charts, c.chart+"-[0-9]*.tgz"))
		if err != nil || len(found) == 0 {
			b.t.Fatalf("chart %s: %v", c.chart, err)
		}
		values := filepath.Join(charts, name+".yaml")
		if err := os.WriteFile(values, []byte(c.values), 0o600); err != nil {
			b.t.Fatal(err)
		}
		b.in("helm", "install", name, found[0], "-n", name, "--create-namespace", "-f", values)
	}
	for deadline := time.Now().Add(patience); !b.succeeds("kubectl", "-n", "vault", "exec", "vault-0", "--", "sh", "-c", "echo secret >/vault/data/company"); time.Sleep(time.Second) {
		if time.Now().After(deadline) {
			b.t.Fatal("the company's Vault does not start:\n" + b.in("kubectl", "-n", "vault", "describe", "pods"))
		}
	}
}

// companyState is what nothing may change: Helm's records and what runs.
func (b testbed) companyState() string {
	b.t.Helper()
	var all []string
	for _, namespace := range []string{"traefik", "vault", "keycloak"} {
		all = append(all, b.in("kubectl", "-n", namespace, "get", "secrets,configmaps,deployments,statefulsets,persistentvolumeclaims", "-o",
			"jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.uid} {.metadata.generation}{\"\\n\"}{end}"))
		all = append(all, b.in("kubectl", "get", "namespace", namespace, "-o", "jsonpath={.metadata.labels}"))
	}
	return strings.Join(all, "\n")
}
