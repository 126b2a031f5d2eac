//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// before is the last commit whose profile had Keycloak 26.5, Traefik 3.6 and floating tags.
const before = "1a2005b"

// A datalab of before, with people in it, gets to today's versions by up: who was there can log in and finds their files and
// secrets, and a second run writes nothing.
func TestUpgrade(t *testing.T) {
	b := bed(t)
	b.bare()
	b.formerImages()
	keys := filepath.Join(t.TempDir(), "vault-keys")
	b.formerly(func() {
		b.onyxia("ingress", "install").ok(t)
		b.tool("demo", "dns")
		first := b.onyxia("up", "--keys-file", keys).ok(t)
		t.Logf("as before: %s\n%s", first.took.Round(time.Millisecond), first.stdout)
	})
	was := b.images()
	for _, want := range []string{"traefik:v3.6.7", "keycloak:26.5.6", "postgres:17", "pgsty/minio:"} {
		if !strings.Contains(was, want) {
			t.Errorf("before, no %s among:\n%s", want, was)
		}
	}
	b.inhabit()

	diff := b.onyxia("diff")
	t.Logf("diff:\n%s", diff.stdout)
	if diff.code != 2 || !strings.Contains(diff.stdout, "traefik 39.0.0 -> traefik 41.3.0") {
		t.Errorf("diff: exit code %d\n%s", diff.code, diff.stderr)
	}
	upgraded := b.onyxia("up").ok(t)
	t.Logf("up: %s\n%s%s", upgraded.took.Round(time.Millisecond), upgraded.stdout, upgraded.stderr)
	// Vault's pods keep the old version until somebody who can open them deletes them.
	b.in("kubectl", "-n", "vault", "delete", "pod", "vault-0")
	b.again("vault", "vault-0", "jsonpath={.status.phase}=Running")
	b.says("sealed", "vault", "status")
	// The file of then does not say whose keys it holds: that is asked.
	b.onyxia("vault", "unseal", "--yes", "--keys-file", keys).ok(t)
	b.again("vault", "vault-0", "condition=Ready")

	now := b.images()
	t.Logf("images:\n%s", now)
	for _, gone := range []string{"v3.6.7", "26.5.6", "pgsty/minio", "vault:2.0.4", "curl:8.10.1"} {
		if strings.Contains(now, gone) {
			t.Errorf("%s still runs", gone)
		}
	}
	for _, line := range lines(now) {
		if strings.Contains(line, "postgres:17") && !regexp.MustCompile(`postgres:17\.\d+`).MatchString(line) {
			t.Errorf("the database's minor version is not named: %s", line)
		}
	}
	b.inhabited()
	if writes := b.writes(func() { b.onyxia("up").ok(t) }); len(writes) > 0 {
		t.Errorf("the second run wrote:\n%s", strings.Join(writes, "\n"))
	}
	b.onyxia("status").ok(t)
	b.onyxia("s3", "configure").ok(t) // proves it again
	b.onyxia("vault", "proof").ok(t)
}

// formerImages loads what the profile named before: the real programs of then as far as they can be had.
func (b testbed) formerImages() {
	b.t.Helper()
	b.t.Setenv("TRAEFIK", "3.6.7")
	b.tool("build", "traefik")
	b.tool("images", "traefik")
	b.t.Setenv("TRAEFIK", "")
	b.t.Setenv("KEYCLOAK", "26.5.6")
	b.tool("images", "keycloak")
	b.t.Setenv("KEYCLOAK", "")
	b.tool("images", "debian=docker.io/curlimages/curl:8.10.1", "minio=docker.io/pgsty/minio:RELEASE.2026-06-18T00-00-00Z")
}

// formerly runs f with the plugin and the stand-in charts of before.
func (b testbed) formerly(f func()) {
	b.t.Helper()
	tree := filepath.Join(b.t.TempDir(), "before")
	run := func(dir, name string, args ...string) string {
		cmd := b.command(name, args...)
		cmd.Dir = dir
		cmd.Env = append(cmd.Env, "CGO_ENABLED=0")
		out, err := cmd.Output()
		if err != nil {
			b.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, stderr(err))
		}
		return string(out)
	}
	run(b.root, "git", "worktree", "add", "--detach", tree, before)
	b.t.Cleanup(func() { run(b.root, "git", "worktree", "remove", "--force", tree) })
	plugin := filepath.Join(tree, "bin", "kubectl-onyxia")
	run(tree, "go", "build", "-buildvcs=false", "-o", plugin, "./cmd/kubectl-onyxia")

	today := b.run("charts.today")
	if err := os.Rename(b.run("charts"), today); err != nil {
		b.t.Fatal(err)
	}
	sums := run(tree, filepath.Join(tree, "testbed", "charts", "pack"), b.run("charts"))
	config := b.read("onyxia.yaml")
	b.name(config, sums)
	b.t.Setenv("PLUGIN", plugin)
	defer func() {
		b.t.Setenv("PLUGIN", "")
		for _, err := range []error{os.WriteFile(b.run("onyxia.yaml"), []byte(config), 0o600), os.RemoveAll(b.run("charts")), os.Rename(today, b.run("charts"))} {
			if err != nil {
				b.t.Error(err)
			}
		}
	}()
	f()
}

