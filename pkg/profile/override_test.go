package profile

import (
	"strings"
	"testing"
)

func TestWithChart(t *testing.T) {
	const profiles = "25fa2740480d1ebc9e64340854a6c42d3a7bc39c2a77378da91b21f144faa9af"
	other := strings.Repeat("ab", 32)
	for name, c := range map[string]struct{ over, want Chart }{
		"nothing":                           {Chart{}, Chart{"https://charts.min.io", "minio", "5.4.0", profiles}},
		"the same version keeps the digest": {Chart{Version: "5.4.0"}, Chart{"https://charts.min.io", "minio", "5.4.0", profiles}},
		"another version drops it":          {Chart{Version: "5.3.0"}, Chart{"https://charts.min.io", "minio", "5.3.0", ""}},
		"another version with its own":      {Chart{Version: "5.3.0", SHA256: other}, Chart{"https://charts.min.io", "minio", "5.3.0", other}},
		"another repository drops it":       {Chart{Repository: "oci://r/charts"}, Chart{"oci://r/charts", "minio", "5.4.0", ""}},
		"a mirror with the digest named":    {Chart{Repository: "https://m", SHA256: profiles}, Chart{"https://m", "minio", "5.4.0", profiles}},
		"another name":                      {Chart{Name: "tenant"}, Chart{"https://charts.min.io", "tenant", "5.4.0", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			before := load(t, "current")
			got, err := before.WithChart("minio", c.over)
			if err != nil {
				t.Fatal(err)
			}
			if got.Components["minio"].Chart != c.want {
				t.Errorf("%+v, want %+v", got.Components["minio"].Chart, c.want)
			}
			if before.Components["minio"].Chart.Version != "5.4.0" || before.Components["minio"].Chart.SHA256 != profiles {
				t.Error("the profile it came from has changed")
			}
			if got.Components["minio"].Images["server"] == "" || got.Components["minio"].EndOfLife == "" {
				t.Error("the rest of the component is gone")
			}
		})
	}
}

// Which versions the values are for holds for the chart that it was said of.
func TestWithChartVersions(t *testing.T) {
	for name, c := range map[string]struct {
		over Chart
		want bool
	}{
		"another version": {Chart{Version: "39.0.0"}, true},
		"a mirror":        {Chart{Repository: "https://m"}, true},
		"its name said":   {Chart{Name: "traefik"}, true},
		"another chart":   {Chart{Name: "ours"}, false},
	} {
		got, err := load(t, "current").WithChart("traefik", c.over)
		if err != nil || (got.Components["traefik"].Versions != "") != c.want {
			t.Errorf("%s: versions %q, %v", name, got.Components["traefik"].Versions, err)
		}
	}
}

func TestWithChartRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		component string
		over      Chart
		fail      string
	}{
		"unknown component": {"mino", Chart{Version: "1"}, "it has ingress-nginx, keycloakx, minio"},
		"without a chart":   {"postgres", Chart{Version: "1"}, "installed without a chart"},
		"plain http":        {"minio", Chart{Repository: "http://r"}, "neither https:// nor oci://"},
		"digest":            {"minio", Chart{SHA256: "sha256:1"}, "64 hexadecimal digits"},
	} {
		if _, err := load(t, "current").WithChart(c.component, c.over); err == nil || !strings.Contains(err.Error(), c.fail) {
			t.Errorf("%s: %v, want %q", name, err, c.fail)
		}
	}
}

func TestWithImage(t *testing.T) {
	for name, c := range map[string]struct{ profile, image, component, role string }{
		"keycloak in current":       {"current", "keycloak", "keycloakx", "server"},
		"keycloak in the guide":     {"guide-2023", "keycloak", "keycloakx", "server"},
		"curl is Keycloak's init":   {"current", "curl", "keycloakx", "init"},
		"onyxia's API has none yet": {"current", "onyxia-api", "onyxia", "api"},
		"postgres":                  {"current", "postgres", "postgres", "server"},
	} {
		t.Run(name, func(t *testing.T) {
			before := load(t, c.profile)
			old := before.Components[c.component].Images[c.role]
			got, err := before.WithImage(c.image, "registry.example.org/x:1")
			if err != nil {
				t.Fatal(err)
			}
			if now := got.Components[c.component].Images[c.role]; now != "registry.example.org/x:1" {
				t.Errorf("%s %s is %q", c.component, c.role, now)
			}
			if before.Components[c.component].Images[c.role] != old {
				t.Error("the profile it came from has changed")
			}
		})
	}
}

func TestWithImageRefuses(t *testing.T) {
	for name, c := range map[string]struct{ image, reference, fail string }{
		"unknown":  {"keycloack", "a:1", "it has curl, ingress-nginx, keycloak"},
		"unpinned": {"keycloak", "quay.io/keycloak/keycloak", "neither tag nor digest"},
		"latest":   {"keycloak", "quay.io/keycloak/keycloak:latest", "another image every week"},
	} {
		if _, err := load(t, "current").WithImage(c.image, c.reference); err == nil || !strings.Contains(err.Error(), c.fail) {
			t.Errorf("%s: %v, want %q", name, err, c.fail)
		}
	}
}
