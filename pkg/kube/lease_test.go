package kube

import (
	"testing"
	"time"
	"unsafe"
)

// asleep is the time after the machine has slept that long: the clock on the wall went on, and the monotonic one rested. Package
// time keeps the latter in the second word of a Time.
func asleep(t *testing.T, now time.Time, slept time.Duration) time.Time {
	t.Helper()
	later := now.Add(slept)
	*(*int64)(unsafe.Add(unsafe.Pointer(&later), 8)) -= int64(slept)
	if later.Sub(now) != 0 || later.Round(0).Sub(now.Round(0)) != slept {
		t.Skip("package time keeps its clocks in another way")
	}
	return later
}

// D: the time of a lock is up when the clock on the wall says so, also on a machine that slept; and when the wall's is set back.
func TestDLockEndsWhileTheMachineSleeps(t *testing.T) {
	now := time.Now()
	end := now.Add(30 * time.Second)
	for name, c := range map[string]struct {
		now  time.Time
		want bool
	}{
		"at once":      {now, true},
		"just before":  {now.Add(29 * time.Second), true},
		"after":        {now.Add(31 * time.Second), false},
		"after a nap":  {asleep(t, now, time.Minute), false},
		"a clock back": {asleep(t, now.Add(31*time.Second), -time.Minute), false},
	} {
		if got := before(c.now, end); got != c.want {
			t.Errorf("%s: held %v", name, got)
		}
	}
}

// D: a lock whose time was up when it was looked at is lost, though its timers had not come to their end.
func TestDHeldGoesByTheClock(t *testing.T) {
	h := &Held{lease: &lease{timing: DefaultLockTiming()}}
	h.renewedAt(time.Now())
	if !h.Held() {
		t.Error("lost at once")
	}
	h.renewedAt(time.Now().Add(-31 * time.Second))
	if h.Held() {
		t.Error("held when its time is up")
	}
}
