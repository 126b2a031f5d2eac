package onyxia

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
)

// The defects D1 to D17 of the 2023 guide, as far as they are in the values of Onyxia. D7 to D12 are about the ingress
// controller, certificates and namespaces.

// everyExample runs a check on the values of each example.
func everyExample(t *testing.T, check func(t *testing.T, in Input, values map[string]any)) {
	t.Helper()
	for _, e := range examples() {
		t.Run(e.name, func(t *testing.T) {
			in := e.in(t)
			check(t, in, render(t, in))
		})
	}
}

// leaves calls back for each single value below, with its path.
func leaves(path string, value any, call func(path string, value any)) {
	switch value := value.(type) {
	case map[string]any:
		for key := range value {
			leaves(join(path, key), value[key], call)
		}
	case []any:
		for i := range value {
			leaves(at(path, i), value[i], call)
		}
	default:
		call(path, value)
	}
}

// D1: without a version the next upgrade takes another schema, whose chart ignores these values. D2: the chart's
// repository is the one that still gets releases.
func TestD1D2OneVersionFromOneRepository(t *testing.T) {
	if _, err := Values(Input{Platform: demo(t)}); err == nil {
		t.Error("D1: values were rendered for no version at all")
	}
	for name, want := range map[string]Schema{"current": Schema11, "guide-2023": Schema4} {
		p, err := profile.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		chart := p.Components["onyxia"].Chart
		if got, err := Generation(chart.Version); err != nil || got != want {
			t.Errorf("D1: profile %s has chart %q, of schema %d (%v), want %d", name, chart.Version, got, err, want)
		}
		if chart.Repository != "https://inseefrlab.github.io/onyxia" {
			t.Errorf("D2: profile %s takes the chart from %s", name, chart.Repository)
		}
	}
}

// D4: one host everywhere.
func TestD4OneHost(t *testing.T) {
	everyExample(t, func(t *testing.T, in Input, values map[string]any) {
		host := in.Platform.OnyxiaHost()
		want := map[string]any{
			"hosts": []any{map[string]any{"host": host}},
			"tls":   []any{map[string]any{"hosts": []any{host}}},
		}
		got := map[string]any{"hosts": part(values, "ingress")["hosts"], "tls": part(values, "ingress")["tls"]}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	})
}

// D5: the class is a field of Onyxia's own Ingress and of those of users' services, and never an annotation.
func TestD5IngressClass(t *testing.T) {
	everyExample(t, func(t *testing.T, in Input, values map[string]any) {
		if got := part(values, "ingress")["ingressClassName"]; got != in.Platform.Ingress.Class {
			t.Errorf("Onyxia's class is %v", got)
		}
		if got := part(onlyRegion(t, values), "services", "expose")["ingressClassName"]; got != in.Platform.Ingress.Class {
			t.Errorf("the services' class is %v", got)
		}
		if _, set := part(values, "ingress")["annotations"]; set {
			t.Error("the Ingress has annotations")
		}
	})
}

// D6: a tls block makes the controller redirect http; without a secret it serves its default certificate.
func TestD6RedirectedToHTTPS(t *testing.T) {
	everyExample(t, func(t *testing.T, _ Input, values map[string]any) {
		blocks := list(part(values, "ingress"), "tls")
		if len(blocks) != 1 {
			t.Fatalf("%d tls blocks", len(blocks))
		}
		if _, set := blocks[0].(map[string]any)["secretName"]; set {
			t.Error("the block names a secret, which is in the controller's namespace")
		}
	})
}

// D13: without login everyone on the network is the user, so the API keeps to its own namespace; the admin's rights in
// the cluster come with the login.
func TestD13RightsComeWithLogin(t *testing.T) {
	everyExample(t, func(t *testing.T, in Input, values map[string]any) {
		schema, err := Generation(in.ChartVersion)
		if err != nil {
			t.Fatal(err)
		}
		account := part(values, "api", "serviceAccount")
		if schema == Schema4 {
			account = part(values, "serviceAccount")
		}
		if got := account["clusterAdmin"] == true; got != in.Auth {
			t.Errorf("clusterAdmin is %v, login is %v", got, in.Auth)
		}
		if got := part(onlyRegion(t, values), "services")["singleNamespace"]; got != !in.Auth {
			t.Errorf("singleNamespace is %v, login is %v", got, in.Auth)
		}
		mode := map[bool]string{true: "openidconnect", false: "none"}[in.Auth]
		if got := part(values, "api", "env")["authentication.mode"]; got != mode {
			t.Errorf("authentication.mode is %v", got)
		}
	})
}

// D14: no leftovers of a developer's machine.
func TestD14NoCORS(t *testing.T) {
	everyExample(t, func(t *testing.T, _ Input, values map[string]any) {
		leaves("", values, func(path string, value any) {
			if strings.Contains(path, "cors") || strings.Contains(fmt.Sprint(value), "localhost") {
				t.Errorf("%s is %v", path, value)
			}
		})
	})
}

// D15: no placeholders, and no block that does nothing yet.
func TestD15NothingHalfReady(t *testing.T) {
	everyExample(t, func(t *testing.T, in Input, values map[string]any) {
		leaves("", values, func(path string, value any) {
			if strings.EqualFold(fmt.Sprint(value), "todo") {
				t.Errorf("%s is a placeholder", path)
			}
		})
		region := onlyRegion(t, values)
		if _, set := region["data"]; set != in.S3 {
			t.Errorf("a data block is there: %v, S3 is ready: %v", set, in.S3)
		}
		if _, set := region["vault"]; set != in.Vault {
			t.Errorf("a vault block is there: %v, Vault is ready: %v", set, in.Vault)
		}
		if _, set := part(region, "services")["monitoring"]; set {
			t.Error("there is a link to monitoring that leads nowhere")
		}
	})
}

