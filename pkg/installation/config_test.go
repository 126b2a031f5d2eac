package installation

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// parsed is a configuration in both of the forms that readFile gives.
func parsed(t *testing.T, text string) (written, platform.Config) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "onyxia.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, config, err := Options{File: file}.readFile()
	if err != nil {
		t.Fatal(err)
	}
	return keys, config
}

// What is in force: flags, over the file, over the record, over the defaults.
func TestLayers(t *testing.T) {
	for name, c := range map[string]struct {
		flags, file, record string
		want                string // the configuration before defaults
	}{
		"nothing":                    {want: "{}"},
		"flag over file over record": {flags: "domain: flag.org", file: "domain: file.org", record: "domain: record.org", want: "domain: flag.org"},
		"file over record":           {file: "domain: file.org", record: "domain: record.org", want: "domain: file.org"},
		"record":                     {record: "domain: record.org", want: "domain: record.org"},
		"each key by itself": {
			flags: "tls: {dns: {provider: ovh}}", file: "tls: {acme: {email: a@b.org}}", record: "domain: record.org\ntls: {acme: {server: letsencrypt-staging, email: x@y.org}}",
			want: "domain: record.org\ntls: {dns: {provider: ovh}, acme: {email: a@b.org, server: letsencrypt-staging}}",
		},
		"values merge, lists don't": {
			file: "app: {values: {web: {replicaCount: 2}}}\nauth: {locales: [de]}", record: "app: {values: {api: {replicaCount: 3}, web: {replicaCount: 1}}}\nauth: {locales: [en, fr]}",
			want: "app: {values: {web: {replicaCount: 2}, api: {replicaCount: 3}}}\nauth: {locales: [de]}",
		},
		"no over yes":      {file: "s3: {versioning: false}\nauth: {registration: false}", record: "s3: {versioning: true}\nauth: {registration: true}", want: "s3: {versioning: false}\nauth: {registration: false}"},
		"back to default":  {file: "profile: null\ningress: {values: null}\nauth: {locales: [], theme: {url: \"\"}}", record: "profile: guide-2023\ningress: {values: {a: 1}}\nauth: {locales: [de], theme: {url: none}}", want: "auth: {locales: []}"},
		"a whole part":     {file: "auth: null", record: "domain: a.org\nauth: {mode: oidc, url: https://idp.org}", want: "domain: a.org"},
		"absent is absent": {file: "domain: a.org", record: "profile: guide-2023", want: "domain: a.org\nprofile: guide-2023"},
	} {
		t.Run(name, func(t *testing.T) {
			_, flags := parsed(t, c.flags)
			file, _ := parsed(t, c.file)
			_, record := parsed(t, c.record)
			_, want := parsed(t, c.want)
			got, err := layered(flags, file, record)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(text(t, want), text(t, got)); d != "" {
				t.Error(d)
			}
		})
	}
}

