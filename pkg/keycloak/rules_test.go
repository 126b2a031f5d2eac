package keycloak

import (
	"regexp"
	"strings"
	"testing"
)

func TestVersions(t *testing.T) {
	for text, want := range map[string]struct {
		version                                             Version
		terms                                               string
		profileSwitch, unmanaged, folds, noNonce, bootstrap bool
	}{
		"19.0.3":              {Version{19, 0, 3}, "terms_and_conditions", true, false, false, false, false},
		"20.0.5":              {Version{20, 0, 5}, "terms_and_conditions", true, false, false, false, false},
		"21.1.2":              {Version{21, 1, 2}, "TERMS_AND_CONDITIONS", true, false, false, false, false},
		"23.0.7":              {Version{23, 0, 7}, "TERMS_AND_CONDITIONS", true, false, true, false, false},
		"25.0.6":              {Version{25, 0, 6}, "TERMS_AND_CONDITIONS", false, true, true, true, false},
		"24.0.5.redhat-00001": {Version{24, 0, 5}, "TERMS_AND_CONDITIONS", false, true, true, false, false},
		"26.5.6":              {Version{26, 5, 6}, "TERMS_AND_CONDITIONS", false, true, true, true, true},
		"999.0.0-SNAPSHOT":    {Version{999, 0, 0}, "TERMS_AND_CONDITIONS", false, true, true, true, true},
	} {
		v, err := ParseVersion(text)
		f := v.Features()
		if err != nil || v != want.version || f.TermsAlias != want.terms || f.ProfileSwitch != want.profileSwitch ||
			f.UnmanagedAttributes != want.unmanaged || f.FoldsUsernames != want.folds || f.NoNonce != want.noNonce || f.BasicScope != want.noNonce ||
			f.BootstrapAdmin != want.bootstrap {
			t.Errorf("%s: %v %+v %v", text, v, f, err)
		}
	}
	if (Version{}).Features() != (Version{Major: 999}).Features() {
		t.Error("an unknown version is not taken for the newest")
	}
	if _, err := ParseVersion("nightly"); err == nil {
		t.Error("nightly is no version")
	}
}

func TestUsernamePattern(t *testing.T) {
	input := regexp.MustCompile("^(?:" + usernameInput + ")$")
	for name, ok := range map[string]bool{"a": true, "alice": true, "a1-b2": true, "1a": true, "alice-": false, "-alice": false, "Alice": false,
		"a_b": false, "a.b": false, "é": false, "": false, "a b": false, "${jwt:x}": false, "a/../b": false, "a\n": false, "*": false} {
		if validUsername(name) != ok || input.MatchString(name) != ok {
			t.Errorf("%q: %t, in the browser %t", name, validUsername(name), input.MatchString(name))
		}
	}
}

func TestEmailPattern(t *testing.T) {
	pattern, err := EmailPattern([]string{"insee.fr", "Gouv.fr", "insee.fr"})
	if err != nil {
		t.Fatal(err)
	}
	// the shape that Onyxia's theme reads domains from, as in the guide
	if want := `^[^@]+@([^.]+\.)*((gouv\.fr)|(insee\.fr))$`; pattern != want {
		t.Errorf("%s, want %s", pattern, want)
	}
	rule := regexp.MustCompile(pattern)
	for address, ok := range map[string]bool{"a@insee.fr": true, "a@sub.insee.fr": true, "a@gouv.fr": true, "a@inseexfr": false, "a@evilinsee.fr": false,
		"a@insee.fr.evil.org": false, "insee.fr": false, "a@insee.fr\n": false} {
		if rule.MatchString(address) != ok {
			t.Errorf("%q: %t", address, !ok)
		}
	}
	for _, bad := range []string{"", "insee", "a@insee.fr", "*.insee.fr", "münchen.de", "a b.fr", "-a.fr"} {
		if _, err := EmailPattern([]string{bad}); err == nil {
			t.Errorf("%q was taken for a domain", bad)
		}
	}
}

func TestEmailRuleIsTakenAway(t *testing.T) {
	rule := func(pattern string) document {
		return document{"validations": document{"pattern": document{"pattern": pattern}, "email": document{}}}
	}
	ours, err := EmailPattern([]string{"example.org"})
	if err != nil {
		t.Fatal(err)
	}
	for pattern, fields := range map[string]int{ours: 1, `^.*@theirs\.org$`: 0} {
		want, err := wantedEmail(nil, rule(pattern))
		if got := want.differences("", rule(pattern)); err != nil || len(got) != fields {
			t.Errorf("%s: %v %v", pattern, got, err)
		}
	}
}

func TestPasswordDigest(t *testing.T) {
	one, err := newDigest("right")
	if err != nil {
		t.Fatal(err)
	}
	two, err := newDigest("right")
	if err != nil || one == two {
		t.Errorf("two digests of one password are the same: %v", err)
	}
	if strings.Contains(string(one), "right") || len(one) > 255 {
		t.Errorf("digest %q", one)
	}
	for seen, want := range map[string]bool{string(one): true, string(two): true, "": false, "x": false, ".": false, string(one) + "x": false} {
		if matches(seen, "right") != want || matches(seen, "wrong") {
			t.Errorf("%q", seen)
		}
	}
}

func TestNewPassword(t *testing.T) {
	one, err := newPassword()
	two, err2 := newPassword()
	if err != nil || err2 != nil || one == two || len(one) < 26 {
		t.Errorf("%d characters, %v %v", len(one), err, err2)
	}
	for _, kind := range []string{"[a-z]", "[A-Z]", "[0-9]", "[^a-zA-Z0-9]"} {
		if !regexp.MustCompile(kind).MatchString(one) {
			t.Errorf("no %s, which a realm's password policy may ask for", kind)
		}
	}
}

func TestSMTPWithoutLogin(t *testing.T) {
	seen := document{"host": "old", "user": "u", "password": "**********", digestKey: "x", "auth": "true", "theirs": "kept"}
	want, err := SMTP{Host: "new", Port: 25, From: "a@example.org", Encryption: "none"}.wanted(t.Context(), seen)
	if err != nil {
		t.Fatal(err)
	}
	sent := want.over(seen)
	if _, masked := sent["password"]; masked || sent[digestKey] != nil || sent["theirs"] != "kept" || sent["auth"] != "false" {
		t.Errorf("sent %v", sent)
	}
	if _, err := (SMTP{Host: "new", Username: "u"}).wanted(t.Context(), seen); err == nil {
		t.Error("a user name without a password was taken")
	}
}
