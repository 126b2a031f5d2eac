package profile

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func load(t *testing.T, name string) Profile {
	t.Helper()
	p, err := Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestNames(t *testing.T) {
	names, err := Names()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"current", "guide-2023"}, names); d != "" {
		t.Error(d)
	}
}

func TestLoadUnknownNameSaysTheKnownOnes(t *testing.T) {
	for _, name := range []string{"", "latest", "../profile", "current.yaml"} {
		_, err := Load(name)
		if err == nil || !strings.Contains(err.Error(), "there are current and guide-2023") {
			t.Errorf("Load(%q): %v", name, err)
		}
	}
}

// Versions and digests as read from the publishers' indexes; a slip here would install something else.
func TestCharts(t *testing.T) {
	const none = ""
	for name, c := range map[string]struct{ profile, component, version, sha256 string }{
		"traefik":             {"current", "traefik", "41.3.0", none},
		"ingress-nginx":       {"current", "ingress-nginx", "4.15.1", "3eff0bd18151d6e6b1c441463410571443dda1ac78292cb189346628de784f0c"},
		"onyxia":              {"current", "onyxia", "11.5.1", "b897433bbb1b66148f18b40a1f2f56569e010bbf31181fe6d326fa1c9b5c2268"},
		"keycloakx":           {"current", "keycloakx", "7.1.11", "beeb7ac7cee425ad438a6fbc6545b234a636b1c65f3fa7158aae443c076d7559"},
		"postgres":            {"current", "postgres", "", none},
		"minio":               {"current", "minio", "5.4.0", "25fa2740480d1ebc9e64340854a6c42d3a7bc39c2a77378da91b21f144faa9af"},
		"vault":               {"current", "vault", "0.34.1", none},
		"openbao":             {"current", "openbao", "0.29.2", "dc6c523aa895eb65b25aa31ad370d2facefb709d27d8020cec4177ac1524bea4"},
		"guide ingress-nginx": {"guide-2023", "ingress-nginx", "4.15.1", "3eff0bd18151d6e6b1c441463410571443dda1ac78292cb189346628de784f0c"},
		"guide onyxia":        {"guide-2023", "onyxia", "4.1.1", "442c28bbc28e8a536ba952eadf9709b6e7c5ab4005e65035c3d44a3df6bd7a1c"},
		"guide keycloakx":     {"guide-2023", "keycloakx", "2.2.2", "07fea16f28fa02e4c1bc2c8ea4c6e6eb8b30314c4ef4be594ef08d4152359ffb"},
		"guide minio":         {"guide-2023", "minio", "5.1.0", "742d658c029616f0a977f255a27e806f2e3ef31f0d30467353a0882b5607001e"},
		"guide vault":         {"guide-2023", "vault", "0.25.0", none},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := load(t, c.profile).Component(c.component)
			if err != nil {
				t.Fatal(err)
			}
			if got.Chart.Version != c.version || got.Chart.SHA256 != c.sha256 {
				t.Errorf("chart %+v, want version %q and sha256 %q", got.Chart, c.version, c.sha256)
			}
		})
	}
}

func TestImages(t *testing.T) {
	for image, c := range map[string]struct{ profile, component, role string }{
		"docker.io/traefik:v3.7.15": {"current", "traefik", "server"},
		"quay.io/keycloak/keycloak:26.7.4@sha256:82a77884f3af238beab1e7afd63b5f530e1b5c0590bd7aa60b40a40463e29b2c": {"current", "keycloakx", "server"},
		"docker.io/curlimages/curl:8.22.0@sha256:58adaa4e8dca9c988bae2aba4ab3434a0bb2da16bbe3f92dec39ec7785166777": {"current", "keycloakx", "init"},
		"docker.io/library/postgres:17.12": {"current", "postgres", "server"},
		"docker.io/pgsty/silo:RELEASE.2026-09-16T00-00-00Z@sha256:635197cb9f36d01bee221d34d1c7d7960f6a95c48b0b6c01d99cd13bdae51a46": {"current", "minio", "server"},
		"docker.io/hashicorp/vault:2.1.2@sha256:c2f666266f383d2cf424d86b8bb8ce7d065562173ffec2b476d762943608bb55":                   {"current", "vault", "server"},
		"quay.io/openbao/openbao:2.7.1@sha256:6d2b93856e3fcf7b18ad855a0b51eaba474dc8b79cf554379ea32034797d2acf":                     {"current", "openbao", "server"},
		"quay.io/keycloak/keycloak:21.1.2":                 {"guide-2023", "keycloakx", "server"},
		"docker.io/library/postgres:15.20":                 {"guide-2023", "postgres", "server"},
		"quay.io/minio/minio:RELEASE.2023-07-07T07-13-57Z": {"guide-2023", "minio", "server"},
		"docker.io/hashicorp/vault:1.14.1":                 {"guide-2023", "vault", "server"},
	} {
		got, err := load(t, c.profile).Component(c.component)
		if err != nil {
			t.Fatal(err)
		}
		if got.Images[c.role] != image {
			t.Errorf("%s %s %s is %q, want %q", c.profile, c.component, c.role, got.Images[c.role], image)
		}
	}
}

