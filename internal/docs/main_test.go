package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The committed pages are what the program says of itself today.
func TestPagesAreCurrent(t *testing.T) {
	made, err := pages()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range made {
		got, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("docs/%s is not what the program says (%s): run make docs", name, firstDifference(string(got), want))
		}
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return "there: " + g[i] + ", wanted: " + w[i]
		}
	}
	return "one is longer"
}

// Nothing of the machine that writes the pages stands in them.
func TestPagesAreTheSameEverywhere(t *testing.T) {
	here, err := pages()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", "/home/elsewhere")
	t.Setenv("KUBECACHEDIR", "/var/cache/elsewhere")
	there, err := pages()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range here {
		if text != there[name] {
			t.Errorf("%s depends on the environment: %s", name, firstDifference(text, there[name]))
		}
	}
}

// Every key is explained, and a default that a comment names is the one that holds.
func TestKeysSayTheirDefault(t *testing.T) {
	all, err := allKeys()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 80 {
		t.Fatalf("only %d keys found", len(all))
	}
	named := regexp.MustCompile(`Default "([^"]+)"`)
	for _, k := range all {
		if k.description == "" {
			t.Errorf("%s has no description", k.path)
		}
		if said := named.FindStringSubmatch(k.description); said != nil && said[1] != k.standard {
			t.Errorf("%s: the comment says that the default is %q, but it is %q", k.path, said[1], k.standard)
		}
	}
}

// Descriptions are read beside the key: they do not begin with the name of a Go field.
func TestDescriptionsSpeakNoGo(t *testing.T) {
	for _, c := range []struct{ field, comment, want string }{
		{"CABundle", "CABundle is a PEM file.", "A PEM file."},
		{"Resolvers", "Resolvers are asked.", "Asked."},
		{"SecretName", "SecretName of the certificate.", "Secret name of the certificate."},
		{"RoleARN", "RoleARN for servers that ask for one.", "Role ARN for servers that ask for one."},
		{"ClientID", "ClientID of Onyxia.", "Client ID of Onyxia."},
		{"Region", "Region name. Default \"us-east-1\".", "Region name. Default \"us-east-1\"."},
		{"URL", "URL of the jar.", "URL of the jar."},
		{"Enabled", "Enabled puts quotas in force.", "Puts quotas in force."},
		{"Port", "Port, default 587.", "Port, default 587."},
	} {
		if got := plain(c.field, c.comment); got != c.want {
			t.Errorf("%s: %q became %q, wanted %q", c.field, c.comment, got, c.want)
		}
	}
}

// Each link of the contents leads to a heading of the page.
func TestContentsLeadToHeadings(t *testing.T) {
	page := commandsPage()
	headings := map[string]bool{}
	for _, found := range regexp.MustCompile(`(?m)^##+ (.+)$`).FindAllStringSubmatch(page, -1) {
		headings[anchor(found[1])] = true
	}
	links := regexp.MustCompile(`\]\(#([^)]+)\)`).FindAllStringSubmatch(page, -1)
	if len(links) < 40 {
		t.Fatalf("only %d links found", len(links))
	}
	for _, link := range links {
		if !headings[link[1]] {
			t.Errorf("no heading for #%s", link[1])
		}
	}
}
