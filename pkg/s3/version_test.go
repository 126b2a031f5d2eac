package s3

import (
	"strings"
	"testing"
)

func TestConsoleNote(t *testing.T) {
	for version, want := range map[string]string{
		"RELEASE.2024-12-18T13-15-44Z":          "",            // chart 5.4.0
		"2024-12-18T13:15:44Z":                  "",            // what that server says of itself
		"RELEASE.2025-04-22T22-12-26Z":          "",            // the last with the whole console
		"RELEASE.2025-05-24T17-08-30Z":          "no login by", // minio/minio issue 21311
		"RELEASE.2025-09-07T16-13-09Z":          "no login by", // the last image
		"RELEASE.2026-06-18T00-00-00Z":          "no login by", // a fork
		"RELEASE.2025-09-07T16-13-09Z-cpuv1":    "no login by",
		"RELEASE.2025-09-07T16-13-09Z@sha256:0": "no login by",
		"DEVELOPMENT.GOGET":                     "names no release date",
		"latest":                                "names no release date",
		"":                                      "names no release date",
		"RELEASE.2025-13-07T16-13-09Z":          "names no release date",
	} {
		got := ConsoleNote(version)
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("ConsoleNote(%q) = %q, want %q", version, got, want)
		}
	}
}