// name writes the demo's configuration with the charts that were packed: the lines of sums are "SHA256  NAME-VERSION.tgz".
func (b testbed) name(config, sums string) {
	b.t.Helper()
	var parsed map[string]any
	if err := yaml.Unmarshal([]byte(config), &parsed); err != nil {
		b.t.Fatal(err)
	}
	charts := maps.Clone(parsed["charts"].(map[string]any))
	for _, m := range regexp.MustCompile(`(?m)^([0-9a-f]{64})  (\D+)-([\d.]+)\.tgz$`).FindAllStringSubmatch(sums, -1) {
		if _, named := charts[m[2]]; named && !strings.HasPrefix(m[3], "4.") {
			charts[m[2]] = map[string]any{"version": m[3], "sha256": m[1]}
		}
	}
	parsed["charts"] = charts
	raw, err := yaml.Marshal(parsed)
	if err == nil {
		err = os.WriteFile(b.run("onyxia.yaml"), raw, 0o600)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// images are those of all pods, with the names of their pods.
func (b testbed) images() string {
	b.t.Helper()
	return b.in("kubectl", "get", "pods", "-A", "-o", `jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name}{range .spec.initContainers[*]} {.image}{end}{range .spec.containers[*]} {.image}{end}{"\n"}{end}`)
}

// inhabit makes a user with a file in a bucket and a secret in Vault, by the ways that a browser takes.
func (b testbed) inhabit() {
	b.t.Helper()
	b.kcadm("POST", "/clients", `{"clientId": "e2e-s3", "publicClient": true, "directAccessGrantsEnabled": true, "protocolMappers": `+s3Mappers()+`}`)
	b.kcadm("POST", "/clients", `{"clientId": "e2e", "publicClient": true, "directAccessGrantsEnabled": true, "protocolMappers": [{"name": "aud", "protocol": "openid-connect",
		"protocolMapper": "oidc-audience-mapper", "config": {"included.client.audience": "vault", "access.token.claim": "true"}}]}`)
	b.kcadm("POST", "/users", fmt.Sprintf(`{"username": "e2e-ana", "enabled": true, "emailVerified": true, "email": "ana@demo.test", "firstName": "E", "lastName": "E",
		"credentials": [{"type": "password", "value": %q, "temporary": false}]}`, s3Password))
	file := filepath.Join(b.t.TempDir(), "hello.txt")
	if err := os.WriteFile(file, []byte("written before"), 0o600); err != nil {
		b.t.Fatal(err)
	}
	ana := b.s3Login("e2e-ana")
	for _, args := range [][]string{{"mb", "lab/user-e2e-ana"}, {"cp", file, "lab/user-e2e-ana/hello.txt"}} {
		if out, err := b.mc(ana, args...); err != nil {
			b.t.Fatalf("mc %v: %v\n%s", args, err, out)
		}
	}
	if status, answer := b.vaultAs(b.vaultUser(), "POST", "onyxia-kv/data/user-e2e-ana/x", `{"data": {"a": "written before"}}`); status != "200" {
		b.t.Fatalf("Vault: %s %s", status, answer)
	}
}

// inhabited looks for what inhabit made, by a new login.
func (b testbed) inhabited() {
	b.t.Helper()
	if out, err := b.mc(b.s3Login("e2e-ana"), "cat", "lab/user-e2e-ana/hello.txt"); err != nil || out != "written before" {
		b.t.Errorf("the file: %v\n%s", err, out)
	}
	if status, answer := b.vaultAs(b.vaultUser(), "GET", "onyxia-kv/data/user-e2e-ana/x", ""); status != "200" || !strings.Contains(answer, "written before") {
		b.t.Errorf("the secret: %s %s", status, answer)
	}
}

func (b testbed) vaultUser() string {
	b.t.Helper()
	token, answer := b.vaultLogin(b.tokenOf("datalab", "e2e", "e2e-ana", s3Password))
	if token == "" {
		b.t.Fatal(answer)
	}
	return token
}
