package tls

import (
	"strings"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/acme"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

const (
	day     = 24 * time.Hour
	real    = "https://ca.example.org/directory"
	staging = "https://acme-staging.example.org/directory"
)

var names = []string{"onyxia.demo.test", "*.lab.demo.test"}

// heldFor is a good certificate of ours, 90 days long, ordered at born.
func heldFor(born time.Time, change func(*Held)) Held {
	h := Held{
		Exists: true, Ours: true, Directory: real, Ordered: born,
		Info: acme.Info{Names: names, Issuer: "R10", NotBefore: born, NotAfter: born.Add(90 * day), KeyMatches: true, Serial: "1"},
	}
	if change != nil {
		change(&h)
	}
	return h
}

func TestPlanOfAnOrderedCertificate(t *testing.T) {
	now := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	fresh, old, dead := now.Add(-day), now.Add(-70*day), now.Add(-91*day)
	at := wanted{names: names, directory: real}
	for name, tc := range map[string]struct {
		wanted wanted
		held   Held
		change func(*Seen)
		want   engine.Action
		says   string // in Why, Fix or Risk
		risk   bool
	}{
		"none":                    {wanted: at, want: engine.Create, says: "for onyxia.demo.test and *.lab.demo.test"},
		"good":                    {wanted: at, held: heldFor(fresh, nil), want: engine.Unchanged, says: "issued by R10, expires on 2027-05-29, 89 days left of 90; renewal from 2027-04-29"},
		"due":                     {wanted: at, held: heldFor(old, nil), want: engine.Configure, says: "expires on 2027-03-21, 20 days left of 90"},
		"expired":                 {wanted: at, held: heldFor(dead, nil), want: engine.Configure, says: "expired on 2027-02-28"},
		"other directory":         {wanted: wanted{names: names, directory: "https://other.example.org"}, held: heldFor(fresh, nil), want: engine.Configure, says: "ordered at " + real + ", wanted from https://other.example.org"},
		"more names than wanted":  {wanted: at, held: heldFor(fresh, func(h *Held) { h.Info.Names = append([]string{"www.demo.test"}, names...) }), want: engine.Unchanged},
		"fewer names":             {wanted: at, held: heldFor(fresh, func(h *Held) { h.Info.Names = names[:1] }), want: engine.Configure, says: "names differ: *.lab.demo.test missing, it is for onyxia.demo.test"},
		"foreign key":             {wanted: at, held: heldFor(fresh, func(h *Held) { h.Info.KeyMatches = false }), want: engine.Configure, says: "does not belong"},
		"other key type":          {wanted: wanted{names: names, directory: real, keyType: "rsa2048"}, held: heldFor(fresh, func(h *Held) { h.Info.Key = "ec256" }), want: engine.Configure, says: "its key is ec256, wanted is rsa2048"},
		"the key type":            {wanted: wanted{names: names, directory: real, keyType: "ec256"}, held: heldFor(fresh, func(h *Held) { h.Info.Key = "ec256" }), want: engine.Unchanged},
		"brought, other key type": {wanted: wanted{names: names, directory: real, keyType: "rsa2048"}, held: heldFor(fresh, func(h *Held) { h.Info.Key, h.Directory = "ec256", "" }), want: engine.Unchanged},
		"no certificate":          {wanted: at, held: Held{Exists: true, Broken: "no certificate in PEM form"}, want: engine.Configure, says: "no certificate in PEM form", risk: true},
		"renewal asked for":       {wanted: wanted{names: names, directory: real, before: now}, held: heldFor(fresh, nil), want: engine.Configure, says: "renewal was asked for"},
		"renewal done":            {wanted: wanted{names: names, directory: real, before: fresh}, held: heldFor(fresh, nil), want: engine.Unchanged},
		"authority wants renewal": {
			wanted: at, held: heldFor(now.Add(-50*day), func(h *Held) { h.Info.Renewal = &acme.Window{Start: now.Add(-2 * day), End: now.Add(-day)} }),
			want: engine.Configure, says: "the authority asks for renewal by 2027-02-28",
		},
		"brought along, good": {wanted: at, held: heldFor(fresh, func(h *Held) { h.Directory, h.Imported = "", fresh }), want: engine.Unchanged},
		"brought along, due, nobody to order": {
			wanted: at, held: heldFor(old, func(h *Held) { h.Directory = "" }), change: func(s *Seen) { s.Hindrance, s.Unconfigured = "name one", true },
			want: engine.Pending, says: "name one",
		},
		"brought along, expired, nobody to order": {
			wanted: at, held: heldFor(dead, func(h *Held) { h.Directory = "" }), change: func(s *Seen) { s.Hindrance, s.Unconfigured = "name one", true },
			want: engine.Blocked, says: "name one",
		},
		"none, nobody to order": {wanted: at, change: func(s *Seen) { s.Hindrance, s.Unconfigured = "name one", true }, want: engine.Blocked, says: "name one"},
		"due, no credentials":   {wanted: at, held: heldFor(old, nil), change: func(s *Seen) { s.Hindrance = "OVH_ENDPOINT missing" }, want: engine.Blocked, says: "OVH_ENDPOINT"},
		"good, no credentials":  {wanted: at, held: heldFor(fresh, nil), change: func(s *Seen) { s.Hindrance = "OVH_ENDPOINT missing" }, want: engine.Unchanged},
		"cert-manager's, good":  {wanted: at, held: heldFor(fresh, func(h *Held) { h.Ours, h.CertManager, h.Directory = false, true, "" }), want: engine.Unchanged},
		"cert-manager's, due": {
			wanted: at, held: heldFor(old, func(h *Held) { h.Ours, h.CertManager, h.Directory = false, true, "" }),
			want: engine.Blocked, says: "tls.mode",
		},
		"somebody's, due":     {wanted: at, held: heldFor(old, func(h *Held) { h.Ours, h.Directory = false, "" }), want: engine.Configure, says: "somebody else", risk: true},
		"somebody's, expired": {wanted: at, held: heldFor(dead, func(h *Held) { h.Ours, h.Directory = false, "" }), want: engine.Configure, says: "another party", risk: true},
		"real to staging":     {wanted: wanted{names: names, directory: staging}, held: heldFor(fresh, nil), want: engine.Configure, says: "browsers trust", risk: true},
		"expired to staging":  {wanted: wanted{names: names, directory: staging}, held: heldFor(dead, nil), want: engine.Configure},
		"staging to real":     {wanted: at, held: heldFor(fresh, func(h *Held) { h.Directory, h.Info.Staging = staging, true }), want: engine.Configure, says: "wanted from " + real},
		"self-signed, due":    {wanted: wanted{names: names, directory: staging}, held: heldFor(old, func(h *Held) { h.Info.SelfSigned = true }), want: engine.Configure},
	} {
		t.Run(name, func(t *testing.T) {
			seen := Seen{Now: now, Held: tc.held}
			if tc.change != nil {
				tc.change(&seen)
			}
			got := tc.wanted.plan(seen)
			if got.Action != tc.want || !strings.Contains(got.Why+"|"+got.Fix+"|"+got.Risk, tc.says) || (got.Risk != "") != tc.risk {
				t.Errorf("%+v, want %s, %q, risk %v", got, tc.want, tc.says, tc.risk)
			}
		})
	}
}

// What `tls status` calls good is what clients get something from.
func TestReportOfACertificate(t *testing.T) {
	now := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		held      Held
		good, due bool
		says      string
	}{
		"good":          {heldFor(now.Add(-day), nil), true, false, "issued by R10, expires on 2027-05-29"},
		"due":           {heldFor(now.Add(-70*day), nil), true, true, "20 days left"},
		"none":          {Held{}, false, false, "there is none"},
		"broken":        {Held{Exists: true, Broken: "nothing"}, false, false, "not a certificate"},
		"fewer names":   {heldFor(now.Add(-day), func(h *Held) { h.Info.Names = names[:1] }), false, false, "issued by R10"},
		"foreign key":   {heldFor(now.Add(-day), func(h *Held) { h.Info.KeyMatches = false }), false, false, "; the key in the Secret does not belong to it"},
		"not yet valid": {heldFor(now.Add(day), nil), false, false, "not valid before 2027-03-02"},
		"expired":       {heldFor(now.Add(-91*day), nil), false, true, "expired on 2027-02-28"},
	} {
		t.Run(name, func(t *testing.T) {
			r := report(place{}, names, Seen{Now: now, Held: tc.held}, engine.Change{})
			if r.Good != tc.good || r.Due != tc.due || !strings.Contains(r.Summary, tc.says) {
				t.Errorf("%+v", r)
			}
		})
	}
}

