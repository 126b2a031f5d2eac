package s3

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The limits of a bucket's name, in bytes (AWS, "General purpose bucket naming rules"; MinIO and Ceph keep to them).
const (
	minBucket = 3
	maxBucket = 63
)

// CheckBucket tells in words why S3 refuses a bucket's name, or nil.
func CheckBucket(name string) error {
	if c, bad := firstRefused(name); bad {
		return fmt.Errorf("bucket name %q holds %s; S3 takes lower case letters, digits, dots and dashes", name, describe(c))
	}
	if len(name) < minBucket || len(name) > maxBucket {
		return fmt.Errorf("bucket name %q has %d characters; S3 takes %d to %d", name, len(name), minBucket, maxBucket)
	}
	if !isAlnum(name[0]) || !isAlnum(name[len(name)-1]) {
		return fmt.Errorf("bucket name %q has to begin and end with a letter or a digit", name)
	}
	for _, pair := range []string{"..", ".-", "-."} {
		if strings.Contains(name, pair) {
			return fmt.Errorf("bucket name %q holds %q, which S3 refuses", name, pair)
		}
	}
	if fourNumbers(name) {
		return fmt.Errorf("bucket name %q reads as an IP address, which S3 refuses", name)
	}
	return checkReserved(name)
}

// checkReserved refuses what AWS keeps for itself.
func checkReserved(name string) error {
	for _, prefix := range []string{"xn--", "sthree-", "amzn-s3-demo-"} {
		if strings.HasPrefix(name, prefix) {
			return fmt.Errorf("bucket name %q begins with %q, which AWS keeps for itself", name, prefix)
		}
	}
	for _, suffix := range []string{"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"} {
		if strings.HasSuffix(name, suffix) {
			return fmt.Errorf("bucket name %q ends in %q, which AWS keeps for itself", name, suffix)
		}
	}
	return nil
}

// fourNumbers is more than a valid address: servers refuse 0.0.000.999 as well.
func fourNumbers(name string) bool {
	return strings.Count(name, ".") == 3 && strings.Trim(name, "0123456789.") == ""
}

func firstRefused(name string) (rune, bool) {
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' {
			return c, true
		}
	}
	return 0, false
}

func describe(c rune) string {
	switch {
	case c >= 'A' && c <= 'Z':
		return fmt.Sprintf("the upper case letter %q", c)
	case c == ' ':
		return "a space"
	case c == '*' || c == '?':
		return fmt.Sprintf("the wildcard %q", c)
	case c == '/':
		return "a slash"
	default:
		return fmt.Sprintf("the character %q", c)
	}
}

func isAlnum(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }

// claimsForNames are the claims that may name a bucket: MinIO puts them in the place of ${jwt:NAME} in a policy, and takes no others
// (minio/pkg v3.1.3, policy/condition/keyname.go), and an issuer gives each person one of their own.
func claimsForNames() []string { return []string{"preferred_username", "sub", "upn"} }

// sharedClaims are the others that MinIO takes: of a person's profile, which people may share and most issuers let them change, and
// of the client that a token is for (OpenID Connect Core 1.0, section 5.1 and 5.7).
func sharedClaims() []string {
	return []string{"name", "nickname", "given_name", "family_name", "middle_name", "phone_number", "client_id"}
}

func checkClaim(username string) error {
	if err := checkOwn(username); err != nil {
		return err
	}
	if !slices.Contains(claimsForNames(), username) {
		return fmt.Errorf("MinIO policies know no claim %q for a user's name; set auth.usernameClaim to one of %s",
			username, strings.Join(claimsForNames(), ", "))
	}
	return nil
}

// checkOwn refuses claims that cannot say whose bucket one is.
func checkOwn(claim string) error {
	switch {
	case claim == "email":
		return errors.New("no bucket can be named after an e-mail address, S3 takes no @: set auth.usernameClaim to another claim, such as preferred_username")
	case slices.Contains(sharedClaims(), claim):
		return fmt.Errorf("the claim %q is not one person's alone, or can be changed by its user, who would open the bucket of somebody else by it; set auth.usernameClaim to one of %s",
			claim, strings.Join(claimsForNames(), ", "))
	}
	return nil
}

// checkTag is checkClaim for AWS and Ceph, where the name is in a session tag called as the claim (AWS STS, Tag: letters, digits,
// spaces and _.:/=+-@, at most 128 characters; spaces and slashes are left out, they mean something in a policy's key).
func checkTag(claim string) error {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:=+-@"
	if err := checkOwn(claim); err != nil {
		return err
	}
	if claim == "" || len(claim) > 128 || strings.Trim(claim, letters) != "" {
		return fmt.Errorf("no session tag can be called %q: set auth.usernameClaim to a claim of letters, digits and _.:=+-@", claim)
	}
	return nil
}

// checkPrefixes makes sure that no user can have a name that makes the bucket of a group, and the other way round.
func checkPrefixes(user, group string) error {
	if err := errors.Join(checkPrefix("prefixes.user", user), checkPrefix("prefixes.group", group)); err != nil {
		return err
	}
	if strings.HasPrefix(user, group) || strings.HasPrefix(group, user) {
		return fmt.Errorf("prefixes.user %q and prefixes.group %q begin alike: a user could take the name that makes a group's bucket; change one of them", user, group)
	}
	return nil
}

func checkPrefix(key, prefix string) error {
	c, bad := firstRefused(prefix)
	switch {
	case prefix == "":
		return fmt.Errorf("%s is empty: a user could then take the name of any bucket", key)
	case bad:
		return fmt.Errorf("%s %q holds %s; S3 takes lower case letters, digits, dots and dashes", key, prefix, describe(c))
	case !isAlnum(prefix[0]):
		return fmt.Errorf("%s %q has to begin with a letter or a digit", key, prefix)
	}
	return nil
}
