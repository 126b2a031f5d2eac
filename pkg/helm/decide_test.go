package helm

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
)

const testDigest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// deployed is a release of ours as wanted.
func deployed(change ...func(*Stored)) *Stored {
	s := &Stored{Name: "onyxia", Namespace: "onyxia", Revision: 3, Status: "deployed", ChartName: "onyxia", ChartVersion: "11.5.1",
		ChartSHA256: testDigest[:63], Values: map[string]any{"replicas": 1.0}}
	for _, f := range change {
		f(s)
	}
	return s
}

func status(word string) func(*Stored) { return func(s *Stored) { s.Status = word } }

func TestDecide(t *testing.T) {
	wanted := Release{Name: "onyxia", Namespace: "onyxia", Chart: profile.Chart{Name: "onyxia", Version: "11.5.1", SHA256: testDigest}}
	same := map[string]any{"replicas": 1.0}
	chartField := func(from, to string) []engine.Field {
		return []engine.Field{{Path: "chart", From: from, To: to}}
	}
	drift := Drift{Fields: []engine.Field{{Path: "deployment/onyxia-api: spec.replicas", From: "5", To: "1"}}}
	noChart := &ChartError{Chart: wanted.Chart, Tried: "here", Err: errors.New("no route"), Fix: "use --chart-dir DIR"}

	adopts := func(lost string) *engine.Adoption {
		return &engine.Adoption{What: "release onyxia/onyxia, installed by another party from chart onyxia 11.5.1 (revision 3)", Lost: lost}
	}

	tests := []struct {
		name   string
		stored *Stored
		values map[string]any
		drift  Drift
		err    error
		busy   string
		// unrecorded: the cluster has no record of the datalab.
		unrecorded bool
		want       engine.Change
	}{
		{name: "absent", want: engine.Change{Action: engine.Create}},
		{name: "absent, chart can't be had", err: noChart,
			want: engine.Change{Action: engine.Blocked, Why: "chart onyxia 11.5.1 can't be had: tried here: no route", Fix: "use --chart-dir DIR"}},
		{name: "as wanted", stored: deployed(), want: engine.Change{Action: engine.Unchanged}},
		{name: "as wanted, chart not looked for", stored: deployed(), err: noChart, want: engine.Change{Action: engine.Unchanged}},
		{name: "as wanted, version with a v", stored: deployed(func(s *Stored) { s.ChartVersion = "v11.5.1" }), want: engine.Change{Action: engine.Unchanged}},
		{name: "as wanted, no digest recorded", stored: deployed(func(s *Stored) { s.ChartSHA256 = "" }), want: engine.Change{Action: engine.Unchanged}},
		{name: "pending install", stored: deployed(status("pending-install")),
			want: engine.Change{Action: engine.Configure, Why: "a run that was cut off left it pending-install (revision 3)"}},
		{name: "in the hands of a living run", stored: deployed(status("pending-install")), busy: "being installed by ana@desk/7 since noon",
			want: engine.Change{Action: engine.Pending, Why: "being installed by ana@desk/7 since noon"}},
		{name: "pending upgrade", stored: deployed(status("pending-upgrade")),
			want: engine.Change{Action: engine.Configure, Why: "a run that was cut off left it pending-upgrade (revision 3)"}},
		{name: "pending rollback", stored: deployed(status("pending-rollback")),
			want: engine.Change{Action: engine.Configure, Why: "a run that was cut off left it pending-rollback (revision 3)"}},
		{name: "pending by another party", stored: deployed(status("pending-upgrade"), func(s *Stored) { s.Party = "another party" }),
			want: engine.Change{Action: engine.Blocked, Why: "a run of another party has it pending-upgrade (revision 3)",
				Fix: "wait until that run ends; if no one is at work any more: `helm -n onyxia rollback onyxia`"}},
		{name: "failed", stored: deployed(status("failed"), func(s *Stored) { s.Description = "Upgrade failed:\n  timed out" }),
			want: engine.Change{Action: engine.Configure, Why: "the last run failed (revision 3): Upgrade failed: timed out"}},
		{name: "failed, chart can't be had", stored: deployed(status("failed")), err: noChart,
			want: engine.Change{Action: engine.Blocked, Why: "chart onyxia 11.5.1 can't be had: tried here: no route", Fix: "use --chart-dir DIR"}},
		{name: "superseded only", stored: deployed(status("superseded")),
			want: engine.Change{Action: engine.Configure, Why: "no revision of it is deployed; the newest is superseded (revision 3)"}},
		{name: "uninstalled, history kept", stored: deployed(status("uninstalled")),
			want: engine.Change{Action: engine.Create, Why: "it was uninstalled and its history kept (revision 3)"}},
		{name: "uninstalled by another party", stored: deployed(status("uninstalled"), func(s *Stored) { s.Party = "another party"; s.ChartName = "nginx" }),
			want: engine.Change{Action: engine.Create, Why: "it was uninstalled and its history kept (revision 3)"}},
		{name: "half uninstalled", stored: deployed(status("uninstalling")),
			want: engine.Change{Action: engine.Replace, Why: "a run that was cut off left it half uninstalled (revision 3): that is finished first"}},
		{name: "newer chart", stored: deployed(func(s *Stored) { s.ChartVersion = "11.4.0" }),
			want: engine.Change{Action: engine.Configure, Fields: chartField("onyxia 11.4.0", "onyxia 11.5.1")}},
		{name: "major jump", stored: deployed(func(s *Stored) { s.ChartVersion = "4.1.1" }),
			want: engine.Change{Action: engine.Configure, Why: "chart goes to a new major version, from 4.1.1 to 11.5.1", Fields: chartField("onyxia 4.1.1", "onyxia 11.5.1")}},
		{name: "downgrade", stored: deployed(func(s *Stored) { s.ChartVersion = "12.0.0" }),
			want: engine.Change{Action: engine.Configure, Why: "chart goes back from 12.0.0 to 11.5.1",
				Risk: "what version 12.0.0 of the chart wrote may not be readable by 11.5.1", Fields: chartField("onyxia 12.0.0", "onyxia 11.5.1")}},
		{name: "other chart of ours", stored: deployed(func(s *Stored) { s.ChartName = "old" }),
			want: engine.Change{Action: engine.Configure, Why: "another chart takes its place",
				Risk: "what chart old made is deleted, also what it holds unless its templates say keep", Fields: chartField("old 11.5.1", "onyxia 11.5.1")}},
		{name: "same version, other content", stored: deployed(func(s *Stored) { s.ChartSHA256 = strings.Repeat("f", 63) }),
			want: engine.Change{Action: engine.Configure, Why: "the chart has the same version but other content",
				Fields: []engine.Field{{Path: "chart.sha256", From: strings.Repeat("f", 63), To: testDigest[:63]}}}},
		{name: "other values", stored: deployed(), values: map[string]any{"replicas": 2.0, "image": map[string]any{"tag": "x"}},
			want: engine.Change{Action: engine.Configure, Fields: []engine.Field{{Path: "values.image.tag", To: "x"}, {Path: "values.replicas", From: "1", To: "2"}}}},
		{name: "chart and values", stored: deployed(func(s *Stored) { s.ChartVersion = "11.4.0" }), values: map[string]any{},
			want: engine.Change{Action: engine.Configure, Fields: append(chartField("onyxia 11.4.0", "onyxia 11.5.1"), engine.Field{Path: "values.replicas", From: "1"})}},
		{name: "pending and other values", stored: deployed(status("pending-upgrade")), values: map[string]any{},
			want: engine.Change{Action: engine.Configure, Why: "a run that was cut off left it pending-upgrade (revision 3)", Fields: []engine.Field{{Path: "values.replicas", From: "1"}}}},
		{name: "another party, same chart", stored: deployed(func(s *Stored) { s.Party = "another party"; s.ChartSHA256 = "" }),
			want: engine.Change{Action: engine.Configure, Why: "installed by another party, taken over", Adopts: adopts("")}},
		{name: "another party, other values", stored: deployed(func(s *Stored) {
			s.Party, s.ChartSHA256, s.Values = "another party", "", map[string]any{"replicas": 3.0, "adminPassword": "x"}
		}), want: engine.Change{Action: engine.Configure, Why: "installed by another party, taken over",
			Adopts: adopts("values.adminPassword, values.replicas"),
			Fields: []engine.Field{{Path: "values.adminPassword", Secret: true}, {Path: "values.replicas", From: "3", To: "1"}}}},
		{name: "another party is removing it", stored: deployed(status("uninstalling"), func(s *Stored) { s.Party = "another party" }),
			want: engine.Change{Action: engine.Blocked, Why: "a run of another party has it uninstalling (revision 3)",
				Fix: "wait until that run ends; if no one is at work any more: `helm -n onyxia rollback onyxia`"}},
		{name: "no record, other values", stored: deployed(), unrecorded: true, values: map[string]any{},
			want: engine.Change{Action: engine.Configure, Risk: "the cluster has no record of this datalab, and of what is set there this is lost: values.replicas",
				Fields: []engine.Field{{Path: "values.replicas", From: "1"}}}},
		{name: "no record, as wanted", stored: deployed(), unrecorded: true, want: engine.Change{Action: engine.Unchanged}},
		{name: "another party, same chart, older", stored: deployed(func(s *Stored) { s.Party = "another party"; s.ChartSHA256 = ""; s.ChartVersion = "10.0.0" }),
			want: engine.Change{Action: engine.Configure, Why: "chart goes to a new major version, from 10.0.0 to 11.5.1; installed by another party, taken over",
				Adopts: &engine.Adoption{What: "release onyxia/onyxia, installed by another party from chart onyxia 10.0.0 (revision 3)", Lost: "chart onyxia 10.0.0 (becomes onyxia 11.5.1)"},
				Fields: chartField("onyxia 10.0.0", "onyxia 11.5.1")}},
		{name: "another party, other chart", stored: deployed(func(s *Stored) { s.Party = "another party"; s.ChartName = "nginx"; s.ChartVersion = "1.0.0" }),
			want: engine.Change{Action: engine.Blocked, Why: "a release of that name is there, installed by another party from chart nginx 1.0.0",
				Fix: "it is left as it is; choose another namespace"}},
		{name: "changed by hand", stored: deployed(), drift: drift,
			want: engine.Change{Action: engine.Configure, Why: "changed by hand since", Fields: drift.Fields}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			values := tt.values
			if values == nil {
				values = same
			}
			seen := &Seen{Stored: tt.stored, Values: values, Digest: testDigest, Drift: tt.drift, ChartErr: tt.err, Busy: tt.busy, Unrecorded: tt.unrecorded}
			if diff := cmp.Diff(tt.want, decide(wanted, seen)); diff != "" {
				t.Errorf("decide (-want +got):\n%s", diff)
			}
		})
	}
}

