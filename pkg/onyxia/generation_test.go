package onyxia

import (
	"strings"
	"testing"
)

func TestGeneration(t *testing.T) {
	for version, want := range map[string]Schema{
		"4.1.1": Schema4, "4.1.0": Schema4, "4.4.3": Schema4, "v4.2.0": Schema4,
		"11.0.0": Schema11, "11.5.1": Schema11, "12.0.0": Schema11, "11.0.0-rc.1": Schema11,
	} {
		if got, err := Generation(version); err != nil || got != want {
			t.Errorf("%s: %d (%v), want %d", version, got, err, want)
		}
	}
	for version, fail := range map[string]string{
		"":        "no version of the onyxia chart",
		"latest":  `version "latest"`,
		"4.0.2":   "was withdrawn from its repository: take 4.1.1",
		"3.8.4":   "4.1 to 4.4 and for 11.0 and later only",
		"5.0.0":   "4.1 to 4.4 and for 11.0 and later only",
		"8.12.0":  "4.1 to 4.4 and for 11.0 and later only",
		"10.33.0": "4.1 to 4.4 and for 11.0 and later only",
	} {
		if _, err := Generation(version); err == nil || !strings.Contains(err.Error(), fail) {
			t.Errorf("%q: %v, want %q", version, err, fail)
		}
	}
}
