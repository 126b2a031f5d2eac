package onyxia

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestValuesGolden(t *testing.T) {
	for _, e := range examples() {
		t.Run(e.name, func(t *testing.T) {
			got, err := yaml.Marshal(render(t, e.in(t)))
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", "values", e.name+".yaml")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), string(got)); d != "" {
				t.Errorf("values differ from %s (-update writes it anew):\n%s", file, d)
			}
		})
	}
}

// What we render ourselves is nothing to complain about, in any version of its generation.
func TestValuesHaveNoFindings(t *testing.T) {
	for _, e := range examples() {
		in := e.in(t)
		versions := []string{"4.1.1", "4.4.3"}
		if strings.HasPrefix(in.ChartVersion, "11.") {
			versions = []string{"11.0.0", "11.5.1"}
		}
		for _, version := range versions {
			in.ChartVersion = version
			if got := Lint(version, render(t, in)); len(got) > 0 {
				t.Errorf("%s at %s: %+v", e.name, version, got)
			}
		}
	}
}

// Helm changes the maps it is given, so no two calls may share one; and the same input gives the same values.
func TestValuesAreMadeAnew(t *testing.T) {
	in := with(chart11, 3, func(c *platform.Config) {
		c.App.Values = map[string]any{"web": map[string]any{"podLabels": map[string]any{"a": "b"}}}
	})(t)
	first, second := render(t, in), render(t, in)
	if d := cmp.Diff(first, second); d != "" {
		t.Fatal(d)
	}
	part(first, "web", "podLabels")["a"] = "changed"
	onlyRegion(t, first)["id"] = "changed"
	if d := cmp.Diff(second, render(t, in)); d != "" {
		t.Error("a change of one result shows in the next:\n" + d)
	}
	if part(in.Platform.App.Values, "web", "podLabels")["a"] != "b" {
		t.Error("the admin's own values were changed")
	}
}

func TestValuesRefuse(t *testing.T) {
	oidc := func(c *platform.Config) { c.Auth = platform.Auth{Mode: "oidc", URL: "https://sso.example.org"} }
	for name, c := range map[string]struct {
		in   Input
		fail string
	}{
		"no version (D1)":          {Input{Platform: demo(t)}, "no version of the onyxia chart"},
		"the withdrawn 4.0.2":      {Input{Platform: demo(t), ChartVersion: "4.0.2"}, "take 4.1.1"},
		"between generations":      {Input{Platform: demo(t), ChartVersion: "8.12.0"}, "4.1 to 4.4 and for 11.0 and later only"},
		"S3 without login":         {Input{Platform: demo(t), ChartVersion: chart11, S3: true}, "need the auth stage"},
		"Vault without login":      {Input{Platform: demo(t), ChartVersion: chart11, Vault: true}, "need the auth stage"},
		"login that is not wanted": {Input{Platform: demo(t, func(c *platform.Config) { c.Auth.Mode = "none" }), ChartVersion: chart11, Auth: true}, "auth.mode is none"},
		"S3 that is not wanted":    {Input{Platform: demo(t, func(c *platform.Config) { c.S3.Mode = "none" }), ChartVersion: chart11, Auth: true, S3: true}, "s3.mode none"},
		"4: another issuer":        {Input{Platform: demo(t, oidc), ChartVersion: chart4, Auth: true}, "logs in at Keycloak only"},
		"4: another group claim":   {Input{Platform: demo(t, func(c *platform.Config) { c.Auth.GroupsClaim = "teams" }), ChartVersion: chart4, Auth: true}, "auth.groupsClaim"},
		"4: Ceph": {Input{Platform: demo(t, func(c *platform.Config) {
			c.S3 = platform.S3{Mode: "external", Kind: "ceph", URL: "https://s3.example.org", RoleARN: "arn"}
		}), ChartVersion: chart4, Auth: true, S3: true}, "knows MinIO and Amazon"},
		"11: terms elsewhere": {Input{Platform: demo(t, func(c *platform.Config) {
			c.Auth.Terms = map[string]string{"en": "https://example.org/terms.md"}
		}), ChartVersion: chart11, Auth: true}, "auth.terms: https://example.org/terms.md"},
		"image of nothing":    {Input{Platform: demo(t), ChartVersion: chart11, Images: map[string]string{"web": "onyxia-web"}}, "image onyxia-web"},
		"image of nothing, 4": {Input{Platform: demo(t), ChartVersion: chart4, Images: map[string]string{"api": "onyxia-api"}}, "image onyxia-api"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Values(c.in); err == nil || !strings.Contains(err.Error(), c.fail) {
				t.Errorf("%v, want %q", err, c.fail)
			}
		})
	}
}

func TestImages(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0a", 32)
	for reference, want := range map[string]map[string]any{
		"registry.example.org:5000/onyxia-api:v4.12.0": {"repository": "registry.example.org:5000/onyxia-api", "tag": "v4.12.0"},
		"inseefrlab/onyxia-api@" + digest:              {"repository": "inseefrlab/onyxia-api@sha256", "tag": strings.Repeat("0a", 32)},
	} {
		for _, chart := range []string{chart4, chart11} {
			values := render(t, Input{Platform: demo(t), ChartVersion: chart, Images: map[string]string{"api": reference}})
			if d := cmp.Diff(want, part(values, "api", "image")); d != "" {
				t.Errorf("%s: %s", chart, d)
			}
			if _, set := part(values, "web")["image"]; set {
				t.Errorf("%s: the web's image was set too", chart)
			}
		}
	}
}

func TestTerms(t *testing.T) {
	for _, c := range []struct {
		chart string
		terms map[string]string
		want  any
	}{
		{chart11, nil, nil},
		{chart11, map[string]string{"en": "/custom-resources/terms.md"}, "/custom-resources/terms.md"},
		{chart4, map[string]string{"": "https://example.org/terms.md"}, "https://example.org/terms.md"},
		{chart4, map[string]string{"en": "https://e/en.md", "fr": "https://e/fr.md"}, `{"en":"https://e/en.md","fr":"https://e/fr.md"}`},
	} {
		values := render(t, Input{Platform: demo(t, func(p *platform.Config) { p.Auth.Terms = c.terms }), ChartVersion: c.chart, Auth: true})
		if got := part(values, "web", "env")["TERMS_OF_SERVICES"]; got != c.want {
			t.Errorf("%s %v: %v, want %v", c.chart, c.terms, got, c.want)
		}
	}
}

func TestVaultFolders(t *testing.T) {
	for schema, want := range map[Schema][2]string{Schema4: {"", "projet-"}, Schema11: {"user-", "projet-"}} {
		user, group := schema.VaultFolders(demo(t))
		if got := [2]string{user, group}; got != want {
			t.Errorf("schema %d: %q, want %q", schema, got, want)
		}
	}
}

// A Vault whose usual paths are somebody else's: the region names those of the datalab.
func TestVaultPaths(t *testing.T) {
	for _, chart := range []string{chart4, chart11} {
		values := render(t, Input{Platform: demo(t, func(p *platform.Config) { p.Vault.AuthPath, p.Vault.KVEngine = "onyxia/jwt", "team-kv" }), ChartVersion: chart, Auth: true, Vault: true})
		if got := fmt.Sprint(values); !strings.Contains(got, "team-kv") || !strings.Contains(got, "onyxia/jwt") || strings.Contains(got, "onyxia-kv") {
			t.Errorf("%s: %s", chart, got)
		}
	}
}
