package auth

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/helm"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

const image = "quay.io/keycloak/keycloak:26.7.4"

// datalab is what steps are made from; what steps warn of is collected.
func datalab(t *testing.T, auth platform.Auth) (stage.Env, *[]string) {
	t.Helper()
	p, err := platform.Complete(platform.Config{Domain: "demo.test", Auth: auth})
	if err != nil {
		t.Fatal(err)
	}
	chosen, err := profile.Load(p.Profile)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	env := stage.Env{
		Platform: p, Profile: chosen, Kube: &kube.Client{}, Helm: &helm.Client{}, Present: map[string]bool{}, Links: stage.NewLinks(),
		Warn: func(line string) { said = append(said, line) },
	}
	if p.HasAuth() {
		env.Keycloak = stage.NewKeycloak(p, env.Kube)
	}
	return env, &said
}

func rendered(t *testing.T, auth platform.Auth, jar theme) map[string]any {
	t.Helper()
	env, _ := datalab(t, auth)
	v, err := values(env, image, "docker.io/curlimages/curl:8.22.0", jar)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// text is a value that the chart wants as text, read.
func text[T any](t *testing.T, v map[string]any, key string) T {
	t.Helper()
	var out T
	raw, ok := v[key].(string)
	if !ok {
		t.Fatalf("%s is %v", key, v[key])
	}
	if err := yaml.Unmarshal([]byte(raw), &out); err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	return out
}

type variable struct {
	Name, Value string
	ValueFrom   struct{ SecretKeyRef struct{ Name, Key string } }
}

// Passwords are named, never given: every variable and key that holds one refers to a Secret.
func TestNoPasswordInValues(t *testing.T) {
	external := platform.Auth{Database: platform.Database{Mode: "external", Host: "pg.example.org", CredentialsSecret: "pg-login"}}
	for name, auth := range map[string]platform.Auth{"install": {}, "external database": external} {
		t.Run(name, func(t *testing.T) {
			v := rendered(t, auth, theme{})
			raw, err := yaml.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(raw)) {
				key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
				if regexp.MustCompile(`(?i)^-?\s*(password|secret|.*password)$`).MatchString(key) && value != "" {
					t.Errorf("a password is given: %s", line)
				}
			}
			for _, e := range text[[]variable](t, v, "extraEnv") {
				if hidden := strings.Contains(e.Name, "PASSWORD") || strings.Contains(e.Name, "USERNAME"); hidden != (e.ValueFrom.SecretKeyRef.Name != "") {
					t.Errorf("%s: value %q, from Secret %q", e.Name, e.Value, e.ValueFrom.SecretKeyRef.Name)
				}
			}
		})
	}
}

// The database: ours by its Service, an external one by its host, each with the Secret that holds its login.
func TestDatabaseOfValues(t *testing.T) {
	for name, c := range map[string]struct {
		database platform.Database
		want     map[string]any
	}{
		"install": {want: map[string]any{"vendor": "postgres", "hostname": "keycloak-db.keycloak.svc", "port": 5432, "database": "keycloak", "existingSecret": "keycloak-db", "existingSecretKey": "password"}},
		"external": {
			database: platform.Database{Mode: "external", Host: "pg.example.org", Port: 6432, Name: "sso", CredentialsSecret: "pg-login"},
			want:     map[string]any{"vendor": "postgres", "hostname": "pg.example.org", "port": 6432, "database": "sso", "existingSecret": "pg-login", "existingSecretKey": "password"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := rendered(t, platform.Auth{Database: c.database}, theme{})
			if d := cmp.Diff(c.want, v["database"]); d != "" {
				t.Error(d)
			}
			for _, e := range text[[]variable](t, v, "extraEnv") {
				if e.Name == "KC_DB_USERNAME" && e.ValueFrom.SecretKeyRef.Name != c.want["existingSecret"] {
					t.Errorf("the user's name comes from %+v", e.ValueFrom)
				}
			}
		})
	}
}