// An image whose tag is a major version alone is another program one day (review C4: PostgreSQL's major version).
func TestImagesAreNamedByMinorVersion(t *testing.T) {
	minor := regexp.MustCompile(`^(v?\d+\.\d+(\.\d+)?|RELEASE\.[\dTZ-]+)$`)
	for _, name := range []string{"current", "guide-2023"} {
		for component, c := range load(t, name).Components {
			for role, reference := range c.Images {
				image, err := ParseImage(reference)
				if err != nil || !minor.MatchString(image.Tag) {
					t.Errorf("%s %s %s: %s (%v)", name, component, role, reference, err)
				}
			}
		}
	}
}

// A chart pins its own web and API; an image kept here would stay behind when the chart's version is overridden.
func TestOnyxiaLeavesItsImagesToTheChart(t *testing.T) {
	for _, name := range []string{"current", "guide-2023"} {
		c, err := load(t, name).Component("onyxia")
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Images) != 0 {
			t.Errorf("%s: %v", name, c.Images)
		}
	}
}

func TestModes(t *testing.T) {
	for want, c := range map[string]struct{ profile, component string }{
		"standalone": {"current", "minio"}, "distributed": {"guide-2023", "minio"},
	} {
		if got := load(t, c.profile).Components[c.component].Mode; got != want {
			t.Errorf("%s %s: mode %q, want %q", c.profile, c.component, got, want)
		}
	}
}

func TestEndOfLife(t *testing.T) {
	date := regexp.MustCompile(`20\d\d-\d\d-\d\d`)
	for _, name := range []string{"current", "guide-2023"} {
		for component, c := range load(t, name).Components {
			if c.EndOfLife == "" {
				continue
			}
			if !date.MatchString(c.EndOfLife) || !strings.HasSuffix(c.EndOfLife, ".") || strings.Contains(c.EndOfLife, "\n") {
				t.Errorf("%s %s: not one dated sentence: %q", name, component, c.EndOfLife)
			}
		}
	}
	for component, c := range load(t, "guide-2023").Components {
		if c.EndOfLife == "" {
			t.Errorf("guide-2023 %s: says nothing of what is dead about it", component)
		}
	}
	for _, component := range []string{"traefik", "onyxia", "keycloakx", "postgres", "vault", "openbao"} {
		if got := load(t, "current").Components[component].EndOfLife; got != "" {
			t.Errorf("current %s is maintained, but says %q", component, got)
		}
	}
}

func TestComponentUnknownListsTheKnown(t *testing.T) {
	_, err := load(t, "guide-2023").Component("traefik")
	if err == nil || !strings.Contains(err.Error(), "it has ingress-nginx, keycloakx, minio, onyxia, postgres, vault") {
		t.Error(err)
	}
}

func TestParseIsStrict(t *testing.T) {
	const good = "name: x\ningress: a\ncomponents: {a: {images: {server: 'a:1'}}}\n"
	if _, err := parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ text, fail string }{
		"unknown key":          {good + "charts: {}\n", `unknown field "charts"`},
		"unknown key below":    {"name: x\ningress: a\ncomponents: {a: {image: {}}}\n", `unknown field "image"`},
		"key twice":            {good + "name: y\n", "already set"},
		"no such ingress":      {"name: x\ningress: b\ncomponents: {a: {images: {server: 'a:1'}}}\n", `no component "b"`},
		"nothing in it":        {"name: x\ningress: a\ncomponents: {a: {}}\n", "neither chart nor image"},
		"image without a tag":  {"name: x\ningress: a\ncomponents: {a: {images: {server: a}}}\n", "neither tag nor digest"},
		"chart without name":   {"name: x\ningress: a\ncomponents: {a: {chart: {repository: 'https://r', version: '1'}}}\n", "needs a name and a version"},
		"repository over http": {"name: x\ningress: a\ncomponents: {a: {chart: {repository: 'http://r', name: n, version: '1'}}}\n", "neither https:// nor oci://"},
		"versions of a chart":  {"name: x\ningress: a\ncomponents: {a: {versions: new, images: {server: 'a:1'}}}\n", `versions "new"`},
		"short digest":         {"name: x\ningress: a\ncomponents: {a: {chart: {repository: 'https://r', name: n, version: '1', sha256: abc}}}\n", "64 hexadecimal digits"},
		"image name of nobody": {good + "imageNames: {b: c/server}\n", "no component and role"},
	} {
		if _, err := parse([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.fail) {
			t.Errorf("%s: %v, want %q", name, err, c.fail)
		}
	}
}