// Nobody orders a certificate that somebody else maintains, and `tls renew` does not end as if it had.
func TestRenewOfAMaintainedCertificate(t *testing.T) {
	env := stage.Env{Platform: platform.Platform{Config: platform.WithDefaults(platform.Config{Ingress: platform.Ingress{Namespace: "edge"}, TLS: platform.TLS{Mode: platform.TLSExisting}})}}
	_, err := With(Options{RenewBefore: time.Now()}).Steps(t.Context(), env)
	if err == nil || err.Error() != "tls.mode is existing: whoever maintains secret edge/onyxia-tls renews it" {
		t.Errorf("got %v", err)
	}
	if _, err := Stage().Steps(t.Context(), env); err != nil {
		t.Error(err)
	}
}

func TestPlanOfAMaintainedCertificate(t *testing.T) {
	now := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	m := maintained{base{place: place{namespace: "traefik", name: "onyxia-tls"}, names: names}}
	for name, tc := range map[string]struct {
		held Held
		want engine.Action
		says string
	}{
		"good":        {heldFor(now.Add(-day), nil), engine.Unchanged, "maintained by somebody else, issued by R10"},
		"due":         {heldFor(now.Add(-70*day), nil), engine.Unchanged, "20 days left"},
		"none":        {Held{}, engine.Blocked, "there is no secret traefik/onyxia-tls"},
		"broken":      {Held{Exists: true, Broken: "nothing"}, engine.Blocked, "holds no certificate"},
		"fewer names": {heldFor(now.Add(-day), func(h *Held) { h.Info.Names = names[:1] }), engine.Blocked, "lacks *.lab.demo.test"},
		"foreign key": {heldFor(now.Add(-day), func(h *Held) { h.Info.KeyMatches = false }), engine.Blocked, "does not belong"},
		"expired":     {heldFor(now.Add(-91*day), nil), engine.Blocked, "expired on 2027-02-28"},
	} {
		t.Run(name, func(t *testing.T) {
			got := m.Plan(Seen{Now: now, Held: tc.held})
			if got.Action != tc.want || !strings.Contains(got.Why, tc.says) {
				t.Errorf("%+v, want %s, %q", got, tc.want, tc.says)
			}
			if got.Action == engine.Blocked && !strings.Contains(got.Fix, "tls.mode") {
				t.Errorf("no way out in %q", got.Fix)
			}
		})
	}
	if m.Apply(t.Context(), Seen{}) == nil {
		t.Error("a maintained certificate was written")
	}
}

func TestAccountKeys(t *testing.T) {
	seen := map[string]bool{}
	for _, directory := range []string{real, staging, "https://ca.example.org/other", "https://[::1]:14000/dir", "nonsense"} {
		key := accountKey(directory)
		if seen[key] || strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" {
			t.Errorf("key %q for %s", key, directory)
		}
		seen[key] = true
	}
}
