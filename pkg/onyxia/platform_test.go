package onyxia

import (
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

const (
	chart11 = "11.5.1"
	chart4  = "4.1.1"
)

// demo is a datalab whose every part we install.
func demo(t *testing.T, change ...func(*platform.Config)) platform.Platform {
	t.Helper()
	config := platform.Config{Domain: "demo.test"}
	for _, c := range change {
		c(&config)
	}
	p, err := platform.Complete(config)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// render fails the test if the values cannot be rendered.
func render(t *testing.T, in Input) map[string]any {
	t.Helper()
	values, err := Values(in)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// onlyRegion is the one region of the values.
func onlyRegion(t *testing.T, values map[string]any) map[string]any {
	t.Helper()
	regions := list(part(values, "api"), "regions")
	if len(regions) != 1 {
		t.Fatalf("%d regions", len(regions))
	}
	region, ok := regions[0].(map[string]any)
	if !ok {
		t.Fatalf("a region is a %T", regions[0])
	}
	return region
}

// example is one set of values with a golden file of its name.
type example struct {
	name string
	in   func(t *testing.T) Input
}

func with(chart string, parts int, change ...func(*platform.Config)) func(*testing.T) Input {
	return func(t *testing.T) Input {
		return Input{Platform: demo(t, change...), ChartVersion: chart, Auth: parts > 0, S3: parts > 1, Vault: parts > 2}
	}
}

// quotasOf has a default, and more than that for users.
func quotasOf(c *platform.Config) {
	c.App.Quota = platform.Quotas{
		Default: platform.Quota{RequestsMemory: "10Gi", Pods: 10},
		User:    platform.Quota{LimitsCPU: "4", RequestsMemory: "20Gi"},
	}
}

// examples cover both generations, each part that may stand, and what may be brought along.
func examples() []example {
	privateCA := func(chart string) func(*testing.T) Input {
		return func(t *testing.T) Input {
			in := with(chart, 3)(t)
			in.CAConfigMap = "onyxia-ca"
			return in
		}
	}
	overlays := func(chart string) func(*testing.T) Input {
		return func(t *testing.T) Input {
			in := with(chart, 2, func(c *platform.Config) {
				c.App.Region = map[string]any{
					"name":     "Our lab",
					"services": map[string]any{"allowedURIPattern": nil, "quotas": map[string]any{"userEnabled": true, "user": map[string]any{"requests.cpu": 2, "count/pods": 10}}},
				}
				c.App.Values = map[string]any{
					"web": map[string]any{"env": map[string]any{"GLOBAL_ALERT": "Closed on Friday"}, "replicaCount": 2},
					"api": map[string]any{"resources": map[string]any{"requests": map[string]any{"cpu": nil}}, "env": map[string]any{"oidc.username-claim": nil}},
				}
			})(t)
			return in
		}
	}
	amazon := func(c *platform.Config) {
		c.S3 = platform.S3{Mode: "external", Kind: "aws", URL: "https://s3.eu-west-3.amazonaws.com/", Region: "eu-west-3", RoleARN: "arn:aws:iam::123456789012:role/onyxia"}
	}
	return []example{
		{"11-anonymous", with(chart11, 0)},
		{"11-auth", with(chart11, 1)},
		{"11-auth-s3", with(chart11, 2)},
		{"11-auth-s3-vault", with(chart11, 3)},
		{"11-private-ca", privateCA(chart11)},
		{"11-overlays", overlays(chart11)},
		{"11-external", with(chart11, 3, amazon, func(c *platform.Config) {
			c.Auth = platform.Auth{Mode: "oidc", URL: "https://sso.example.org/", ClientID: "datalab", UsernameClaim: "uid", GroupsClaim: "teams", Terms: map[string]string{"en": "%PUBLIC_URL%/custom-resources/en.md", "fr": "%PUBLIC_URL%/custom-resources/fr.md"}}
			c.Vault = platform.Vault{Mode: "external", URL: "https://vault.example.org/"}
			c.Prefixes = platform.Prefixes{User: "u-", Group: "g-"}
			c.Ingress.Class = "public"
			c.Hosts = platform.Hosts{Onyxia: "datalab", Lab: "apps"}
			c.App.Values = map[string]any{"web": map[string]any{"env": map[string]any{"CUSTOM_RESOURCES": "https://example.org/resources.zip"}}}
		})},
		{"11-quotas", with(chart11, 1, quotasOf, func(c *platform.Config) {
			c.App.Quota.Roles = map[string]platform.Quota{"staff": {RequestsCPU: "16", Pods: 50}}
			none := 0
			c.App.Quota.Group.RequestsGPU = &none
		})},
		{"4-anonymous", with(chart4, 0)},
		{"4-auth", with(chart4, 1)},
		{"4-auth-s3", with(chart4, 2)},
		{"4-auth-s3-vault", with(chart4, 3)},
		{"4-private-ca", privateCA(chart4)},
		{"4-overlays", overlays(chart4)},
		{"4-quotas", with(chart4, 1, quotasOf)},
		{"4-external", with("4.4.3", 3, amazon, func(c *platform.Config) {
			c.Auth = platform.Auth{Mode: "keycloak", URL: "https://sso.example.org/auth/", Realm: "lab", CredentialsSecret: "sso/admin", Terms: map[string]string{"en": "https://example.org/terms.md"}}
			c.Vault = platform.Vault{Mode: "external", URL: "https://vault.example.org/"}
		})},
	}
}
