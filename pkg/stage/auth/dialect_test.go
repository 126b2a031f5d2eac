package auth

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/testbed"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// How servers are told, by their versions: hostname v1 until 24, KC_BOOTSTRAP_ADMIN_* from 26, --proxy-headers alone and a
// port of their own for probes from 25, the user profile behind a switch until 23 (Keycloak's release notes).
func TestDialect(t *testing.T) {
	for image, want := range map[string]dialect{
		"quay.io/keycloak/keycloak:21.1.2":        {"KC_HOSTNAME_URL", "KEYCLOAK_ADMIN", "KEYCLOAK_ADMIN_PASSWORD", "edge", "declarative-user-profile", "http"},
		"quay.io/keycloak/keycloak:24.0.5":        {"KC_HOSTNAME_URL", "KEYCLOAK_ADMIN", "KEYCLOAK_ADMIN_PASSWORD", "edge", "", "http"},
		"quay.io/keycloak/keycloak:25.0.6":        {"KC_HOSTNAME", "KEYCLOAK_ADMIN", "KEYCLOAK_ADMIN_PASSWORD", "xforwarded", "", "http-internal"},
		"quay.io/keycloak/keycloak:26.5.6":        {"KC_HOSTNAME", "KC_BOOTSTRAP_ADMIN_USERNAME", "KC_BOOTSTRAP_ADMIN_PASSWORD", "xforwarded", "", "http-internal"},
		"registry.a.org:5000/keycloak:26.5.6-own": {"KC_HOSTNAME", "KC_BOOTSTRAP_ADMIN_USERNAME", "KC_BOOTSTRAP_ADMIN_PASSWORD", "xforwarded", "", "http-internal"},
		"registry.a.org/keycloak:ours":            {"KC_HOSTNAME", "KC_BOOTSTRAP_ADMIN_USERNAME", "KC_BOOTSTRAP_ADMIN_PASSWORD", "xforwarded", "", "http-internal"},
	} {
		if got := dialectOf(serverVersion(image)); got != want {
			t.Errorf("%s: %+v", image, got)
		}
	}
}

// The jars of Onyxia's releases (web/vite.config.ts and release assets of v4.1.1 to v11.5.1).
func TestThemeAsset(t *testing.T) {
	for _, c := range []struct {
		release, server, want string
	}{
		{"11.5.1", "26.5.6", "keycloak-theme.jar"}, {"11.5.1", "21.1.2", "keycloak-theme.jar"}, {"11.5.1", "24.0.5", "keycloak-theme-for-kc-22-to-25.jar"},
		{"10.1.9", "22.0.5", "keycloak-theme-for-kc-22-to-25.jar"}, {"4.1.1", "21.1.2", "keycloak-theme.jar"}, {"4.1.1", "22.0.5", "keycloak-theme.jar"},
	} {
		v, err := keycloak.ParseVersion(c.server)
		if err != nil {
			t.Fatal(err)
		}
		if got := asset(c.release, v); got != c.want {
			t.Errorf("Onyxia %s, Keycloak %s: %s", c.release, c.server, got)
		}
	}
}

// guide is a datalab of the profile guide-2023.
func guide(t *testing.T, auth platform.Auth) (stage.Env, *[]string) {
	t.Helper()
	env, said := datalab(t, auth)
	env.Platform.Profile = "guide-2023"
	var err error
	if env.Profile, err = profile.Load("guide-2023"); err != nil {
		t.Fatal(err)
	}
	return env, said
}

// The guide's own chart and server are dead. What stands in for them is said in one line, and login is there.
func TestGuide2023(t *testing.T) {
	closed := false
	env, said := guide(t, platform.Auth{Registration: &closed, Theme: platform.Theme{SHA256: sum}})
	list, err := steps(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	if len(*said) != 1 || !strings.Contains((*said)[0], "Keycloak 21.1.2 stands in for the guide's 19.0.3-legacy") {
		t.Errorf("said %q", *said)
	}
	there := map[engine.ID]bool{}
	for _, s := range list {
		there[s.ID] = true
	}
	for _, id := range []engine.ID{stage.KeycloakReleaseID, databaseID, "realm.keycloak/datalab", stage.IssuerID, reachID} {
		if !there[id] {
			t.Errorf("no %s", id)
		}
	}
	jar, err := chosenTheme(env, serverVersion(env.Profile.Components["keycloakx"].Images["server"]))
	if err != nil || jar.url != "https://github.com/InseeFrLab/onyxia/releases/download/v4.1.1/keycloak-theme.jar" {
		t.Errorf("%+v, %v", jar, err)
	}
}

// keycloakObjects are the objects of a rendered chart that decide whether the server comes up and is found.
type keycloakObjects struct {
	set     appsv1.StatefulSet
	ingress networkingv1.Ingress
	service corev1.Service
}

// renderReal renders the real chart of a profile with our values, out of the folder CHARTS.
func renderReal(t *testing.T, env stage.Env) keycloakObjects {
	t.Helper()
	component, err := env.Profile.Component("keycloakx")
	if err != nil {
		t.Fatal(err)
	}
	home, err := testbed.Home()
	if err != nil {
		t.Fatal(err)
	}
	dir, program := os.Getenv("CHARTS"), filepath.Join(home, "bin", "helm")
	archive := filepath.Join(dir, "keycloakx-"+component.Chart.Version+".tgz")
	for _, needed := range []string{archive, program} {
		if _, err := os.Stat(needed); dir == "" || err != nil {
			t.Skipf("NOT RUN on the real chart: CHARTS=%q, and there is no %s", dir, needed)
		}
	}
	jar, err := chosenTheme(env, serverVersion(component.Images["server"]))
	if err != nil {
		t.Fatal(err)
	}
	v, err := values(env, component.Images["server"], component.Images["init"], jar)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "values.json")
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := exec.Command(program, "template", releaseName, archive, "-n", "keycloak", "-f", file, "--kube-version", "1.34.0").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	var out keycloakObjects
	for _, document := range strings.Split(string(text), "\n---") {
		var kind struct {
			Kind     string
			Metadata struct{ Name string }
		}
		if err := yaml.Unmarshal([]byte(document), &kind); err != nil {
			t.Fatal(err)
		}
		into := map[string]any{"StatefulSet/keycloak": &out.set, "Ingress/keycloak": &out.ingress, "Service/keycloak-http": &out.service}[kind.Kind+"/"+kind.Metadata.Name]
		if into != nil {
			if err := yaml.Unmarshal([]byte(document), into); err != nil {
				t.Fatal(err)
			}
		}
	}
	return out
}

