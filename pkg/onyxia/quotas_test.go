package onyxia

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// Quotas are there with a login and as soon as somebody wants one; both generations have the pairs of users and groups.
func TestQuotas(t *testing.T) {
	yes, no := true, false
	two := platform.Quota{RequestsCPU: "2"}
	for name, c := range map[string]struct {
		chart  string
		quotas platform.Quotas
		open   bool
		want   map[string]any
	}{
		"none":                 {chart: chart11, want: map[string]any{}},
		"none, 4":              {chart: chart4, want: map[string]any{}},
		"nobody logs in":       {chart: chart11, quotas: platform.Quotas{Default: two}, open: true, want: map[string]any{}},
		"switched off":         {chart: chart11, quotas: platform.Quotas{Enabled: &no, Default: two, Roles: map[string]platform.Quota{"a": two}}, want: map[string]any{}},
		"switched off, 4":      {chart: chart4, quotas: platform.Quotas{Enabled: &no, Default: two}, want: map[string]any{}},
		"of users":             {chart: chart11, quotas: platform.Quotas{User: two}, want: map[string]any{"userEnabled": true, "user": map[string]any{"requests.cpu": "2"}}},
		"of groups, 4":         {chart: chart4, quotas: platform.Quotas{Group: two}, want: map[string]any{"groupEnabled": true, "group": map[string]any{"requests.cpu": "2"}, "allowUserModification": false}},
		"changed by users, 4":  {chart: chart4, quotas: platform.Quotas{User: two, AllowUserModification: &yes}, want: map[string]any{"userEnabled": true, "user": map[string]any{"requests.cpu": "2"}, "allowUserModification": true}},
		"not changed by users": {chart: chart11, quotas: platform.Quotas{User: two, AllowUserModification: &no}, want: map[string]any{"userEnabled": true, "user": map[string]any{"requests.cpu": "2"}}},
	} {
		t.Run(name, func(t *testing.T) {
			in := Input{Platform: demo(t, func(p *platform.Config) { p.App.Quota = c.quotas }), ChartVersion: c.chart, Auth: !c.open}
			if d := cmp.Diff(c.want, part(onlyRegion(t, render(t, in)), "services", "quotas")); d != "" {
				t.Error(d)
			}
		})
	}
}

// What a generation has not is refused by the key of onyxia.yaml; a limit that is younger than the chart is told by Lint.
func TestQuotasOfOtherGenerations(t *testing.T) {
	yes, one := true, 1
	two := platform.Quota{RequestsCPU: "2"}
	for name, c := range map[string]struct {
		chart  string
		quotas platform.Quotas
		fail   string
	}{
		"roles, 4":         {chart4, platform.Quotas{User: two, Roles: map[string]platform.Quota{"staff": two}}, "app.quota.roles: onyxia chart 4.1.1"},
		"roles alone":      {chart11, platform.Quotas{Roles: map[string]platform.Quota{"staff": two}}, "set app.quota.user or app.quota.default"},
		"changed by users": {chart11, platform.Quotas{User: two, AllowUserModification: &yes}, "app.quota.allowUserModification"},
	} {
		in := Input{Platform: demo(t, func(p *platform.Config) { p.App.Quota = c.quotas }), ChartVersion: c.chart, Auth: true}
		if _, err := Values(in); err == nil || !strings.Contains(err.Error(), c.fail) {
			t.Errorf("%s: %v, want %q", name, err, c.fail)
		}
	}
	gpus := func(chart string) []Finding {
		in := Input{Platform: demo(t, func(p *platform.Config) { p.App.Quota.User.LimitsGPU = &one }), ChartVersion: chart, Auth: true}
		return Lint(chart, render(t, in))
	}
	wantFinding(t, gpus(chart4), SeverityWarning, `api.regions[0].services.quotas.user["limits.nvidia.com/gpu"]`, "known from chart 4.2.0 on", "")
	for _, chart := range []string{"4.4.3", chart11} {
		if found := gpus(chart); len(found) > 0 {
			t.Errorf("%s: %+v", chart, found)
		}
	}
}
