package app

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/helm"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// environment is a datalab with the stages that are named, as a run finds it.
func environment(t *testing.T, c platform.Config, present ...string) stage.Env {
	t.Helper()
	c.Domain = "demo.test"
	p, err := platform.Complete(c)
	if err != nil {
		t.Fatal(err)
	}
	chosen, err := profile.Load(p.Profile)
	if err != nil {
		t.Fatal(err)
	}
	env := stage.Env{Platform: p, Profile: chosen, Helm: &helm.Client{}, Kube: &kube.Client{}, Present: map[string]bool{}, Links: stage.NewLinks(), Warn: func(string) {}}
	for _, name := range present {
		env.Present[name] = true
	}
	return env
}

func at(t *testing.T, values map[string]any, path ...string) any {
	t.Helper()
	v, _, err := unstructured.NestedFieldNoCopy(values, path...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func region(t *testing.T, values map[string]any) map[string]any {
	t.Helper()
	regions, ok := at(t, values, "api", "regions").([]any)
	if !ok || len(regions) != 1 {
		t.Fatalf("regions: %v", regions)
	}
	one, ok := regions[0].(map[string]any)
	if !ok {
		t.Fatalf("region: %v", regions[0])
	}
	return one
}

// Onyxia is told of the parts that stand, and of no others: a part that is told and does not work leaves a blank page.
func TestValuesFollowTheStages(t *testing.T) {
	for name, c := range map[string]struct {
		config            platform.Config
		present           []string
		login, s3, secret bool
		single            bool // everybody shares one namespace
	}{
		"alone":                   {present: []string{"ingress", "tls", "app"}, single: true},
		"with login":              {present: []string{"ingress", "tls", "auth", "app"}, login: true},
		"all":                     {present: []string{"ingress", "tls", "auth", "s3", "vault", "app"}, login: true, s3: true, secret: true},
		"login is not wanted":     {config: platform.Config{Auth: platform.Auth{Mode: "none"}}, present: []string{"auth", "s3", "vault"}, single: true},
		"S3 is not wanted":        {config: platform.Config{S3: platform.S3{Mode: "none"}}, present: []string{"auth", "s3", "vault"}, login: true, secret: true},
		"wanted, not yet there":   {config: platform.Config{S3: platform.S3{Mode: "install"}}, present: []string{"auth"}, login: true},
		"chart 4, all":            {config: platform.Config{Profile: "guide-2023"}, present: []string{"auth", "s3", "vault"}, login: true, s3: true, secret: true},
		"chart 4, without login":  {config: platform.Config{Profile: "guide-2023"}, single: true},
		"other namespace, a user": {config: platform.Config{App: platform.App{Namespace: "lab"}}, present: []string{"auth"}, login: true},
	} {
		t.Run(name, func(t *testing.T) {
			env := environment(t, c.config, c.present...)
			values, err := Values(env)
			if err != nil {
				t.Fatal(err)
			}
			if mode := at(t, values, "api", "env", "authentication.mode"); (mode == "openidconnect") != c.login {
				t.Errorf("authentication.mode is %v", mode)
			}
			one := region(t, values)
			if single := at(t, one, "services", "singleNamespace"); (single == true) != c.single {
				t.Errorf("singleNamespace is %v", single)
			}
			if has := at(t, one, "data", "S3") != nil; has != c.s3 {
				t.Errorf("region has S3: %v", has)
			}
			if has := one["vault"] != nil; has != c.secret {
				t.Errorf("region has vault: %v", has)
			}
		})
	}
}

func TestValuesOfTheAdminGoOnTop(t *testing.T) {
	env := environment(t, platform.Config{App: platform.App{
		Values: map[string]any{"web": map[string]any{"replicaCount": 3}, "api": map[string]any{"env": map[string]any{"authentication.mode": "none"}}},
		Region: map[string]any{"name": "Our lab"},
	}}, "auth")
	values, err := Values(env)
	if err != nil {
		t.Fatal(err)
	}
	if got := at(t, values, "web", "replicaCount"); fmt.Sprint(got) != "3" {
		t.Errorf("web.replicaCount is %v", got)
	}
	if got := at(t, values, "api", "env", "authentication.mode"); got != "none" {
		t.Errorf("authentication.mode is %v", got)
	}
	if got := region(t, values)["name"]; got != "Our lab" {
		t.Errorf("the region's name is %v", got)
	}
}

func ids(list []engine.Step) (names []engine.ID, needs map[engine.ID][]engine.ID) {
	needs = map[engine.ID][]engine.ID{}
	for _, s := range list {
		names = append(names, s.ID)
		needs[s.ID] = slices.Sorted(slices.Values(s.Needs))
	}
	return names, needs
}

// The order in which Onyxia comes: after the address, after the parts that it is told of, and it is done when it answers.
func TestSteps(t *testing.T) {
	for name, c := range map[string]struct {
		present []string
		want    []engine.ID // what the release needs
	}{
		"alone":      {want: []engine.ID{stage.AddressID, "namespace/onyxia"}},
		"with login": {present: []string{"auth"}, want: []engine.ID{stage.AddressID, stage.IssuerID, "namespace/onyxia"}},
	} {
		t.Run(name, func(t *testing.T) {
			list, err := steps(t.Context(), environment(t, platform.Config{}, c.present...))
			if err != nil {
				t.Fatal(err)
			}
			names, needs := ids(list)
			if d := cmp.Diff([]engine.ID{stage.AppID, servedID}, names); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(slices.Sorted(slices.Values(c.want)), needs[stage.AppID]); d != "" {
				t.Error(d)
			}
			if !slices.Contains(needs[servedID], stage.AppID) || !slices.Contains(needs[servedID], stage.CertificateID) {
				t.Errorf("%s needs %v", servedID, needs[servedID])
			}
		})
	}
}

// A private authority reaches the API as a ConfigMap with one file for each certificate.
func TestPrivateAuthority(t *testing.T) {
	lab := newLab(t)
	env := environment(t, platform.Config{Trust: platform.Trust{CABundle: string(lab.caPEM)}}, "auth")
	list, err := steps(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	names, needs := ids(list)
	if !slices.Contains(names, engine.ID("configmap/onyxia-ca")) || !slices.Contains(needs[stage.AppID], engine.ID("configmap/onyxia-ca")) {
		t.Errorf("steps %v, the release needs %v", names, needs[stage.AppID])
	}
	object := caConfigMap("onyxia", map[string]string{"a.pem": "text"})
	if at(t, object.Object, "data", "a.pem") != "text" || object.GetNamespace() != "onyxia" || object.GetLabels()["app.kubernetes.io/managed-by"] != kube.FieldManager {
		t.Errorf("%v", object.Object)
	}
}

// What the API would drop without a word is told; what would leave a blank page stops the run.
func TestLint(t *testing.T) {
	var said []string
	env := environment(t, platform.Config{App: platform.App{Region: map[string]any{"servces": map[string]any{"x": true}}}})
	env.Warn = func(line string) { said = append(said, line) }
	_, err := steps(t.Context(), env)
	if told := strings.Join(said, "\n"); err != nil || !strings.Contains(told, `api.regions[0].servces: chart 11.5.1 has no such key and drops it without a word; did you mean "services"?`) {
		t.Errorf("error %v, told %q", err, told)
	}
	broken := environment(t, platform.Config{App: platform.App{Values: map[string]any{"api": map[string]any{"regions": "none"}}}})
	if _, err := steps(t.Context(), broken); err == nil || !strings.Contains(err.Error(), "regions") {
		t.Errorf("regions that are no list: %v", err)
	}
}

// hostPort is what a test server listens on.
func hostPort(t *testing.T, l net.Listener) string {
	t.Helper()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