// The real charts take our values: 7.1.11 of profile current, 2.2.2 of guide-2023.
func TestRealCharts(t *testing.T) {
	for name, c := range map[string]struct {
		env    func(*testing.T, platform.Auth) (stage.Env, *[]string)
		want   map[string]string // variables with a value
		secret []string          // variables out of a Secret
		not    []string
		probe  string
	}{
		"current": {datalab,
			map[string]string{"KC_HOSTNAME": "https://auth.lab.demo.test/auth", "KC_PROXY_HEADERS": "xforwarded", "KC_HTTP_RELATIVE_PATH": "/auth", "KC_DB_URL_HOST": "keycloak-db.keycloak.svc", "KC_CACHE": "local"},
			[]string{"KC_BOOTSTRAP_ADMIN_PASSWORD", "KC_DB_PASSWORD", "KC_DB_USERNAME"}, []string{"KC_HOSTNAME_URL", "KC_FEATURES", "KEYCLOAK_ADMIN"}, "http-internal"},
		"guide-2023": {guide,
			map[string]string{"KC_HOSTNAME_URL": "https://auth.lab.demo.test/auth", "KC_PROXY": "edge", "KC_HTTP_RELATIVE_PATH": "/auth", "KC_DB_URL_HOST": "keycloak-db.keycloak.svc", "KC_CACHE": "local", "KC_FEATURES": "declarative-user-profile"},
			[]string{"KEYCLOAK_ADMIN_PASSWORD", "KC_DB_PASSWORD", "KC_DB_USERNAME"}, []string{"KC_HOSTNAME", "KC_PROXY_HEADERS", "KC_BOOTSTRAP_ADMIN_USERNAME", "KC_CACHE_STACK"}, "http"},
	} {
		t.Run(name, func(t *testing.T) {
			env, _ := c.env(t, platform.Auth{Theme: platform.Theme{SHA256: sum}})
			got := renderReal(t, env)
			pod := got.set.Spec.Template.Spec
			if len(pod.Containers) != 1 || len(pod.InitContainers) != 1 || pod.InitContainers[0].Name != "onyxia-theme" {
				t.Fatalf("%+v", pod)
			}
			server := pod.Containers[0]
			variables := map[string]corev1.EnvVar{}
			for _, e := range server.Env {
				if _, twice := variables[e.Name]; twice {
					t.Errorf("%s stands twice", e.Name)
				}
				variables[e.Name] = e
			}
			for variable, want := range c.want {
				if variables[variable].Value != want {
					t.Errorf("%s is %q, want %q", variable, variables[variable].Value, want)
				}
			}
			for _, variable := range c.secret {
				if from := variables[variable].ValueFrom; from == nil || from.SecretKeyRef == nil {
					t.Errorf("%s does not come from a Secret: %+v", variable, variables[variable])
				}
			}
			for _, variable := range c.not {
				if _, there := variables[variable]; there {
					t.Errorf("%s is told", variable)
				}
			}
			named, err := profile.ParseImage(env.Profile.Components["keycloakx"].Images["server"])
			if err != nil {
				t.Fatal(err)
			}
			image := named.Registry + "/" + named.Repository + ":" + named.Tag
			if named.Digest != "" {
				image = named.Registry + "/" + named.Repository + "@" + named.Digest
			}
			for label, value := range got.set.Labels {
				if wrong := validation.IsValidLabelValue(value); len(wrong) > 0 {
					t.Errorf("label %s: %v", label, wrong)
				}
			}
			if d := cmp.Diff([]string{"start"}, server.Args); d != "" || server.Image != image {
				t.Errorf("%s %s", server.Image, d)
			}
			ports := map[string]bool{}
			for _, p := range server.Ports {
				ports[p.Name] = true
			}
			for _, probe := range []*corev1.Probe{server.StartupProbe, server.ReadinessProbe, server.LivenessProbe} {
				if at := probe.HTTPGet.Port.String(); at != c.probe || !ports[at] || !strings.HasPrefix(probe.HTTPGet.Path, "/auth/health") {
					t.Errorf("a probe asks %s at %s", probe.HTTPGet.Path, at)
				}
			}
			rule := got.ingress.Spec.Rules[0]
			if rule.Host != "auth.lab.demo.test" || rule.HTTP.Paths[0].Backend.Service.Name != "keycloak-http" || *got.ingress.Spec.IngressClassName != "nginx" || got.ingress.Spec.TLS[0].Hosts[0] != rule.Host {
				t.Errorf("%+v", got.ingress.Spec)
			}
			if got.service.Spec.Ports[0].Name == "" || got.set.Spec.PodManagementPolicy != appsv1.ParallelPodManagement {
				t.Errorf("%+v, %s", got.service.Spec, got.set.Spec.PodManagementPolicy)
			}
		})
	}
}
