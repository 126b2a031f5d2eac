package s3

import (
	"fmt"
	"strings"
	"time"
)

// releaseTime reads the date out of a MinIO version or image tag: "2024-12-18T13:15:44Z", "RELEASE.2024-12-18T13-15-44Z",
// and what forks put behind it. It is false for anything else, a build from source for instance.
func releaseTime(version string) (time.Time, bool) {
	version = strings.TrimPrefix(version, "RELEASE.")
	const length = len("2024-12-18T13-15-44Z")
	if len(version) < length {
		return time.Time{}, false
	}
	for _, layout := range []string{"2006-01-02T15-04-05Z", time.RFC3339} {
		if t, err := time.Parse(layout, version[:length]); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// The two dates after which MinIO is less than it was: the console lost its login by OpenID (minio/minio issues 21311,
// 21324, 21325), and the community edition had its last release.
func consoleCutOff() time.Time { return time.Date(2025, time.May, 24, 0, 0, 0, 0, time.UTC) }

// ConsoleNote says what an admin has to know about the console of that version or image tag; empty for an older one.
func ConsoleNote(version string) string {
	const gone = "the console of this MinIO has no login by OpenID any more (removed in RELEASE.2025-05-24T17-08-30Z): users see their files in Onyxia, and the console takes the root user only"
	released, known := releaseTime(version)
	switch {
	case !known:
		return fmt.Sprintf("MinIO %q names no release date; from RELEASE.2025-05-24T17-08-30Z on the console has no login by OpenID", version)
	case released.Before(consoleCutOff()):
		return ""
	default:
		return gone
	}
}
