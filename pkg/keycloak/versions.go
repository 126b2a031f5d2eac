package keycloak

import (
	"fmt"
	"strconv"
	"strings"
)

// Version is a server's version, as in 26.5.6. The zero value is an unknown one and counts as the newest.
type Version struct{ Major, Minor, Patch int }

// ParseVersion reads "26.5.6", with or without a suffix such as ".redhat-00001" or "-SNAPSHOT".
func ParseVersion(text string) (Version, error) {
	var v Version
	parts := strings.SplitN(strings.SplitN(text, "-", 2)[0], ".", 4)
	for i, into := range []*int{&v.Major, &v.Minor, &v.Patch} {
		if i >= len(parts) {
			break
		}
		n, err := strconv.Atoi(parts[i])
		if err != nil {
			return Version{}, fmt.Errorf("keycloak version %q: want numbers with dots", text)
		}
		*into = n
	}
	return v, nil
}

// String is the version with dots, or "unknown".
func (v Version) String() string {
	if v == (Version{}) {
		return "unknown"
	}
	return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch)
}

// Oldest is the first major version that the package knows. 19 was never published as a distribution and is not tested.
const Oldest = 19

// Features are the differences between server versions that the package has to know.
type Features struct {
	// TermsAlias is the alias of the required action for terms and conditions.
	TermsAlias string
	// ProfileSwitch says that the user profile has to be switched on: by --features=declarative-user-profile when the server
	// starts, and by the realm's attribute userProfileEnabled. A PUT of the realm without that attribute resets the profile.
	ProfileSwitch bool
	// UnmanagedAttributes says that the user profile has a policy for attributes that it does not name.
	UnmanagedAttributes bool
	// FoldsUsernames says that a name in capitals is made lower case before the profile looks at it, so that only the page
	// can refuse it; that of Onyxia's theme does.
	FoldsUsernames bool
	// BasicScope says that the claims sub and auth_time come from the client scope "basic".
	BasicScope bool
	// NoNonce says that access tokens lack nonce and session_state, which keycloak-js before 25 asks for.
	NoNonce bool
	// BootstrapAdmin says that `kc.sh bootstrap-admin` makes an administrator on the server's own machine.
	BootstrapAdmin bool
}

// differences is the table: what holds from a major version on, oldest first. Seen on 20.0.5, 21.1.2, 22.0.5, 23.0.7,
// 24.0.5, 25.0.6 and 26.5.6; basic scope and nonce: Keycloak's changes-25_0_0.adoc; terms: keycloak#17277; profile:
// changes-24_0_0.adoc; bootstrap-admin: not in 25.0.6, run on 26.5.6.
func differences() []struct {
	from int
	set  func(*Features)
} {
	return []struct {
		from int
		set  func(*Features)
	}{
		{Oldest, func(f *Features) { f.TermsAlias, f.ProfileSwitch = "terms_and_conditions", true }},
		{21, func(f *Features) { f.TermsAlias = "TERMS_AND_CONDITIONS" }},
		{23, func(f *Features) { f.FoldsUsernames = true }},
		{24, func(f *Features) { f.ProfileSwitch, f.UnmanagedAttributes = false, true }},
		{25, func(f *Features) { f.BasicScope, f.NoNonce = true, true }},
		{26, func(f *Features) { f.BootstrapAdmin = true }},
	}
}

// Features of a version.
func (v Version) Features() Features {
	var f Features
	for _, d := range differences() {
		if v == (Version{}) || v.Major >= d.from {
			d.set(&f)
		}
	}
	return f
}
