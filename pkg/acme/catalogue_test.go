package acme

import (
	"bufio"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write providers.txt from lego's sources")

// The catalogue is what lego's own switch and its provider descriptions say, for the version in go.mod.
func TestCatalogueIsThatOfLego(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/go-acme/lego/v4").Output()
	if err != nil || len(out) == 0 {
		t.Fatalf("lego's sources: %v", err)
	}
	want := legoCatalogue(t, filepath.Join(strings.TrimSpace(string(out)), "providers", "dns"))
	if *update {
		if err := os.WriteFile("providers.txt", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if catalogue != want {
		t.Errorf("providers.txt is not that of the lego in go.mod; run: go test ./pkg/acme -run Catalogue -update")
	}
}

func legoCatalogue(t *testing.T, folder string) string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(folder, "zz_gen_dns_providers.go"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, m := range regexp.MustCompile(`case (".*"):\s+return (\w+)\.`).FindAllStringSubmatch(string(source), -1) {
		for _, name := range regexp.MustCompile(`"([^"]+)"`).FindAllStringSubmatch(m[1], -1) {
			lines = append(lines, strings.Join(append([]string{name[1]}, describedVariables(t, filepath.Join(folder, m[2]))...), " "))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

// describedVariables are the keys under [Configuration.Credentials] in the description of one provider, and those of
// the other settings that are credentials by their name.
func describedVariables(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.toml"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%s: descriptions %v, %v", folder, files, err)
	}
	f, err := os.Open(files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	key := regexp.MustCompile(`^\s*"?([A-Z][A-Z0-9_]*)"?\s*=`)
	credential := regexp.MustCompile(`_(KEY|SECRET|TOKEN|USERNAME|PASSWORD)$`)
	var names []string
	section := ""
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if text := strings.TrimSpace(lines.Text()); strings.HasPrefix(text, "[") {
			section = text
		}
		m := key.FindStringSubmatch(lines.Text())
		if m != nil && (section == "[Configuration.Credentials]" || section == "[Configuration.Additional]" && credential.MatchString(m[1])) {
			names = append(names, m[1])
		}
	}
	return names
}

func TestProviders(t *testing.T) {
	all := Providers()
	for _, name := range []string{"ovh", "rfc2136", "route53", "cloudflare", "gandiv5", Manual} {
		if !slices.Contains(all, name) {
			t.Errorf("%s is missing", name)
		}
	}
	if !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != len(all) {
		t.Error("the list is not sorted or names one twice")
	}
	if len(all) < 190 {
		t.Errorf("only %d providers", len(all))
	}
}

func TestVariables(t *testing.T) {
	for name, want := range map[string]string{"ovh": "OVH_ENDPOINT", "rfc2136": "DNSUPDATE_TSIG_SECRET", Manual: ""} {
		got, err := Variables(name)
		if err != nil || want != "" && !slices.Contains(got, want) || want == "" && len(got) > 0 {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	without := 0
	for _, name := range Providers() {
		if got, err := Variables(name); err != nil {
			t.Error(err)
		} else if len(got) == 0 {
			without++
		}
	}
	if without > 5 {
		t.Errorf("%d providers have no variables", without)
	}
	if _, err := Variables("cloudfare"); err == nil || !strings.Contains(err.Error(), "did you mean cloudflare") {
		t.Errorf("got %v", err)
	}
}

func TestNearest(t *testing.T) {
	for word, want := range map[string]string{
		"cloudfare": "cloudflare",
		"gandi":     "gandi",
		"rfc2163":   "rfc2136",
		"rout53":    "route53",
		"OVH":       "ovh",
	} {
		if got := nearest(strings.ToLower(word), Providers()); !slices.Contains(got, want) {
			t.Errorf("nearest(%q) = %v, want %s among them", word, got, want)
		}
	}
	if got := nearest("zzzzzz", Providers()); got != nil {
		t.Errorf("nearest to nothing: %v", got)
	}
}

func TestProviderErrors(t *testing.T) {
	t.Setenv("OVH_APPLICATION_KEY", "")
	for name, tc := range map[string]struct {
		provider string
		want     []string
	}{
		"none":                {"", []string{"--dns-provider", "tls.dns.provider", "tls import"}},
		"unknown":             {"cloudfare", []string{`no DNS provider "cloudfare"`, "did you mean cloudflare"}},
		"without credentials": {"ovh", []string{"dns provider ovh", "OVH_ENDPOINT", "OVH_APPLICATION_SECRET", "_FILE"}},
		"without server":      {"rfc2136", []string{"DNSUPDATE_NAMESERVER"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := CheckProvider(tc.provider)
			if err == nil {
				t.Fatal("no error")
			}
			for _, word := range tc.want {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not say %q", err, word)
				}
			}
		})
	}
	if err := CheckProvider(Manual); err != nil {
		t.Errorf("manual: %v", err)
	}
}