// The chart makes a label of the tag, in which a digest is refused by the API server.
func TestImageValues(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0f", 32)
	for reference, want := range map[string]map[string]any{
		image:                              {"repository": "quay.io/keycloak/keycloak", "tag": "26.7.4"},
		image + "@" + digest:               {"repository": "quay.io/keycloak/keycloak", "tag": "26.7.4", "digest": digest},
		"mirror:5000/kc@" + digest:         {"repository": "mirror:5000/kc", "digest": digest},
		"registry.a.org/ours/keycloak:own": {"repository": "registry.a.org/ours/keycloak", "tag": "own"},
	} {
		parsed, err := profile.ParseImage(reference)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, imageValues(parsed)); d != "" {
			t.Errorf("%s: %s", reference, d)
		}
	}
}

// What has to stand in the values for the server to come up and be found behind an ingress (chart keycloakx 7.1.11,
// Keycloak 26 with hostname v2).
func TestServerOfValues(t *testing.T) {
	v := rendered(t, platform.Auth{}, theme{})
	for key, want := range map[string]any{
		"fullnameOverride": "keycloak", "podManagementPolicy": "Parallel", "args": []any{"start"},
		"image": map[string]any{"repository": "quay.io/keycloak/keycloak", "tag": "26.7.4"},
		"http":  map[string]any{"relativePath": "/auth"}, "proxy": map[string]any{"mode": "xforwarded"},
	} {
		if d := cmp.Diff(want, v[key]); d != "" {
			t.Errorf("%s: %s", key, d)
		}
	}
	env := map[string]string{}
	for _, e := range text[[]variable](t, v, "extraEnv") {
		env[e.Name] = e.Value
	}
	if env["KC_HOSTNAME"] != "https://auth.lab.demo.test/auth" || env["ONYXIA_RESOURCES_ALLOWED_ORIGINS"] != "https://onyxia.demo.test" {
		t.Errorf("environment: %v", env)
	}
	probe := text[struct {
		HTTPGet          struct{ Path string }
		FailureThreshold int
		PeriodSeconds    int
	}](t, v, "startupProbe")
	if probe.HTTPGet.Path != "/auth/health" || probe.FailureThreshold*probe.PeriodSeconds < 15*60 {
		t.Errorf("a small node is given %+v", probe)
	}
}

// The chart runs some values through its template engine. What the admin or the platform put there must come out as it
// went in.
func TestTextsSurviveTheTemplateEngine(t *testing.T) {
	got, err := templateText(map[string]any{"a": "{{ .Release.Name }} and }}"})
	if err != nil {
		t.Fatal(err)
	}
	if want := "a: '{{ \"{{\" }} .Release.Name }} and }}'\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

const sum = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"

// The theme runs inside the login server. One from an address of the admin's needs its checksum, that of the Onyxia
// release is taken without, which is said, and it may be left out.
func TestTheme(t *testing.T) {
	for name, c := range map[string]struct {
		theme platform.Theme
		want  theme
		says  string // a warning
	}{
		"of the release":          {want: theme{url: "https://github.com/InseeFrLab/onyxia/releases/download/v11.5.1/keycloak-theme.jar"}, says: "without a checksum"},
		"of the release, checked": {theme: platform.Theme{SHA256: sum}, want: theme{url: "https://github.com/InseeFrLab/onyxia/releases/download/v11.5.1/keycloak-theme.jar", sha256: sum}},
		"none":                    {theme: platform.Theme{URL: "none"}},
		"of the admin":            {theme: platform.Theme{URL: "https://a.org/t.jar", SHA256: sum}, want: theme{url: "https://a.org/t.jar", sha256: sum}},
	} {
		t.Run(name, func(t *testing.T) {
			env, said := datalab(t, platform.Auth{Theme: c.theme})
			got, err := chosenTheme(env, keycloak.Version{})
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v", got, err)
			}
			if told := strings.Join(*said, "\n"); !strings.Contains(told, c.says) || (c.says == "") != (told == "") {
				t.Errorf("said %q", told)
			}
		})
	}
}

