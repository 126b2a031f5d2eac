package platform

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Limits are written as Kubernetes writes them, or as plain numbers; a slip in a key is named.
func TestQuotas(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want Quotas
		fail string
	}{
		"none":                    {in: "domain: a.org"},
		"text":                    {in: "app: {quota: {user: {requests.memory: 10Gi, limits.cpu: 500m}}}", want: Quotas{User: Quota{RequestsMemory: "10Gi", LimitsCPU: "500m"}}},
		"numbers":                 {in: "app: {quota: {group: {requests.cpu: 2, count/pods: 20}}}", want: Quotas{Group: Quota{RequestsCPU: "2", Pods: 20}}},
		"roles":                   {in: "app: {quota: {roles: {staff: {limits.memory: 1.5Gi}}}}", want: Quotas{Roles: map[string]Quota{"staff": {LimitsMemory: "1.5Gi"}}}},
		"a slip in a key":         {in: "app: {quota: {user: {request.cpu: 2}}}", fail: `did you mean "app.quota.user.requests.cpu"?`},
		"a slip in a role's":      {in: "app: {quota: {roles: {staff: {count/pod: 2}}}}", fail: `did you mean "app.quota.roles.staff.count/pods"?`},
		"no quantity":             {in: "app: {quota: {user: {requests.memory: 10 gigs}}}", fail: `app.quota.user: requests.memory: "10 gigs" is not a quantity`},
		"less than nothing":       {in: "app: {quota: {roles: {staff: {requests.cpu: -1}}}}", fail: "app.quota.roles.staff: requests.cpu"},
		"a list":                  {in: "app: {quota: {default: {requests.cpu: [1]}}}", fail: "app.quota.default.requests.cpu"},
		"in force with no limits": {in: "app: {quota: {enabled: true}}", fail: "there is no quota to enable"},
	} {
		t.Run(name, func(t *testing.T) {
			config, err := Parse([]byte(c.in))
			if err == nil {
				config.Domain = "a.org"
				_, err = Complete(config)
			}
			if c.fail != "" {
				if err == nil || !strings.Contains(err.Error(), c.fail) {
					t.Errorf("got %v, want %q", err, c.fail)
				}
				return
			}
			if d := cmp.Diff(c.want, config.App.Quota); d != "" || err != nil {
				t.Error(d, err)
			}
		})
	}
}

// The default fills in, limit by limit; quotas are in force as soon as there is one, unless they are switched off.
func TestQuotasOfUsersAndGroups(t *testing.T) {
	yes, no, none := true, false, 0
	q := Quotas{Default: Quota{RequestsCPU: "2", Pods: 10, RequestsGPU: &none}, User: Quota{RequestsCPU: "4"}}
	if d := cmp.Diff(Quota{RequestsCPU: "4", Pods: 10, RequestsGPU: &none}, q.ForUsers()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(q.Default, q.ForGroups()); d != "" {
		t.Error(d)
	}
	for name, c := range map[string]struct {
		quotas Quotas
		want   bool
	}{
		"nothing": {}, "one": {q, true}, "roles alone": {Quotas{Roles: map[string]Quota{"a": {Pods: 1}}}, true},
		"switched off": {Quotas{Enabled: &no, User: q.User}, false}, "switched on": {Quotas{Enabled: &yes, User: q.User}, true},
	} {
		if got := c.quotas.InForce(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// What the admin brings along is named; an issuer of somebody else's has no database of ours.
func TestDatabase(t *testing.T) {
	for name, c := range map[string]struct {
		auth Auth
		fail string
	}{
		"ours":                     {},
		"of an operator":           {auth: Auth{Database: Database{Mode: "cloudnative-pg", Instances: 3}}},
		"external":                 {auth: Auth{Database: Database{Mode: "external", Host: "pg.a.org", CredentialsSecret: "pg"}}},
		"external, of no Keycloak": {auth: Auth{Mode: "oidc", URL: "https://idp.a.org", Database: Database{Mode: "external"}}},
		"nowhere":                  {Auth{Database: Database{Mode: "external", CredentialsSecret: "pg"}}, "auth.database.host"},
		"no login":                 {Auth{Database: Database{Mode: "external", Host: "pg.a.org"}}, "auth.database.credentialsSecret"},
		"in another namespace":     {Auth{Database: Database{Mode: "external", Host: "pg.a.org", CredentialsSecret: "db/pg"}}, "auth.database.credentialsSecret: not the name of a Secret in namespace keycloak"},
		"fewer than one":           {Auth{Database: Database{Mode: "cloudnative-pg", Instances: -1}}, "auth.database.instances"},
		"a slip":                   {Auth{Database: Database{Mode: "cnpg"}}, "auth.database.mode"},
	} {
		_, err := Complete(Config{Domain: "a.org", Auth: c.auth})
		if c.fail == "" && err != nil || c.fail != "" && (err == nil || !strings.Contains(err.Error(), c.fail)) {
			t.Errorf("%s: got %v, want %q", name, err, c.fail)
		}
	}
}
