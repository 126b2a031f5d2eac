package platform

import (
	"encoding/json"
	"strings"
	"testing"
)

// A secret that was pasted where the name of a Secret belongs is refused without a cluster, and is not repeated.
func TestPastedSecrets(t *testing.T) {
	for _, key := range []string{
		"auth: {credentialsSecret: X}", "auth: {smtp: {host: a.org, from: a@a.org, username: u, passwordSecret: X}}", "s3: {credentialsSecret: X}",
		"tls: {acme: {eab: {kid: k, hmacSecret: X}}}", "vault: {credentialsSecret: X}", "auth: {database: {credentialsSecret: X}}",
	} {
		for _, secret := range []string{"hvs.AAAAhunter2", "Hunter2/hunter2", "hunter2 hunter2"} {
			c, err := Parse([]byte("domain: a.org\n" + strings.Replace(key, "X", `"`+secret+`"`, 1)))
			if err != nil {
				t.Fatal(err)
			}
			if _, err = Complete(c); err == nil || strings.Contains(err.Error(), "unter2") || !strings.Contains(err.Error(), "Secret: not ") {
				t.Errorf("%s %s: %v", key, secret, err)
			}
		}
	}
}

func TestMistakesInAFile(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"a password": {"auth: {smtp: {password: hunter2}}", []string{
			`unknown key "auth.smtp.password": no passwords in this file: put it into a Secret and name that by auth.smtp.passwordSecret`}},
		"two documents": {"domain: a.org\n---\ndomain: b.org", []string{"several YAML documents"}},
		"a version": {"charts: {traefik: {version: 39}}", []string{
			`key "charts.traefik.version": a number stands where text is expected: quote it, "39"`}},
		"a word for a number": {"vault: {replicas: three}", []string{`key "vault.replicas": text stands where a whole number is expected`}},
		"half a number":       {"vault: {replicas: 1.5}", []string{`key "vault.replicas": a number stands where a whole number is expected`}},
		"nested quota":        {"app: {quota: {user: {requests: {cpu: 4}}}}", []string{`unknown key "app.quota.user.requests": the dot belongs to the key, write "requests.cpu": 4`}},
		"all at once": {"domian: a.org\nvault: {replicas: three}\ncharts: {minio: {version: 5}}", []string{
			`unknown key "domian"`, `key "charts.minio.version"`, `key "vault.replicas"`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(c.text))
			if err == nil {
				t.Fatal("it is taken")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in %v", want, err)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a value is repeated: %v", err)
			}
		})
	}
	for _, text := range []string{"---\ndomain: a.org\n", "# one\n---\ndomain: a.org\n---\n", "domain: a.org\n...\n"} {
		if _, err := Parse([]byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// What is wrong with the domain hides nothing else.
func TestNoDomainIsOneOfTheMistakes(t *testing.T) {
	_, err := Complete(Config{Vault: Vault{Replicas: 2}, Ingress: Ingress{Controller: "haproxy"}})
	for _, want := range []string{"no domain", "vault.replicas", "ingress.controller"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}

// An editor must not mark what the program takes: a key set to nothing, and a plain number as a quantity.
func TestSchemaTakesWhatParseTakes(t *testing.T) {
	raw, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	type node struct {
		Type       []string
		Enum       []any
		Properties map[string]node
	}
	var root node
	if err := json.Unmarshal(raw, &root); err != nil {
		t.Fatal(err)
	}
	var walk func(path string, n node)
	walk = func(path string, n node) {
		if n.Type[len(n.Type)-1] != "null" {
			t.Errorf("%s may not be null: %v", path, n.Type)
		}
		if len(n.Enum) > 0 && n.Enum[len(n.Enum)-1] != nil {
			t.Errorf("%s has no null among its values: %v", path, n.Enum)
		}
		for key, below := range n.Properties {
			walk(path+"."+key, below)
		}
	}
	walk("", root)
	if got := root.Properties["app"].Properties["quota"].Properties["user"].Properties["requests.cpu"].Type; strings.Join(got, " ") != "string number null" {
		t.Errorf("requests.cpu: %v", got)
	}
}
