package acme

import (
	"strings"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/acmetest"
)

const day = 24 * time.Hour

// The lifetimes are those of Let's Encrypt: 90 days, 64 from 2027-02-10, 45 after that, and 6 on request.
func TestDue(t *testing.T) {
	born := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	life := func(days int) Info {
		return Info{NotBefore: born, NotAfter: born.Add(time.Duration(days)*day - time.Second), Serial: "1"}
	}
	withWindow := func(i Info, start, end time.Time) Info {
		i.Renewal = &Window{Start: start, End: end}
		return i
	}
	for name, tc := range map[string]struct {
		info Info
		age  time.Duration
		due  bool
		why  string
	}{
		"90 days, new":             {life(90), 0, false, "expires on 2027-05-30, 90 days left of 90; renewal from 2027-04-30"},
		"90 days, before a third":  {life(90), 59 * day, false, "31 days left of 90"},
		"90 days, after a third":   {life(90), 61 * day, true, "expires on 2027-05-30, 29 days left of 90"},
		"64 days, before a third":  {life(64), 42 * day, false, "22 days left of 64"},
		"64 days, after a third":   {life(64), 43 * day, true, "21 days left of 64"},
		"45 days, before a third":  {life(45), 29 * day, false, "16 days left of 45"},
		"45 days, after a third":   {life(45), 31 * day, true, "14 days left of 45"},
		"6 days, before half":      {life(6), 2*day + 23*time.Hour, false, "3 days left of 6"},
		"6 days, after half":       {life(6), 3*day + time.Hour, true, "3 days left of 6"},
		"10 days are short":        {life(10), 5*day + time.Hour, true, "5 days left of 10"},
		"11 days are not":          {life(11), 6 * day, false, "5 days left of 11"},
		"expired":                  {life(90), 91 * day, true, "expired on 2027-05-30"},
		"not valid yet":            {life(90), -day, false, "not valid before 2027-03-01"},
		"window, early revocation": {withWindow(life(90), born.Add(-2*day), born.Add(-day)), 46 * day, true, "the authority asks for renewal by 2027-02-28"},
		"window, later than ours":  {withWindow(life(90), born.Add(75*day), born.Add(76*day)), 70 * day, false, "renewal from 2027-05-15"},
		"window, passed":           {withWindow(life(90), born.Add(50*day), born.Add(52*day)), 53 * day, true, "asks for renewal by"},
		"window, upside down":      {withWindow(life(90), born.Add(52*day), born.Add(50*day)), 53 * day, false, "renewal from 2027-04-30"},
		"window, after the end":    {withWindow(life(90), born.Add(95*day), born.Add(96*day)), 61 * day, true, "29 days left of 90"},
	} {
		t.Run(name, func(t *testing.T) {
			due, why := Due(tc.info, born.Add(tc.age))
			if due != tc.due || !strings.Contains(why, tc.why) {
				t.Errorf("%v, %q; want %v, %q", due, why, tc.due, tc.why)
			}
		})
	}
}

func TestRenewAtInWindow(t *testing.T) {
	born := time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
	window := &Window{Start: born.Add(50 * day), End: born.Add(52 * day)}
	seen := map[time.Time]bool{}
	for _, serial := range []string{"1", "2", "3", "4"} {
		info := Info{NotBefore: born, NotAfter: born.Add(90 * day), Serial: serial, Renewal: window}
		at := RenewAt(info)
		if at.Before(window.Start) || at.After(window.End) {
			t.Errorf("%s is outside of the window", at)
		}
		if !at.Equal(RenewAt(info)) {
			t.Error("the moment changes from run to run")
		}
		seen[at] = true
	}
	if len(seen) != 4 {
		t.Errorf("four certificates share %d moments", len(seen))
	}
}

func TestAskFrom(t *testing.T) {
	born := time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
	if got := AskFrom(Info{NotBefore: born, NotAfter: born.Add(90 * day)}); !got.Equal(born.Add(45 * day)) {
		t.Errorf("asked from %s", got)
	}
}

// Pebble 2.10.1 suggests a window before the end of the certificate.
func TestRenewal(t *testing.T) {
	dns := acmetest.StartDNS(t)
	ca := acmetest.Start(t, dns, acmetest.Options{})
	got, err := Obtain(t.Context(), orderAt(t, ca, dns, &transcript{}))
	if err != nil {
		t.Fatal(err)
	}
	window, err := Renewal(t.Context(), ca.Directory, ca.CAPEM, got.Chain)
	if err != nil || window == nil {
		t.Fatalf("%v, %v", window, err)
	}
	if !window.sane(got.Info) || window.Start.Before(got.Info.NotBefore) {
		t.Errorf("window %+v of %+v", window, got.Info)
	}
	stranger := authority(t, "Somebody else", nil)
	foreign := server(t, &stranger, time.Now(), time.Now().Add(time.Hour), "a.b")
	if window, err := Renewal(t.Context(), ca.Directory, ca.CAPEM, certificatePEM(foreign.certificate)); window != nil {
		t.Errorf("a foreign certificate: %v, %v", window, err)
	}
	if _, err := Renewal(t.Context(), ca.Directory, nil, got.Chain); err == nil || !strings.Contains(err.Error(), "tls.acme.caBundle") {
		t.Errorf("an untrusted directory: %v", err)
	}
}