// D16: no cloudshell from a catalogue that is gone. D17: auth is no key of a region. Nor are the guide's other keys that
// were dropped since: initScript points to a script that images carry, location and the oidc- prefixes are for show.
func TestD16D17NoDeadKeys(t *testing.T) {
	everyExample(t, func(t *testing.T, in Input, values map[string]any) {
		region := onlyRegion(t, values)
		for _, key := range []string{"auth", "location"} {
			if _, set := region[key]; set {
				t.Errorf("the region has %s", key)
			}
		}
		for _, key := range []string{"cloudshell", "initScript", "usernamePrefix", "groupPrefix", "defaultConfiguration"} {
			if _, set := part(region, "services")[key]; set {
				t.Errorf("the services have %s", key)
			}
		}
		if _, set := part(region, "services")["type"]; set != strings.HasPrefix(in.ChartVersion, "4.") {
			t.Errorf("services.type is there: %v, in chart %s", set, in.ChartVersion)
		}
	})
}

// An S3 block that has sts has a role for everyone: without one the page is blank for every user.
func TestSTSAlwaysHasARole(t *testing.T) {
	everyExample(t, func(t *testing.T, _ Input, values map[string]any) {
		sts := part(onlyRegion(t, values), "data", "S3", "sts")
		if len(sts) == 0 {
			return
		}
		if part(sts, "role")["profileName"] != "default" {
			t.Errorf("role is %v", sts["role"])
		}
		if _, set := part(sts, "role")["claimName"]; set {
			t.Error("the role is for some users only")
		}
	})
}

// Names of users and groups begin the same in Kubernetes, S3 and Vault, and come of the same claims (D30, D44).
func TestPrefixesAgree(t *testing.T) {
	in := with(chart11, 3, func(c *platform.Config) {
		c.Prefixes = platform.Prefixes{User: "u-", Group: "g-"}
		c.Auth.Mode, c.Auth.URL = "oidc", "https://sso.example.org"
		c.Auth.UsernameClaim, c.Auth.GroupsClaim = "uid", "teams"
	})(t)
	values := render(t, in)
	region := onlyRegion(t, values)
	if got := part(region, "services"); got["namespacePrefix"] != "u-" || got["groupNamespacePrefix"] != "g-" {
		t.Errorf("namespaces: %v", got)
	}
	if got := part(region, "vault"); got["prefix"] != "u-" || got["groupPrefix"] != "" {
		t.Errorf("Vault: %v", got)
	}
	want := []any{
		map[string]any{"s3Uri": "s3://u-$1/", "title": "Personal", "claimName": "uid"},
		map[string]any{"s3Uri": "s3://g-$1/", "title": "Group $1", "claimName": "teams"},
	}
	if d := cmp.Diff(want, part(region, "data", "S3")["bookmarks"]); d != "" {
		t.Error(d)
	}
	if env := part(values, "api", "env"); env["oidc.username-claim"] != "uid" || env["oidc.groups-claim"] != "teams" {
		t.Errorf("claims: %v", env)
	}

	in = with(chart4, 3, func(c *platform.Config) {
		c.Prefixes = platform.Prefixes{User: "u-", Group: "g-"}
	})(t)
	values = render(t, in)
	s3 := part(onlyRegion(t, values), "data", "S3")
	if s3["bucketPrefix"] != "u-" || s3["groupBucketPrefix"] != "g-" || s3["bucketClaim"] != "preferred_username" {
		t.Errorf("chart 4, buckets: %v", s3)
	}
	if got := part(values, "api", "env")["oidc.username-claim"]; got != "preferred_username" {
		t.Errorf("chart 4, claim: %v", got)
	}
}

// No secret is ever in the values: what is in them anyone may read who may read the release or its ConfigMap (D19).
func TestD19NoSecrets(t *testing.T) {
	everyExample(t, func(t *testing.T, _ Input, values map[string]any) {
		words := []string{"password", "secret", "token"}
		leaves("", values, func(path string, value any) {
			for _, word := range words {
				if strings.Contains(strings.ToLower(path), word) {
					t.Errorf("%s is %v", path, value)
				}
			}
		})
	})
}

// The API's image adds each file of one folder to what Java trusts; both generations mount it the same way.
func TestPrivateAuthorities(t *testing.T) {
	everyExample(t, func(t *testing.T, in Input, values map[string]any) {
		api := part(values, "api")
		if in.CAConfigMap == "" {
			if _, set := api["extraVolumes"]; set {
				t.Error("there is a volume for nothing")
			}
			return
		}
		volumes := []any{map[string]any{"name": "private-ca", "configMap": map[string]any{"name": in.CAConfigMap}}}
		mounts := []any{map[string]any{"name": "private-ca", "mountPath": "/usr/local/share/ca-certificates", "readOnly": true}}
		if d := cmp.Diff([]any{volumes, mounts}, []any{api["extraVolumes"], api["extraVolumeMounts"]}); d != "" {
			t.Error(d)
		}
	})
	label := func(pem string) any {
		in := with(chart11, 0)(t)
		in.CAConfigMap, in.Platform.CAPEM = "onyxia-ca", []byte(pem)
		return part(render(t, in), "api", "podLabels")["kubectl-onyxia/private-ca"]
	}
	if label("one") == label("two") || label("one") != label("one") || label("one") == nil {
		t.Error("the pod is not replaced when, and only when, the authorities change")
	}
	if !slices.ContainsFunc(examples(), func(e example) bool { return strings.Contains(e.name, "private-ca") }) {
		t.Error("no example has a private authority")
	}
}
