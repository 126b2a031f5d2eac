package acme

import (
	"fmt"
	"hash/fnv"
	"math"
	"time"
)

// shortLife is the lifetime up to which a certificate is renewed at half of it.
const shortLife = 10 * 24 * time.Hour

// RenewAt is when a certificate has to be renewed: at the time the authority suggests, if that is known (RFC 9773),
// else when a third of its lifetime is left, or half where that is ten days or less. The rule holds for the 90, 64 and
// 45 days that Let's Encrypt goes through until 2028 and for its certificates of 6 days.
func RenewAt(i Info) time.Time {
	if i.Renewal != nil && i.Renewal.sane(i) {
		return i.Renewal.at(i.Serial)
	}
	life := i.NotAfter.Sub(i.NotBefore)
	if life <= shortLife {
		return i.NotAfter.Add(-life / 2)
	}
	return i.NotAfter.Add(-life / 3)
}

// AskFrom is from when on the authority may be asked for its suggestion. Before half of the lifetime nobody is asked:
// a run that finds a good certificate contacts no authority. What that costs is hearing of a mass revocation late in
// the first half, which the authority announces by other ways as well.
func AskFrom(i Info) time.Time {
	return i.NotBefore.Add(i.NotAfter.Sub(i.NotBefore) / 2)
}

// Due tells whether a certificate has to be renewed, and why, or why not. It is pure.
func Due(i Info, now time.Time) (bool, string) {
	at := RenewAt(i)
	due := !now.Before(at)
	switch {
	case !now.Before(i.NotAfter):
		return true, "expired on " + date(i.NotAfter)
	case now.Before(i.NotBefore):
		return false, "not valid before " + date(i.NotBefore)
	case due && i.Renewal != nil && i.Renewal.sane(i):
		return true, fmt.Sprintf("%s; the authority asks for renewal by %s", lifeLeft(i, now), date(i.Renewal.End))
	case due:
		return true, lifeLeft(i, now)
	default:
		return false, fmt.Sprintf("%s; renewal from %s", lifeLeft(i, now), date(at))
	}
}

func lifeLeft(i Info, now time.Time) string {
	return fmt.Sprintf("expires on %s, %d days left of %d", date(i.NotAfter), days(i.NotAfter.Sub(now)), days(i.NotAfter.Sub(i.NotBefore)))
}

func date(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// days rounds, because the lifetimes of real certificates are a second short of whole days.
func days(d time.Duration) int { return int(math.Round(d.Hours() / 24)) }

// Window is the time in which an authority wants a certificate renewed (RFC 9773 section 4.2).
type Window struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	// Explanation is a page that says why; mostly empty.
	Explanation string `json:"explanation,omitempty"`
}

// sane tells whether a window can be followed. The authority decides, but not on a renewal after the end.
func (w Window) sane(i Info) bool {
	return w.Start.Before(w.End) && w.Start.Before(i.NotAfter)
}

// at picks the moment in the window: uniform over all certificates, as RFC 9773 section 4.2 asks, and always the same
// for one of them, so that a plan does not change from run to run.
func (w Window) at(serial string) time.Time {
	h := fnv.New32a()
	// Writing to a hash never fails.
	_, _ = h.Write([]byte(serial))
	part := float64(h.Sum32()) / math.MaxUint32
	return w.Start.Add(time.Duration(part * float64(w.End.Sub(w.Start))))
}
