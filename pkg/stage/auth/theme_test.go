package auth

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
)

// The jar is fetched before the server starts, and refused if it is not the one that was vouched for.
func TestThemeContainer(t *testing.T) {
	type container struct {
		Name, Image string
		Command     []string
		Env         []variable
	}
	for name, c := range map[string]struct {
		jar     theme
		checked bool
	}{"checked": {theme{url: "https://a.org/t.jar", sha256: sum}, true}, "unchecked": {theme{url: "https://a.org/t.jar"}, false}} {
		t.Run(name, func(t *testing.T) {
			got := text[[]container](t, rendered(t, platform.Auth{}, c.jar), "extraInitContainers")
			if len(got) != 1 || got[0].Image != "docker.io/curlimages/curl:8.22.0" {
				t.Fatalf("%+v", got)
			}
			script := got[0].Command[2]
			if strings.Contains(script, "sha256sum -c") != c.checked || !strings.HasPrefix(script, "set -eu\n") || strings.Contains(script, "a.org") {
				t.Errorf("script:\n%s", script)
			}
			if got[0].Env[0].Value != c.jar.url || got[0].Env[1].Value != c.jar.sha256 {
				t.Errorf("%+v", got[0].Env)
			}
		})
	}
	if _, there := rendered(t, platform.Auth{}, theme{})["extraInitContainers"]; there {
		t.Error("without a theme there is nothing to fetch")
	}
}

// Keycloak starts without a theme that can't be had, and does not with one that is not what it should be. The script runs with
// a curl that does as the test wants.
func TestThemeScript(t *testing.T) {
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte("jar\n")))
	for name, c := range map[string]struct {
		curl, sum string
		fails     bool
		says      string
		there     bool
	}{
		"there":            {curl: "echo jar > $out", says: sum, there: true},
		"there, checked":   {curl: "echo jar > $out", sum: sum, there: true},
		"can't be had":     {curl: "echo half > $out; exit 22", sum: sum, says: "can't be had from https://a.org/t.jar"},
		"another than it":  {curl: "echo other > $out", sum: sum, fails: true, there: true},
		"no checksum, 404": {curl: "exit 22", says: "starts with its own pages"},
	} {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			if err := os.WriteFile(filepath.Join(home, "curl"), []byte("#!/bin/sh\nwhile [ $# -gt 0 ]; do [ \"$1\" = --output ] && out=$2; shift; done\n"+c.curl+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			command, _ := themeContainer(theme{url: "https://a.org/t.jar", sha256: c.sum}, "curl")["command"].([]any)
			script, _ := command[len(command)-1].(string)
			run := exec.Command("sh", "-c", strings.ReplaceAll(script, "/providers", home))
			run.Env = []string{"PATH=" + home + ":" + os.Getenv("PATH"), "THEME_URL=https://a.org/t.jar", "THEME_SHA256=" + c.sum}
			out, err := run.CombinedOutput()
			_, missing := os.Stat(filepath.Join(home, "onyxia-theme.jar"))
			if (err != nil) != c.fails || (missing == nil) != c.there || !strings.Contains(string(out), c.says) {
				t.Errorf("%v, the jar: %v\n%s", err, missing, out)
			}
		})
	}
}

// D: the jar is held to the sum that the profile has for this release, or else to that of the configuration. A chart of another
// version has another jar. Without any sum it is said, once, with the way to one.
func TestDThemeHasAChecksum(t *testing.T) {
	for name, c := range map[string]struct {
		configured, version, want string
		warned                    bool
	}{
		"the profile's": {want: sum}, "the configuration's": {configured: "ab", want: "ab"},
		"another release": {version: "11.5.0", warned: true}, "another release, given": {version: "11.5.0", configured: "ab", want: "ab"},
	} {
		t.Run(name, func(t *testing.T) {
			env, warned := datalab(t, platform.Auth{Theme: platform.Theme{SHA256: c.configured}})
			onyxia := env.Profile.Components["onyxia"]
			onyxia.Files = map[string]string{"keycloak-theme.jar": sum}
			env.Profile.Components["onyxia"] = onyxia
			if c.version != "" {
				var err error
				if env.Profile, err = env.Profile.WithChart("onyxia", profile.Chart{Version: c.version}); err != nil {
					t.Fatal(err)
				}
			}
			got, err := chosenTheme(env, keycloak.Version{Major: 26})
			if err != nil || got.sha256 != c.want || strings.Contains(strings.Join(*warned, "\n"), "without a checksum") != c.warned {
				t.Errorf("%+v, %v, warned %q", got, err, *warned)
			}
		})
	}
}

// Which themes the realm names: ours where nothing else is said, and where none is wanted ours has to go.
func TestThemesOfTheRealm(t *testing.T) {
	for name, c := range map[string]struct {
		theme        platform.Theme
		login, email string
	}{
		"as the guide has it": {login: "onyxia", email: "onyxia"},
		"none":                {theme: platform.Theme{URL: "none"}},
		"another":             {theme: platform.Theme{URL: "none", Login: "corporate"}, login: "corporate"},
		"two of them":         {theme: platform.Theme{Login: "corporate", Email: "base"}, login: "corporate", email: "base"},
	} {
		env, _ := datalab(t, platform.Auth{Theme: c.theme})
		if s := settings(env); s.LoginTheme != c.login || s.EmailTheme != c.email || s.FormerTheme != "onyxia" {
			t.Errorf("%s: %+v", name, s)
		}
	}
}
