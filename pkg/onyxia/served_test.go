package onyxia

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

func fromYAML(t *testing.T, text string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := yaml.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// served is what the API of that chart answers for these values.
func served(chartVersion string, values map[string]any) (map[string]any, error) {
	known, err := keysOfGeneration(chartVersion)
	if err != nil {
		return nil, err
	}
	return known.configuration(values)
}

// What goes in and what the real API v0.30 and v4.12.0 made of it (asked with these regions, see upstream_api_test.go for
// how): unknown and old keys are gone, nulls too, services.server is kept back, names of modes are the API's own; from
// chart 10.18.0 on data is passed on as it is.
func TestServed(t *testing.T) {
	const region = `
id: demo
name: Demo
nonsense: 1
services:
  type: KUBERNETES
  nonsens: {a: 1}
  authenticationMode: Admin
  server: {URL: x, auth: {token: t}}
  expose: {domain: demo.local, annotations: {a: null, b: c}}
  quotas: {user: {requests.cpu: 2, count/pods: "5"}}
  namespaceLabels: {x: "y"}
  monitoring: {}
data: {S3: {URL: u, zip: null, num: 1, type: minio}, emptylist: []}
vault: {URL: v}
`
	for chart, want := range map[string]string{
		chart4: `
id: demo
name: Demo
services:
  type: KUBERNETES
  authenticationMode: admin
  expose: {domain: demo.local}
  quotas: {user: {requests.cpu: 2, count/pods: "5"}}
  namespaceLabels: {x: "y"}
  monitoring: {}
data: {S3: {URL: u, type: minio}}
vault: {URL: v}
`,
		chart11: `
id: demo
name: Demo
services:
  authenticationMode: serviceAccount
  expose: {domain: demo.local, annotations: {b: c}}
  quotas: {user: {requests.cpu: 2, count/pods: "5"}}
  namespaceLabels: {x: "y"}
  monitoring: {}
data: {S3: {URL: u, num: 1, type: minio}, emptylist: []}
vault: {URL: v}
`,
	} {
		values := map[string]any{"api": map[string]any{"regions": []any{fromYAML(t, region)}}}
		got, err := served(chart, values)
		if err != nil {
			t.Fatal(err)
		}
		wanted := map[string]any{"regions": []any{fromYAML(t, want)}}
		if d := cmp.Diff(normal(t, wanted), normal(t, got)); d != "" {
			t.Errorf("%s: %s", chart, d)
		}
	}
}

// normal has numbers of one Go type.
func normal(t *testing.T, v any) any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestServedLogin(t *testing.T) {
	for name, c := range map[string]struct {
		chart, env string
		want       map[string]any
	}{
		"none":         {chart11, `authentication.mode: none`, nil},
		"not a word":   {chart11, `{}`, nil},
		"chart 4":      {chart4, `{authentication.mode: openidconnect, keycloak.realm: r}`, nil},
		"the defaults": {chart11, `{authentication.mode: openidconnect, oidc.issuer-uri: i}`, map[string]any{"issuerURI": "i", "clientID": "onyxia", "extraQueryParams": "", "scope": "openid profile", "audience": ""}},
		"all of it": {chart11, `{authentication.mode: openidconnect, oidc.issuer-uri: i, oidc.clientID: c, oidc.extra-query-params: e, oidc.scope: s, oidc.audience: a, oidc.idleSessionLifetimeInSeconds: 600}`,
			map[string]any{"issuerURI": "i", "clientID": "c", "extraQueryParams": "e", "scope": "s", "audience": "a", "idleSessionLifetimeInSeconds": "600"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := served(c.chart, map[string]any{"api": map[string]any{"env": fromYAML(t, c.env)}})
			if err != nil {
				t.Fatal(err)
			}
			login, _ := got["oidcConfiguration"].(map[string]any)
			if d := cmp.Diff(c.want, login); d != "" {
				t.Error(d)
			}
			if _, set := got["regions"]; set {
				t.Error("there are regions, and the values have none")
			}
		})
	}
}

func TestServedRefuses(t *testing.T) {
	if _, err := served("8.0.0", nil); err == nil {
		t.Error("served by a chart that we do not render for")
	}
	if _, err := served(chart11, map[string]any{"a": make(chan int)}); err == nil {
		t.Error("served from values that are no JSON")
	}
}
