//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	repo "github.com/kubectl-onyxia/kubectl-onyxia/internal/testbed"
)

// C7: the scripts of docs/operations.md, run in the order of the page: back up, wipe, restore. A user logs in again, and has the
// file and the secret of before. Then the passwords that the page changes.
func TestBackup(t *testing.T) {
	b := bed(t)
	b.without("keycloak")
	b.onyxia("ingress", "install").ok(t)
	b.tool("demo", "dns")
	work := t.TempDir()
	keys := filepath.Join(work, "vault-keys.yaml")
	b.onyxia("up", "--keys-file", keys).ok(t)
	b.in("kubectl", "-n", "onyxia", "create", "secret", "generic", "of-the-admin", "--from-literal=note=kept")
	b.makeMia()
	b.miaHas("written before")

	page := repo.Scripts(t, "docs/operations.md")
	s := b.scripts(work)
	identity := filepath.Join(work, "datalab.key")
	made := s.ok("age-keygen -o " + identity + " 2>&1")
	recipient := regexp.MustCompile(`age1\w+`).FindString(made)

	backup, volumes := page["Backup"][0], page["Backup"][1]
	t.Run("a backup that fails says so", func(t *testing.T) {
		s := bed(t).scripts(work)
		out, err := s.run("export PATH="+s.without("secrets")+":$PATH\n"+backup, "failed", recipient)
		if err == nil || !strings.Contains(out, "NOT backed up") || s.exists("failed") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	s.ok(backup, "plain", recipient)
	s.ok(volumes, "volumes", recipient, keys)
	b.again("vault", "vault-0", "condition=Ready")
	for _, script := range []string{backup, volumes} {
		if out, err := s.run(script, "plain", recipient); err == nil || !strings.Contains(out, "is there already") {
			t.Errorf("a backup was overwritten: %v\n%s", err, out)
		}
	}
	s.private("plain", "volumes")
	b.miaHas("written after")

	var named []string
	for _, line := range lines(b.onyxia("down", "--dry-run").stdout) {
		if found := regexp.MustCompile(`--delete-data ([^\s)]+)`).FindStringSubmatch(line); found != nil {
			named = append(named, "--delete-data", found[1])
		}
	}
	b.onyxia(append([]string{"down", "--yes"}, named...)...).ok(t)
	b.in(append([]string{"kubectl", "delete", "namespace", "--ignore-not-found"}, namespaces()...)...)
	if left := b.in("kubectl", "get", "pvc", "-A", "-o", "name"); left != "" {
		t.Fatalf("not wiped: %s", left)
	}

	restore, login, users, rest := page["Restore"][0], page["Restore"][1], page["Restore"][2], page["Restore"][3]
	s.ok(restore, "plain", "volumes", identity)
	if out, err := s.run(restore, "plain", "volumes", identity); err == nil || !strings.Contains(out, "there is a datalab already") {
		t.Errorf("restored over a datalab: %v\n%s", err, out)
	}
	s.ok("cp plain/onyxia.yaml .")
	t.Logf("login: %s", s.ok(login))
	s.ok(users, "plain", identity)
	t.Logf("the rest: %s", s.ok("set -euo pipefail\n"+rest))
	b.miaFinds("written before")
	if note := b.secret("onyxia", "of-the-admin", "note"); note != "kept" {
		t.Errorf("the admin's own Secret says %q", note)
	}
	if writes := b.writes(func() { b.onyxia("up").ok(t) }); len(writes) > 0 {
		t.Errorf("another run writes:\n%s", strings.Join(writes, "\n"))
	}

	t.Run("passwords that have leaked", func(t *testing.T) {
		b := bed(t)
		before := []string{b.secret("keycloak", "keycloak-db", "password"), b.secret("minio", "minio-root", "rootPassword")}
		s := b.scripts(work)
		for _, script := range page["A password that has leaked"] {
			s.ok(script)
		}
		if slices.Contains(before, b.secret("keycloak", "keycloak-db", "password")) || slices.Contains(before, b.secret("minio", "minio-root", "rootPassword")) {
			t.Error("a password is the old one")
		}
		b.onyxia("up").ok(t)
		b.miaFinds("written before")
	})
}

// C4: another major version of PostgreSQL is refused, and the commands that the message prints bring the users over.
func TestMajorVersionOfPostgreSQL(t *testing.T) {
	b := bed(t)
	b.without("keycloak")
	b.tool("images", "postgres-15")
	b.onyxia("ingress", "install").ok(t)
	b.tool("demo", "dns")
	config := b.read("onyxia.yaml")
	old := config + "\nimages: {postgres: \"docker.io/library/postgres:15\"}\n"
	b.write("onyxia.yaml", old)
	t.Cleanup(func() { b.write("onyxia.yaml", config) })
	b.onyxia("up", "ingress", "tls", "auth").ok(t)
	b.kcadm("POST", "/users", `{"username": "mia", "enabled": true}`)
	b.write("onyxia.yaml", config+"\nimages: {postgres: null}\n")
	var refused result
	if writes := b.writes(func() { refused = b.onyxia("up", "ingress", "tls", "auth") }); refused.code != 1 || len(writes) > 0 {
		t.Fatalf("exit code %d, wrote %q\n%s%s", refused.code, writes, refused.stdout, refused.stderr)
	}
	var commands []string
	_, advice, _ := strings.Cut(refused.stderr, "To move the users")
	for _, line := range lines(advice) {
		if strings.HasPrefix(line, "    ") {
			commands = append(commands, strings.TrimSpace(line))
		}
	}
	if len(commands) != 13 {
		t.Fatalf("%d commands are told:\n%s", len(commands), refused.stderr)
	}
	work := t.TempDir()
	b.scripts(work).ok("set -euxo pipefail\n" + strings.Join(commands, "\n"))
	if found := b.kcadm("GET", "/users?username=mia", ""); !strings.Contains(found, `"mia"`) {
		t.Errorf("mia is lost: %s", found)
	}
	if version := b.in("kubectl", "-n", "keycloak", "exec", "keycloak-db-0", "--", "cat", "/var/lib/postgresql/data/pgdata/PG_VERSION"); version != "17\n" {
		t.Errorf("the data is of version %s", version)
	}
	if writes := b.writes(func() { b.onyxia("up", "ingress", "tls", "auth").ok(t) }); len(writes) > 0 {
		t.Errorf("another run writes:\n%s", strings.Join(writes, "\n"))
	}
}

func namespaces() []string { return []string{"onyxia", "traefik", "keycloak", "minio", "vault"} }

func (b testbed) write(name, text string) {
	b.t.Helper()
	if err := os.WriteFile(b.run(name), []byte(text), 0o600); err != nil {
		b.t.Error(err)
	}
}

// scripts runs scripts in a folder as an admin would: with kubectl, age, and the plugin on the PATH.
type scripts struct {
	b    testbed
	work string
	bin  string
}

func (b testbed) scripts(work string) scripts {
	b.t.Helper()
	s := scripts{b: b, work: work, bin: b.t.TempDir()}
	out, err := b.command("go", "build", "-o", s.bin, "filippo.io/age/cmd/age", "filippo.io/age/cmd/age-keygen").CombinedOutput()
	if err != nil {
		b.t.Fatalf("age: %v\n%s", err, out)
	}
	// As testbed/demo calls it, but without a configuration: the scripts name their own, or rely on the one in the cluster.
	s.program("kubectl-onyxia", fmt.Sprintf(`export RFC2136_NAMESERVER=192.168.50.1:5353 RFC2136_TSIG_ALGORITHM=hmac-sha256. RFC2136_TSIG_KEY=onyxia. RFC2136_TSIG_SECRET=%q
exec %q "$@" --chart-dir %q`, b.read("tsig.secret"), filepath.Join(b.root, "bin", "kubectl-onyxia"), b.run("charts")))
	return s
}

func (s scripts) program(name, text string) {
	s.b.t.Helper()
	if err := os.WriteFile(filepath.Join(s.bin, name), []byte("#!/usr/bin/env bash\n"+text+"\n"), 0o700); err != nil {
		s.b.t.Fatal(err)
	}
}

// without gives a folder with a kubectl that cannot read one kind.
func (s scripts) without(kind string) string {
	s.b.t.Helper()
	broken := scripts{b: s.b, bin: s.b.t.TempDir()}
	broken.program("kubectl", fmt.Sprintf("for word; do [ \"$word\" != %s ] || { echo 'error: the server is gone' >&2; exit 1; }; done\nexec %q \"$@\"", kind, filepath.Join(s.b.home, "bin", "kubectl")))
	return broken.bin
}

func (s scripts) run(text string, args ...string) (string, error) {
	s.b.t.Helper()
	file := filepath.Join(s.b.t.TempDir(), "script")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.b.t.Fatal(err)
	}
	cmd := s.b.command(filepath.Join(s.b.root, "testbed", "exec"), append([]string{"bash", file}, args...)...)
	cmd.Dir = s.work
	cmd.Env = append(cmd.Env, "PATH="+s.bin+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (s scripts) ok(text string, args ...string) string {
	s.b.t.Helper()
	out, err := s.run(text, args...)
	if err != nil {
		s.b.t.Fatalf("%v\n%s", err, out)
	}
	return out
}

func (s scripts) exists(name string) bool {
	_, err := os.Stat(filepath.Join(s.work, name))
	return err == nil
}

// private: nobody else may read what was backed up, and no secret of the cluster is in it as it is.
func (s scripts) private(folders ...string) {
	t := s.b.t
	t.Helper()
	secrets := s.b.generated()
	for _, folder := range folders {
		files, err := os.ReadDir(filepath.Join(s.work, folder))
		if err != nil || len(files) < 3 {
			t.Errorf("%s: %v, %v", folder, files, err)
		}
		for _, f := range files {
			path := filepath.Join(s.work, folder, f.Name())
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm() != 0o600 || info.Size() == 0 {
				t.Errorf("%s: %v, %v", path, info, err)
			}
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for name, value := range secrets {
				if strings.Contains(string(raw), value) {
					t.Errorf("secret %s is in %s", name, path)
				}
			}
		}
	}
}

const miaPassword = "correct horse 1"

// makeMia makes a user, and a client that gives her a token for MinIO and for Vault by her password.
func (b testbed) makeMia() {
	b.t.Helper()
	mappers := strings.TrimSuffix(s3Mappers(), "]") + `, {"name": "vault", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper", "config": {"included.client.audience": "vault", "access.token.claim": "true"}}]`
	b.kcadm("POST", "/clients", `{"clientId": "e2e-backup", "publicClient": true, "directAccessGrantsEnabled": true, "protocolMappers": `+mappers+`}`)
	b.kcadm("POST", "/users", fmt.Sprintf(`{"username": "mia", "enabled": true, "emailVerified": true, "email": "mia@demo.test", "firstName": "M", "lastName": "M",
		"credentials": [{"type": "password", "value": %q, "temporary": false}]}`, miaPassword))
}

// mia logs in at both.
func (b testbed) mia() (s3Keys, string) {
	b.t.Helper()
	jwt := b.tokenOf("datalab", "e2e-backup", "mia", miaPassword)
	k, answer := b.sts(jwt)
	if k.Access == "" {
		b.t.Fatalf("no credentials for S3: %s", answer)
	}
	token, answer := b.vaultLogin(jwt)
	if token == "" {
		b.t.Fatalf("no token of Vault: %s", answer)
	}
	return k, token
}

func (b testbed) miaHas(text string) {
	b.t.Helper()
	k, token := b.mia()
	file := filepath.Join(b.t.TempDir(), "hello.txt")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	for _, args := range [][]string{{"mb", "--ignore-existing", "lab/user-mia"}, {"cp", file, "lab/user-mia/hello.txt"}} {
		if out, err := b.mc(k, args...); err != nil {
			b.t.Fatalf("mc %v: %v\n%s", args, err, out)
		}
	}
	if status, body := b.vaultAs(token, "POST", "onyxia-kv/data/user-mia/x", fmt.Sprintf(`{"data": {"a": %q}}`, text)); status != "200" {
		b.t.Fatalf("%s %s", status, body)
	}
}

func (b testbed) miaFinds(text string) {
	b.t.Helper()
	k, token := b.mia()
	if out, err := b.mc(k, "cat", "lab/user-mia/hello.txt"); err != nil || out != text {
		b.t.Errorf("mia's file: %v, %q", err, out)
	}
	if status, body := b.vaultAs(token, "GET", "onyxia-kv/data/user-mia/x", ""); status != "200" || !strings.Contains(body, text) {
		b.t.Errorf("mia's secret: %s %s", status, body)
	}
}
