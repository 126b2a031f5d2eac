package secret

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// B8: where secrets are written out in values of the charts.
func TestB8FindInValues(t *testing.T) {
	for name, c := range map[string]struct{ values, path string }{
		"a catalogue's password":        {`api: {catalogs: [{id: a}, {id: b, username: u, password: hunter2}]}`, `values.api.catalogs[1].password`},
		"a password of digits":          {`api: {catalogs: [{password: 123456}]}`, `values.api.catalogs[0].password`},
		"a property":                    {`api: {env: {http.proxyPassword: hunter2}}`, `values.api.env["http.proxyPassword"]`},
		"a variable":                    {`env: [{name: A, value: b}, {name: DB_PASSWORD, value: hunter2}]`, `values.env[1].value`},
		"a variable in text":            {"extraEnv: |\n  - name: KC_DB_PASSWORD\n    value: hunter2\n", `values.extraEnv[0].value`},
		"JSON in text":                  {`env: {REGIONS: '{"a":[{"token":"hunter2"}]}'}`, `values.env.REGIONS.a[0].token`},
		"a proxy with a login":          {`api: {env: {HTTPS_PROXY: "http://bob:hunter2@proxy.example.org:3128"}}`, `values.api.env.HTTPS_PROXY`},
		"a login with odd signs":        {`a: "https://bob:hun%ter2@example.org/"`, `values.a`},
		"a token for a login":           {`catalogs: [{location: "https://hunter2@git.example.org/charts"}]`, `values.catalogs[0].location`},
		"a token in an address":         {`a: "see https://example.org/x?private_token=hunter2&y=1"`, `values.a`},
		"a signed address":              {`a: "https://s3.example.org/x?X-Amz-Signature=hunter2"`, `values.a`},
		"JDBC":                          {`a: "jdbc:postgresql://db/x?user=u&password=hunter2"`, `values.a`},
		"a private key":                 {"a: |\n  -----BEGIN EC PRIVATE KEY-----\n  hunter2\n", `values.a`},
		"a token of Vault":              {`a: {b: [hvs.CAESIhunter2hunter2hunter2]}`, `values.a.b[0]`},
		"a JWT":                         {`a: eyJhbGciOiJub25l.eyJzdWIiOiJodW50ZXIy.x`, `values.a`},
		"HCL":                           {"config: |\n  ui = true\n  seal \"transit\" {\n    token = \"hunter2\"\n  }\n", `values.config`},
		"an object of any kind":         {`extraObjects: [{kind: Secret, stringData: {password: hunter2}}]`, `values.extraObjects[0].stringData.password`},
		"MinIO's users":                 {`users: [{accessKey: console, secretKey: hunter2}]`, `values.users[0].secretKey`},
		"a header":                      {`headers: {Authorization: "Basic hunter2"}`, `values.headers.Authorization`},
		"names of Secrets":              {`a: {existingSecret: x, existingSecretKey: password, tls: [{secretName: y}], imagePullSecrets: [{name: z}]}`, ``},
		"a variable from a Secret":      {"extraEnv: |\n  - name: KC_DB_PASSWORD\n    valueFrom: {secretKeyRef: {name: x, key: password}}\n", ``},
		"Vault's variables of a Secret": {`extraSecretEnvironmentVars: [{envName: T, secretName: s, secretKey: token}]`, ``},
		"another variable's value":      {`env: [{name: DB_PASSWORD, value: $(OTHER)}, {name: X_TOKEN, value: "${Y}"}, {name: Z_TOKEN, value: ""}]`, ``},
		"a template":                    {`a: {password: "{{ .Values.global.x }}"}`, ``},
		"switches":                      {`automountServiceAccountToken: false`, ``},
		"addresses":                     {`{a: "https://example.org/a@b?c=d", b: "ssh://git@example.org/x", c: "http://proxy:3128", d: "postgres://u:$(PASSWORD)@db/x"}`, ``},
		"a certificate":                 {"a: |\n  -----BEGIN CERTIFICATE-----\n", ``},
	} {
		t.Run(name, func(t *testing.T) {
			var tree any
			if err := yaml.Unmarshal([]byte(c.values), &tree); err != nil {
				t.Fatal(err)
			}
			found := Find("values", tree)
			switch {
			case c.path == "" && len(found) > 0, c.path != "" && (len(found) != 1 || found[0].Path != c.path):
				t.Errorf("%+v", found)
			}
			for _, f := range found {
				if strings.Contains(f.Why+f.Path, "unter") || f.Why == "" {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}

// Keys of our own configuration are known one by one; what no text may hold is found in them too.
func TestB8FindInAddresses(t *testing.T) {
	var tree any
	if err := yaml.Unmarshal([]byte("{auth: {lifespans: {accessToken: 5m}, url: 'https://u:hunter2@sso.example.org'}}"), &tree); err != nil {
		t.Fatal(err)
	}
	if found := FindInAddresses("", tree); len(found) != 1 || found[0].Path != "auth.url" {
		t.Errorf("%+v", found)
	}
}

// Whatever the values are, nothing that is found is repeated.
func FuzzFind(f *testing.F) {
	f.Add("password: hunter2")
	f.Add("a: 'http://x:y@z'\nb: |\n  - name: TOKEN\n    value: x")
	f.Add("? [a]\n: b")
	f.Fuzz(func(t *testing.T, text string) {
		var tree any
		if yaml.Unmarshal([]byte(text), &tree) != nil {
			return
		}
		for _, found := range Find("values", tree) {
			if found.Why == "" || !strings.HasPrefix(found.Path, "values") {
				t.Errorf("%+v", found)
			}
		}
	})
}
