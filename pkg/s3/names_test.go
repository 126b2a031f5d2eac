package s3

import (
	"strings"
	"testing"

	"github.com/minio/minio-go/v7/pkg/s3utils"
)

func TestCheckBucket(t *testing.T) {
	for _, tc := range []struct{ name, want string }{
		{"user-alice", ""},
		{"abc", ""},
		{"user-a.b", ""},
		{strings.Repeat("a", 63), ""},
		{strings.Repeat("a", 64), "has 64 characters; S3 takes 3 to 63"},
		{"ab", "has 2 characters"},
		{"", "has 0 characters"},
		{"user-*", `the wildcard '*'`},
		{"user-?", `the wildcard '?'`},
		{"user-${aws:username}", `the character '$'`},
		{"user-../x", "a slash"},
		{"user-a/b", "a slash"},
		{"user-Alice", `the upper case letter 'A'`},
		{"user-a b", "a space"},
		{"user-é", `the character 'é'`},
		{`user-"`, `the character '"'`},
		{"user-a_b", `the character '_'`},
		{"user-\x00", `the character '\x00'`},
		{"user-\xff", "the character"},
		{"user-", "begin and end with a letter or a digit"},
		{".user", "begin and end"},
		{"user-a..b", `holds ".."`},
		{"user-.b", `holds "-."`},
		{"user.-b", `holds ".-"`},
		{"192.168.0.1", "reads as an IP address"},
		{"0.0.000.999", "reads as an IP address"},
		{"1.2.3", ""},
		{"xn--abc", "keeps for itself"},
		{"user-s3alias", "keeps for itself"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := CheckBucket(tc.name)
			if tc.want == "" {
				if err != nil {
					t.Fatalf("CheckBucket(%q) = %v", tc.name, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("CheckBucket(%q) = %v, want %q in it", tc.name, err, tc.want)
			}
		})
	}
}

// FuzzCheckBucket holds our rules against those of minio-go: what we let through, it must let through.
func FuzzCheckBucket(f *testing.F) {
	for _, seed := range []string{"user-alice", "*", "a/b", "192.168.0.1", "a..b", "é", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if CheckBucket(name) != nil {
			return
		}
		if err := s3utils.CheckValidBucketNameStrict(name); err != nil {
			t.Fatalf("we let %q through, minio-go does not: %v", name, err)
		}
		if strings.ContainsAny(name, "*?$/{}\\ ") {
			t.Fatalf("we let %q through", name)
		}
	})
}

func TestCheckPrefixes(t *testing.T) {
	for _, tc := range []struct{ user, group, want string }{
		{"user-", "projet-", ""},
		{"oidc-", "projet-", ""},
		{"", "projet-", "prefixes.user is empty"},
		{"user-", "", "prefixes.group is empty"},
		{"user-", "user-", "begin alike"},
		{"user-", "user-group-", "begin alike"},
		{"p-u-", "p-", "begin alike"},
		{"user-*", "projet-", "the wildcard"},
		{"User-", "projet-", "upper case"},
		{"-user-", "projet-", "has to begin with"},
		{"${jwt:sub}-", "projet-", "the character '$'"},
	} {
		err := checkPrefixes(tc.user, tc.group)
		if (tc.want == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("checkPrefixes(%q, %q) = %v, want %q", tc.user, tc.group, err, tc.want)
		}
	}
}

func TestCheckClaim(t *testing.T) {
	if err := checkClaim("email"); err == nil || !strings.Contains(err.Error(), "S3 takes no @") {
		t.Errorf("email: %v", err)
	}
	for claim, ok := range map[string]bool{"preferred_username": true, "sub": true, "upn": true, "uid": false, "groups": false, "": false, "sub}*${jwt:sub": false} {
		err := checkClaim(claim)
		if (err == nil) != ok || (err != nil && !strings.Contains(err.Error(), "set auth.usernameClaim to one of preferred_username")) {
			t.Errorf("checkClaim(%q) = %v", claim, err)
		}
	}
	// Two people may have the same one, or take each other's.
	for _, claim := range []string{"client_id", "name", "nickname", "given_name", "family_name", "middle_name", "phone_number"} {
		for server, err := range map[string]error{"MinIO": checkClaim(claim), "AWS": checkTag(claim)} {
			if err == nil || !strings.Contains(err.Error(), "is not one person's alone, or can be changed by its user") {
				t.Errorf("%s, %s: %v", server, claim, err)
			}
		}
	}
	if err := checkTag("uid"); err != nil {
		t.Errorf("a claim of an issuer's own: %v", err)
	}
}