// A chart version that the values are not written for is refused in words, because the chart would ignore some of them in
// silence. What is installed and as wanted stays so.
func TestDecideVersionThatTheValuesAreNotFor(t *testing.T) {
	for name, c := range map[string]struct {
		wanted, constraint string
		stored             *Stored
		want               engine.Action
	}{
		"older":               {"39.0.0", ">=41.3.0-0 <42.0.0-0", nil, engine.Blocked},
		"newer":               {"42.0.0", ">=41.3.0-0 <42.0.0-0", nil, engine.Blocked},
		"a pre-release of it": {"42.0.0-rc.1", ">=41.3.0-0 <42.0.0-0", nil, engine.Blocked},
		"within":              {"v41.6.1", ">=41.3.0-0 <42.0.0-0", nil, engine.Create},
		"for any":             {"39.0.0", "", nil, engine.Create},
		"no version":          {"ours", ">=41.3.0-0 <42.0.0-0", nil, engine.Create},
		"an upgrade to it":    {"11.5.2", ">=12.0.0-0", deployed(), engine.Blocked},
		"it is there already": {"11.5.1", ">=12.0.0-0", deployed(), engine.Unchanged},
	} {
		t.Run(name, func(t *testing.T) {
			r := Release{Name: "onyxia", Namespace: "onyxia", Chart: profile.Chart{Name: "onyxia", Version: c.wanted}, Versions: c.constraint}
			got := decide(r, &Seen{Stored: c.stored, Values: map[string]any{"replicas": 1.0}})
			if got.Action != c.want || (got.Action == engine.Blocked) != strings.Contains(got.Why, "outside "+c.constraint) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// A profile without a sha256 compares by name and version only.
func TestDecideWithoutDigest(t *testing.T) {
	wanted := Release{Name: "onyxia", Chart: profile.Chart{Name: "onyxia", Version: "11.5.1"}}
	got := decide(wanted, &Seen{Stored: deployed(), Values: map[string]any{"replicas": 1.0}})
	if got.Action != engine.Unchanged {
		t.Errorf("action %s, want unchanged", got.Action)
	}
}