func text(t *testing.T, c platform.Config) string {
	t.Helper()
	raw, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestDefaultsComeLast(t *testing.T) {
	got, err := layered(platform.Config{}, written{"domain": "a.org", "profile": nil}, platform.Config{Profile: "guide-2023"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := platform.Complete(got)
	if err != nil || p.Profile != "current" || p.App.Namespace != "onyxia" {
		t.Errorf("%v, profile %q, namespace %q", err, p.Profile, p.App.Namespace)
	}
}

func TestReadFile(t *testing.T) {
	t.Chdir(t.TempDir())
	if keys, config, err := (Options{}).readFile(); err != nil || keys != nil || config.Domain != "" {
		t.Errorf("no file: %v, %v, %v", keys, config, err)
	}
	if _, _, err := (Options{File: "missing.yaml"}).readFile(); err == nil || !strings.Contains(err.Error(), "missing.yaml") {
		t.Errorf("a file that was named and is not there: %v", err)
	}
	if err := os.WriteFile("onyxia.yaml", []byte("domain: here.org\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if keys, config, err := (Options{}).readFile(); err != nil || keys["domain"] != "here.org" || config.Domain != "here.org" {
		t.Errorf("the file of this directory: %v, %v, %v", keys, config, err)
	}
	if err := os.WriteFile("bad.yaml", []byte("domian: a.org\nprofil: current\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := Options{File: "bad.yaml"}.readFile()
	if err == nil || strings.Count(err.Error(), "bad.yaml: unknown key") != 2 {
		t.Errorf("each mistake names the file: %v", err)
	}
}

// The record serves people on other machines, so files become their content in it; nothing else is added.
func TestRecordedForm(t *testing.T) {
	pem := certificate(t)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, []byte(pem), 0o600); err != nil {
		t.Fatal(err)
	}
	config := platform.Config{Domain: "a.org", Trust: platform.Trust{CABundle: file}, TLS: platform.TLS{ACME: platform.ACME{CABundle: file}}}
	p, err := platform.Complete(config)
	if err != nil {
		t.Fatal(err)
	}
	got, err := recorded(p, config)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(got, file) || strings.Count(got, "BEGIN CERTIFICATE") != 2 || strings.Contains(got, "profile") {
		t.Errorf("recorded:\n%s", got)
	}
	back, err := record{configKey: got}.config()
	if err != nil {
		t.Fatal(err)
	}
	again, err := platform.Complete(back)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := recorded(again, back); err != nil || second != got {
		t.Errorf("recorded once more (%v):\n%s", err, second)
	}
}

// What can be known without a cluster is said at once, in the same order each time.
func TestCheckWithoutACluster(t *testing.T) {
	text := "vault: {replicas: three, mod: none}\ncharts: {traefic: {version: \"1\"}}\nimages: {nothing: a:b}\ntls: {dns: {provider: ofh}, acme: {server: letsencript}}\nauth: {emailDomains: [\"@a.org\"]}\ningress: {service: traefik}\n"
	read := func(string) ([]byte, error) { return []byte(text), nil }
	_, first := Check(Options{Read: read})
	if first == nil {
		t.Fatal("all of it is taken")
	}
	for _, want := range []string{
		`key "vault.replicas": text stands`, `unknown key "vault.mod"`, "onyxia.yaml: no domain", "charts.traefic: ", "images.nothing: ", "tls.dns.provider: ", "did you mean ovh", `tls.acme.server: "letsencript"`, `did you mean "letsencrypt"`,
		`auth.emailDomains: "@a.org"`, `ingress.service: "traefik"`,
	} {
		if !strings.Contains(first.Error(), want) {
			t.Errorf("%q is not said: %v", want, first)
		}
	}
	for range 20 {
		if _, again := Check(Options{Read: read}); again.Error() != first.Error() {
			t.Fatalf("another order:\n%v\n%v", first, again)
		}
	}
	// What the command line says counts.
	text = "profile: current"
	if _, err := Check(Options{Read: read, Flags: platform.Config{Domain: "a.org"}}); err != nil {
		t.Error(err)
	}
}

func TestMoves(t *testing.T) {
	all := map[string]bool{"tls": true, "app": true, "auth": true, "s3": true, "vault": true}
	keycloak, oidc := "domain: a.org\nauth: {mode: keycloak, url: \"https://sso.a.org/auth\"}", "domain: a.org\nauth: {mode: oidc, url: \"https://id.a.org\"}"
	minio, vault := "domain: a.org\ns3: {mode: external, url: \"https://s3.a.org\"}", "domain: a.org\nvault: {mode: external, url: \"https://vault.a.org\"}"
	for name, c := range map[string]struct {
		last, next string
		stands     map[string]bool
		want       string
	}{
		"domain":              {"domain: old.org", "domain: new.org", all, "this datalab is at old.org: every address, certificate and login changes to new.org"},
		"nothing stands":      {"domain: old.org", "domain: new.org", nil, ""},
		"prefix":              {"domain: a.org", "domain: a.org\nprefixes: {user: u-}", all, "prefixes.user is user- and becomes u-: "},
		"prefix, no app":      {"domain: a.org", "domain: a.org\nprefixes: {user: u-}", map[string]bool{"tls": true}, ""},
		"the default, said":   {"domain: a.org", "domain: a.org\nauth: {realm: datalab, database: {mode: install}}", all, ""},
		"realm":               {"domain: a.org", "domain: a.org\nauth: {realm: lab}", all, "auth.realm is datalab and becomes lab: "},
		"hosts":               {"domain: a.org", "domain: a.org\nhosts: {lab: kub}", all, "hosts.lab is lab and becomes kub: "},
		"database away":       {"domain: a.org", "domain: a.org\nauth: {database: {mode: external, host: pg, credentialsSecret: pg}}", all, "auth.database.mode is install and becomes external: users"},
		"database back":       {"domain: a.org\nauth: {database: {mode: external}}", "domain: a.org", all, "auth.database.mode is external and becomes install: users"},
		"size is no move":     {"domain: a.org", "domain: a.org\nauth: {database: {size: 9Gi}}", all, ""},
		"issuer":              {oidc, strings.Replace(oidc, "id.", "login.", 1), all, "auth.url is https://id.a.org and becomes https://login.a.org: users"},
		"a slash at its end":  {keycloak, strings.Replace(keycloak, "/auth\"", "/auth/\"", 1), all, ""},
		"name":                {oidc, strings.Replace(oidc, "url", "usernameClaim: sub, url", 1), all, "auth.usernameClaim is preferred_username and becomes sub: people get other names"},
		"name, no login":      {oidc, strings.Replace(oidc, "url", "usernameClaim: sub, url", 1), map[string]bool{"app": true}, ""},
		"S3 of one's own":     {"domain: a.org", minio, all, "s3.mode is install and becomes external: the files"},
		"another S3":          {minio, strings.Replace(minio, "s3.a", "s3.b", 1), all, "s3.url is https://s3.a.org and becomes https://s3.b.org: the files"},
		"no S3 stands":        {"domain: a.org", minio, map[string]bool{"vault": true}, ""},
		"Vault of one's own":  {"domain: a.org", vault, all, "vault.mode is install and becomes external: the secrets"},
		"another Vault":       {vault, strings.Replace(vault, "vault.a", "vault.b", 1), all, "vault.url is https://vault.a.org and becomes https://vault.b.org: the secrets"},
		"OpenBao":             {"domain: a.org", "domain: a.org\nvault: {flavor: openbao}", all, "vault.flavor is vault and becomes openbao: the secrets"},
		"flavor of no server": {vault, strings.Replace(vault, "url", "flavor: openbao, url", 1), all, ""},
		"another engine":      {"domain: a.org", "domain: a.org\nvault: {kvEngine: kv}", all, "vault.kvEngine is onyxia-kv and becomes kv: the secrets"},
		"no Vault stands":     {"domain: a.org", "domain: a.org\nvault: {kvEngine: kv}", map[string]bool{"s3": true}, ""},
		"S3 in another place": {"domain: a.org", "domain: a.org\ns3: {namespace: files}", all, "s3.namespace is minio and becomes files: "},
	} {
		t.Run(name, func(t *testing.T) {
			seen := record{configKey: c.last}
			for stage := range c.stands {
				seen[stagePrefix+stage] = "current"
			}
			e := &entry{key: configKey, want: c.next}
			got := e.Plan(seen).Risk
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("got %q", got)
			}
		})
	}
}