func TestOnyxiaClient(t *testing.T) {
	env, _ := datalab(t, platform.Auth{})
	c := onyxiaClient(env.Platform)
	if d := cmp.Diff([]string{"https://onyxia.demo.test/*"}, c.RedirectURIs); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"https://onyxia.demo.test"}, c.WebOrigins); d != "" {
		t.Error(d)
	}
	if !slices.Contains(c.WithoutScopes, keycloak.RolesAsGroupsScope) {
		t.Error("its users may have their roles among their groups")
	}
}

// Sign-up that nobody checks is told, and only that.
func TestOpenSignUpIsTold(t *testing.T) {
	no := false
	for name, c := range map[string]struct {
		auth platform.Auth
		told bool
	}{
		"open":          {told: true},
		"closed":        {auth: platform.Auth{Registration: &no}},
		"verified":      {auth: platform.Auth{SMTP: platform.SMTP{Host: "mail.a.org", From: "lab@a.org"}}},
		"some may only": {auth: platform.Auth{EmailDomains: []string{"a.org"}}, told: true},
	} {
		t.Run(name, func(t *testing.T) {
			c.auth.Theme.URL = "none"
			env, said := datalab(t, c.auth)
			if _, err := steps(t.Context(), env); err != nil {
				t.Fatal(err)
			}
			if told := strings.Contains(strings.Join(*said, "\n"), "anyone can sign up"); told != c.told {
				t.Errorf("said %q", *said)
			}
		})
	}
}

// Which steps there are follows from auth.mode: a server of ours, one that is there, or none that we may touch.
func TestStepsByMode(t *testing.T) {
	list := func(auth platform.Auth) ([]engine.Step, error) {
		auth.Theme.URL = "none"
		env, _ := datalab(t, auth)
		return steps(t.Context(), env)
	}
	has := func(steps []engine.Step, id engine.ID) bool {
		return slices.ContainsFunc(steps, func(s engine.Step) bool { return s.ID == id })
	}
	for name, c := range map[string]struct {
		auth                            platform.Auth
		release, database, realm, login bool
	}{
		"install":           {release: true, database: true, realm: true, login: true},
		"external database": {auth: platform.Auth{Database: platform.Database{Mode: "external", Host: "pg", CredentialsSecret: "pg"}}, release: true, realm: true, login: true},
		"keycloak":          {auth: platform.Auth{Mode: "keycloak", URL: "https://sso.a.org", CredentialsSecret: "sso/admin"}, realm: true, login: true},
		"oidc":              {auth: platform.Auth{Mode: "oidc", URL: "https://idp.a.org"}, login: true},
		"none":              {auth: platform.Auth{Mode: "none"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := list(c.auth)
			if err != nil {
				t.Fatal(err)
			}
			for id, want := range map[engine.ID]bool{
				stage.KeycloakReleaseID: c.release, databaseID: c.database, volumeID: c.database, databaseSecretID: c.database,
				"realm.keycloak/datalab": c.realm, accountSecretID: c.realm, stage.IssuerID: c.login,
			} {
				if has(got, id) != want {
					t.Errorf("%s: %v, want %v", id, has(got, id), want)
				}
			}
		})
	}
}

// Two datalabs on one Keycloak have a realm each, and must not share the account that configures it.
func TestAccountPerRealm(t *testing.T) {
	seen := map[string]bool{}
	for _, realm := range []string{"datalab", "second"} {
		env, _ := datalab(t, platform.Auth{Mode: "keycloak", URL: "https://sso.a.org", CredentialsSecret: "sso/admin", Realm: realm})
		seen[env.Keycloak.Account.ID] = true
	}
	if len(seen) != 2 {
		t.Errorf("accounts %v", seen)
	}
}

// What holds data is marked, so that no uninstall takes it along.
func TestWhatHoldsData(t *testing.T) {
	env, _ := datalab(t, platform.Auth{Theme: platform.Theme{URL: "none"}})
	list, err := steps(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	var holding []string
	for _, s := range list {
		if s.Data != "" {
			holding = append(holding, fmt.Sprint(s.ID))
		}
	}
	slices.Sort(holding)
	for _, want := range []engine.ID{volumeID, databaseSecretID, bootstrapID, accountSecretID} {
		if !slices.Contains(holding, string(want)) {
			t.Errorf("%s may be taken away without being named; holding are %v", want, holding)
		}
	}
}
