package onyxia

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// answerOf is what the real API answered for an example; TestRealAPIServesTheValues records it.
func answerOf(t *testing.T, name string) []byte {
	t.Helper()
	answer, err := os.ReadFile(filepath.Join("testdata", "answers", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// Every answer of the real API matches the values it was started with and no others, except where the two sets make the
// same configuration. That is what tells the new pod from the old one.
func TestMatchesAnswersOfTheRealAPI(t *testing.T) {
	for _, wanted := range examples() {
		in := wanted.in(t)
		values := render(t, in)
		for _, served := range examples() {
			other := served.in(t)
			if other.ChartVersion != in.ChartVersion {
				continue
			}
			err := Matches(in.ChartVersion, values, answerOf(t, served.name))
			same := sameConfiguration(t, in.ChartVersion, values, render(t, other))
			if same && err != nil {
				t.Errorf("%s wanted and served: %v", wanted.name, err)
			}
			var difference *DifferenceError
			if !same && !errors.As(err, &difference) {
				t.Errorf("%s wanted, %s served, and no difference: %v", wanted.name, served.name, err)
			}
		}
	}
}

func sameConfiguration(t *testing.T, chart string, a, b map[string]any) bool {
	t.Helper()
	one, err := served(chart, a)
	if err != nil {
		t.Fatal(err)
	}
	two, err := served(chart, b)
	if err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(one, two)
}

func TestMatchesSaysTheFirstDifference(t *testing.T) {
	for name, c := range map[string]struct {
		served string
		change func(*platform.Config)
		parts  int
		want   string
	}{
		"before login":     {"11-anonymous", nil, 1, `the API does not serve oidcConfiguration, wanted is {"audience":"onyxia","clientID":"onyxia"`},
		"after login":      {"11-auth", nil, 0, `the API serves oidcConfiguration, which is not wanted: {"audience":"onyxia"`},
		"before S3":        {"11-auth", nil, 2, `the API does not serve regions[0].data, wanted is {"S3":{`},
		"after S3":         {"11-auth-s3", nil, 1, `the API serves regions[0].data, which is not wanted: {"S3":{`},
		"before Vault":     {"11-auth-s3", nil, 3, `the API does not serve regions[0].vault, wanted is {"URL":"https://vault.lab.demo.test"`},
		"after Vault":      {"11-auth-s3-vault", nil, 2, `the API serves regions[0].vault.URL, which is not wanted: "https://vault.lab.demo.test"`},
		"another domain":   {"11-anonymous", func(c *platform.Config) { c.Domain = "new.test" }, 0, `the API serves regions[0].services.expose.domain = "lab.demo.test", wanted is "lab.new.test"`},
		"another issuer":   {"11-auth", func(c *platform.Config) { c.Auth.Realm = "new" }, 1, `the API serves oidcConfiguration.issuerURI = "https://auth.lab.demo.test/auth/realms/datalab", wanted is "https://auth.lab.demo.test/auth/realms/new"`},
		"another duration": {"11-auth-s3", func(c *platform.Config) { c.S3.SessionDuration = "12h" }, 2, `the API serves regions[0].data.S3.sts.durationSeconds = 86400, wanted is 43200`},
		"one more quota": {"11-anonymous", func(c *platform.Config) {
			c.App.Region = map[string]any{"services": map[string]any{"quotas": map[string]any{"userEnabled": true}}}
		}, 0, `regions[0].services.quotas.userEnabled = false, wanted is true`},
		"a quota that is gone": {"11-overlays", func(c *platform.Config) { c.App.Region = map[string]any{"name": "Our lab"} }, 2, `the API serves regions[0].services.quotas.user["count/pods"], which is not wanted: 10`},
		"a key that has to go": {"11-overlays", nil, 2, `regions[0].name = "Our lab", wanted is "Datalab"`},
		"two regions": {"11-anonymous", func(c *platform.Config) {
			c.App.Values = map[string]any{"api": map[string]any{"regions": []any{map[string]any{"id": "a"}, map[string]any{"id": "b"}}}}
		}, 0, "the API serves regions = ["},
		"a default that is not": {"11-anonymous", func(c *platform.Config) {
			c.App.Region = map[string]any{"services": map[string]any{"allowNamespaceCreation": false}}
		}, 0, `allowNamespaceCreation = true, wanted is false`},
		"labels": {"11-anonymous", func(c *platform.Config) {
			c.App.Region = map[string]any{"services": map[string]any{"namespaceLabels": map[string]any{"a": "b"}}}
		}, 0, `the API does not serve regions[0].services.namespaceLabels.a, wanted is "b"`},
	} {
		t.Run(name, func(t *testing.T) {
			var changes []func(*platform.Config)
			if c.change != nil {
				changes = append(changes, c.change)
			}
			values := render(t, with(chart11, c.parts, changes...)(t))
			err := Matches(chart11, values, answerOf(t, c.served))
			var difference *DifferenceError
			if !errors.As(err, &difference) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// answered changes one thing in a recorded answer.
func answered(t *testing.T, name string, change func(region map[string]any)) []byte {
	t.Helper()
	var answer map[string]any
	if err := json.Unmarshal(answerOf(t, name), &answer); err != nil {
		t.Fatal(err)
	}
	change(answer["regions"].([]any)[0].(map[string]any))
	text, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The API fills in defaults and may learn new keys; neither is a difference. A key that has another value than its
// default, though nobody wants it, is one: the pod that serves it is the old one.
func TestMatchesToleratesDefaultsAndNewKeys(t *testing.T) {
	for name, c := range map[string]struct {
		change func(region map[string]any)
		fail   string
	}{
		"a new key of the region":   {func(r map[string]any) { r["brandNew"] = map[string]any{"a": 1} }, ""},
		"a new key of the services": {func(r map[string]any) { part(r, "services")["brandNew"] = true }, ""},
		"a default":                 {func(r map[string]any) { part(r, "services")["allowNamespaceCreation"] = true }, ""},
		"an empty block":            {func(r map[string]any) { r["git"] = map[string]any{} }, ""},
		"a null":                    {func(r map[string]any) { r["vault"] = nil }, ""},
		"a number that is text":     {func(r map[string]any) { part(r, "data", "S3", "sts")["durationSeconds"] = "86400" }, ""},
		"a default that is not":     {func(r map[string]any) { part(r, "services")["allowNamespaceCreation"] = false }, "allowNamespaceCreation"},
		"another allowed URI":       {func(r map[string]any) { part(r, "services", "expose")["useDefaultCertificate"] = false }, "useDefaultCertificate"},
		"a block nobody wants":      {func(r map[string]any) { r["proxyInjection"] = map[string]any{"noProxy": "x"} }, "proxyInjection"},
		"a list nobody wants": {func(r map[string]any) {
			part(r, "services", "namespaceAnnotationsDynamic")["userAttributes"] = []any{"sub"}
		}, "userAttributes"},
		"labels nobody wants":     {func(r map[string]any) { part(r, "services")["namespaceLabels"] = map[string]any{"a": "b"} }, "namespaceLabels"},
		"more in data, passed on": {func(r map[string]any) { part(r, "data")["other"] = map[string]any{"a": "b"} }, "regions[0].data.other"},
		"a bookmark more": {func(r map[string]any) {
			part(r, "data", "S3")["bookmarks"] = append(list(part(r, "data", "S3"), "bookmarks"), 1)
		}, "bookmarks"},
		"a value of another kind":     {func(r map[string]any) { part(r, "services")["expose"] = "lab.demo.test" }, "regions[0].services.expose"},
		"a map where text is wanted":  {func(r map[string]any) { r["name"] = map[string]any{} }, "regions[0].name"},
		"a wanted key that went away": {func(r map[string]any) { delete(r, "id") }, "does not serve regions[0].id"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Matches(chart11, render(t, with(chart11, 2)(t)), answered(t, "11-auth-s3", c.change))
			if c.fail == "" && err != nil {
				t.Error(err)
			}
			if c.fail != "" && (err == nil || !strings.Contains(err.Error(), c.fail)) {
				t.Errorf("%v, want %q", err, c.fail)
			}
		})
	}
}

func TestMatchesWithoutRegionsOfOurs(t *testing.T) {
	in := with(chart11, 1)(t)
	in.Platform.App.Values = map[string]any{"api": map[string]any{"regions": nil}}
	if err := Matches(chart11, render(t, in), answerOf(t, "11-auth")); err != nil {
		t.Errorf("the API has a region of its own, and that is a difference: %v", err)
	}
	if err := Matches(chart11, render(t, in), answerOf(t, "11-anonymous")); err == nil {
		t.Error("no login is served, and that is no difference")
	}
}

func TestMatchesRefuses(t *testing.T) {
	values := render(t, with(chart11, 0)(t))
	for name, c := range map[string]struct{ chart, answer, fail string }{
		"no answer":       {chart11, " \n", "the API's answer is empty"},
		"a page of HTML":  {chart11, "<html><title>502</title>" + strings.Repeat("x", 500), `is not a JSON object but begins with "<html><title>502`},
		"a list":          {chart11, "[]", "is not a JSON object"},
		"null":            {chart11, "null", "is not a JSON object"},
		"nothing in it":   {chart11, "{}", "the API does not serve regions"},
		"a chart between": {"9.0.0", "{}", "for 11.0 and later only"},
		"no values":       {chart11, "{}", ""},
	} {
		v := values
		if name == "no values" {
			v = map[string]any{"a": make(chan int)}
		}
		err := Matches(c.chart, v, []byte(c.answer))
		if err == nil || !strings.Contains(err.Error(), c.fail) || len(err.Error()) > 400 {
			t.Errorf("%s: %v, want %q", name, err, c.fail)
		}
	}
}

// Whatever a server answers, the comparison says the same about it each time, in a line.
func FuzzMatches(f *testing.F) {
	for _, seed := range []string{`{}`, `null`, `{"regions":[]}`, `{"regions":[null]}`, `{"regions":[{"id":{},"services":[],"data":{"S3":[1]}}],"oidcConfiguration":[]}`, `{"oidcConfiguration":{"issuerURI":1}}`} {
		f.Add(seed)
	}
	for _, name := range []string{"4-auth-s3-vault", "11-auth-s3-vault", "11-overlays"} {
		answer, err := os.ReadFile(filepath.Join("testdata", "answers", name+".json"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(answer))
	}
	values := map[string]map[string]any{}
	for _, chart := range []string{chart4, chart11} {
		p, err := platform.Complete(platform.Config{Domain: "demo.test"})
		if err != nil {
			f.Fatal(err)
		}
		if values[chart], err = Values(Input{Platform: p, ChartVersion: chart, Auth: true, S3: true, Vault: true}); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, answer string) {
		for _, chart := range []string{chart4, chart11} {
			once, again := Matches(chart, values[chart], []byte(answer)), Matches(chart, values[chart], []byte(answer))
			if (once == nil) != (again == nil) || once != nil && once.Error() != again.Error() {
				t.Errorf("%s: %v, then %v", chart, once, again)
			}
		}
	})
}
