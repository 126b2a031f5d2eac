package platform

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/validation"
)

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want Config
		fail string
	}{
		"empty":              {in: "", want: Config{}},
		"comments only":      {in: "# nothing yet\n", want: Config{}},
		"domain":             {in: "domain: example.org\n", want: Config{Domain: "example.org"}},
		"nested":             {in: "tls:\n  dns:\n    provider: ovh\n", want: Config{TLS: TLS{DNS: DNS{Provider: "ovh"}}}},
		"values stay free":   {in: "app:\n  values:\n    anything: {at: all}\n", want: Config{App: App{Values: map[string]any{"anything": map[string]any{"at": "all"}}}}},
		"chart":              {in: "charts:\n  minio: {version: 5.4.0}\n", want: Config{Charts: map[string]Chart{"minio": {Version: "5.4.0"}}}},
		"slip":               {in: "domian: example.org\n", fail: `unknown key "domian": did you mean "domain"?`},
		"case":               {in: "tls: {secretname: x}\n", fail: `unknown key "tls.secretname": did you mean "tls.secretName"?`},
		"slip in a chart":    {in: "charts:\n  minio: {versoin: 5.4.0}\n", fail: `unknown key "charts.minio.versoin": did you mean "charts.minio.version"?`},
		"nothing near":       {in: "zzzzzzzz: 1\n", fail: `unknown key "zzzzzzzz"`},
		"two at once":        {in: "domian: a\ntls: {secretname: b}\n", fail: `"tls.secretname"`},
		"twice":              {in: "domain: a.org\ndomain: b.org\n", fail: "already set"},
		"wrong type":         {in: "domain: [a]\n", fail: `key "domain": a list stands where text is expected`},
		"a list":             {in: "- domain\n", fail: "a map of keys is expected"},
		"not YAML":           {in: "domain: [\n", fail: "not YAML"},
		"section for scalar": {in: "tls: yes\n", fail: `key "tls"`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Parse([]byte(c.in))
			if c.fail != "" {
				if err == nil || !strings.Contains(err.Error(), c.fail) {
					t.Fatalf("got %v, want an error with %q", err, c.fail)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestComplete(t *testing.T) {
	valid := Config{Domain: "example.org"}
	for name, c := range map[string]struct {
		change func(*Config)
		fail   string
	}{
		"defaults":            {change: func(*Config) {}},
		"no domain":           {change: func(c *Config) { c.Domain = "" }, fail: "--domain"},
		"address":             {change: func(c *Config) { c.Domain = "https://example.org" }, fail: "is an address"},
		"wildcard":            {change: func(c *Config) { c.Domain = "*.example.org" }, fail: "give the parent"},
		"upper case":          {change: func(c *Config) { c.Domain = "Example.org" }, fail: "not a DNS name"},
		"underscore":          {change: func(c *Config) { c.Domain = "my_lab.org" }, fail: "not a DNS name"},
		"one label":           {change: func(c *Config) { c.Domain = "localhost" }, fail: "one label"},
		"trailing dot":        {change: func(c *Config) { c.Domain = "example.org." }, fail: "not a DNS name"},
		"too long":            {change: func(c *Config) { c.Domain = strings.Repeat("abcdefghi.", 24) + "org" }, fail: "longer than"},
		"unknown profile":     {change: func(c *Config) { c.Profile = "latest" }, fail: `profile: "latest" is not one of current, guide-2023`},
		"enum below":          {change: func(c *Config) { c.Ingress.Controller = "haproxy" }, fail: "ingress.controller"},
		"same hosts":          {change: func(c *Config) { c.Hosts.Onyxia = "lab" }, fail: "are the same"},
		"prefix":              {change: func(c *Config) { c.Prefixes.User = "User_" }, fail: "prefixes.user"},
		"prefixes overlap":    {change: func(c *Config) { c.Prefixes.Group = "user-g" }, fail: "one begins with the other"},
		"quantity":            {change: func(c *Config) { c.S3.Size = "ten gigs" }, fail: "s3.size"},
		"duration":            {change: func(c *Config) { c.S3.SessionDuration = "1 day" }, fail: "s3.sessionDuration"},
		"issuer without url":  {change: func(c *Config) { c.Auth.Mode = "oidc" }, fail: "auth.url"},
		"s3 without url":      {change: func(c *Config) { c.S3.Mode = "external" }, fail: "s3.url"},
		"vault without url":   {change: func(c *Config) { c.Vault.Mode = "external" }, fail: "vault.url"},
		"even raft":           {change: func(c *Config) { c.Vault.Replicas = 2 }, fail: "vault.replicas"},
		"no such bundle":      {change: func(c *Config) { c.Trust.CABundle = "/does/not/exist" }, fail: "trust.caBundle"},
		"eab":                 {change: func(c *Config) { c.TLS.ACME.EAB = EAB{Kid: "kid-1", HMACSecret: "onyxia/eab"} }},
		"eab by environment":  {change: func(c *Config) { c.TLS.ACME.EAB.Kid = "kid-1" }},
		"hmac without kid":    {change: func(c *Config) { c.TLS.ACME.EAB.HMACSecret = "onyxia/eab" }, fail: "tls.acme.eab.kid"},
		"hmac itself":         {change: func(c *Config) { c.TLS.ACME.EAB = EAB{Kid: "kid-1", HMACSecret: "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajV"} }, fail: "not namespace/name of a Secret; the HMAC key itself stands in that Secret"},
		"key type":            {change: func(c *Config) { c.TLS.ACME.KeyType = "dsa" }, fail: `tls.acme.keyType: "dsa" is not one of ec256, ec384, rsa2048, rsa4096`},
		"renamed hosts":       {change: func(c *Config) { c.Hosts = Hosts{Onyxia: "datalab", Lab: "kub"} }},
		"existing everything": {change: func(c *Config) { c.Auth = Auth{Mode: "oidc", URL: "https://sso.example.org/x"} }},
	} {
		t.Run(name, func(t *testing.T) {
			config := valid
			c.change(&config)
			_, err := Complete(config)
			switch {
			case c.fail == "" && err != nil:
				t.Fatal(err)
			case c.fail != "" && (err == nil || !strings.Contains(err.Error(), c.fail)):
				t.Fatalf("got %v, want an error with %q", err, c.fail)
			}
		})
	}
}

func TestBundleWithoutCertificate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, []byte("not a certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Complete(Config{Domain: "example.org", Trust: Trust{CABundle: file}})
	if err == nil || !strings.Contains(err.Error(), "holds no PEM certificate") {
		t.Fatalf("got %v", err)
	}
}

func TestDerivedNames(t *testing.T) {
	p, err := Complete(Config{Domain: "example.org", Hosts: Hosts{Lab: "kub"}})
	if err != nil {
		t.Fatal(err)
	}
	got := []string{p.OnyxiaURL(), p.AuthHost(), p.Issuer(), p.S3URL(), p.MinIOConsoleHost(), p.VaultURL()}
	want := []string{
		"https://onyxia.example.org", "auth.kub.example.org", "https://auth.kub.example.org/auth/realms/datalab",
		"https://minio.kub.example.org", "minio-console.kub.example.org", "https://vault.kub.example.org",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"onyxia.example.org", "*.kub.example.org"}, p.CertificateNames()); d != "" {
		t.Error(d)
	}
	longest := p.Prefixes.User + strings.Repeat("a", p.MaxUsername())
	if host := longest + "-123456-0"; p.MaxUsername() != 49 || len(validation.IsDNS1123Label(host)) > 0 || len(validation.IsDNS1123Label("a"+host)) == 0 {
		t.Errorf("MaxUsername = %d: the host of a service is %s (defect D30)", p.MaxUsername(), host)
	}
}

func TestExternalAddresses(t *testing.T) {
	p, err := Complete(Config{
		Domain: "example.org",
		Auth:   Auth{Mode: "keycloak", URL: "https://sso.example.org/auth/", Realm: "lab", CredentialsSecret: "sso/admin"},
		S3:     S3{Mode: "external", URL: "https://s3.example.org/", CredentialsSecret: "onyxia/theirs"},
		Vault:  Vault{Mode: "external", URL: "https://bao.example.org/"},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := []string{p.Issuer(), p.S3URL(), p.VaultURL()}
	if d := cmp.Diff([]string{"https://sso.example.org/auth/realms/lab", "https://s3.example.org", "https://bao.example.org"}, got); d != "" {
		t.Error(d)
	}
}

func TestNoDomainIsRecognised(t *testing.T) {
	if _, err := Complete(Config{}); !errors.Is(err, ErrNoDomain) {
		t.Fatalf("got %v", err)
	}
}

// Every key carries a description, and the schema knows exactly the keys that Parse knows.
func TestSchema(t *testing.T) {
	raw, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	var root map[string]any
	if err := json.Unmarshal(raw, &root); err != nil {
		t.Fatal(err)
	}
	if undescribed := withoutDescription(root, ""); len(undescribed) > 0 {
		t.Errorf("keys without a description: %v", undescribed)
	}
	profile := root["properties"].(map[string]any)["profile"].(map[string]any)
	if d := cmp.Diff([]any{"current", "guide-2023", nil}, profile["enum"]); d != "" {
		t.Error(d)
	}
}

func withoutDescription(s map[string]any, path string) []string {
	var out []string
	properties, _ := s["properties"].(map[string]any)
	for _, key := range sortedKeys(properties) {
		p := properties[key].(map[string]any)
		if p["description"] == nil {
			out = append(out, path+key)
		}
		out = append(out, withoutDescription(p, path+key+".")...)
	}
	return out
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"domain: example.org", "charts: {a: 1}", "charts: {a: {b: c}}", "tls: [1]", "? {a: b}: c", "null", "1"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data)
		if err != nil {
			return
		}
		if _, err := Complete(c); err == nil && c.Domain == "" {
			t.Error("complete without a domain")
		}
	})
}

// Paths inside Vault mean nothing in a policy, and a login at another path has a policy of its own.
func TestVaultPaths(t *testing.T) {
	for name, c := range map[string]struct {
		auth, kv, policy, err string
	}{
		"left out":       {"", "", "onyxia", ""},
		"one's own":      {"onyxia/jwt", "team-kv", "onyxia-users-onyxia-jwt", ""},
		"a wildcard":     {"jwt", "+", "", `vault.kvEngine: "+"`},
		"a slash first":  {"/jwt", "kv", "", "vault.authPath"},
		"Vault's engine": {"jwt", "sys/x", "", "taken by Vault itself"},
		"Vault's pages":  {"oidc", "kv", "", "taken by Vault itself"},
	} {
		p, err := Complete(Config{Domain: "demo.test", Vault: Vault{AuthPath: c.auth, KVEngine: c.kv}})
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || p.VaultPolicy() != c.policy {
			t.Errorf("%s: %q, %v", name, p.VaultPolicy(), err)
		}
	}
}
