package platform

import (
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// The shortest credentials that MinIO, AWS and Ceph give by STS, and the longest that AWS and Ceph give for a role (IAM API
// reference, CreateRole; Ceph, src/rgw/rgw_role.h).
const (
	shortestCredentials = 15 * time.Minute
	longestOfARole      = 12 * time.Hour
)

// sessionDuration is the default of s3.sessionDuration: a day, or less where a role or the user's own session ends before.
func sessionDuration(s S3, session string) string {
	longest, text := 24*time.Hour, "24h"
	if s.roles() {
		longest, text = longestOfARole, "12h"
	}
	if d, err := time.ParseDuration(session); err == nil && d < longest {
		return session
	}
	return text
}

// roles tells a server that gives credentials for roles: AWS and Ceph.
func (s S3) roles() bool { return s.Mode == S3External && s.Kind != S3KindMinIO }

// checkS3: a server of one's own needs what to reach it by, and credentials have their limits. Keys that would do nothing are
// refused, so that nobody relies on them.
func checkS3(c Config) error {
	s := c.S3
	if s.Mode == S3None || c.Auth.Mode == AuthNone {
		return nil
	}
	errs := []error{s.checkDuration(c.Auth), s.checkHousekeeping(c.Auth)}
	if !s.roles() && s.RoleARN != "" {
		// Onyxia would ask for it, and MinIO then goes by the policy of that role and by no token's claim.
		errs = append(errs, errors.New("s3.roleARN: MinIO gives credentials by the claims of a token here, and for a role it would open what that role opens, to every user: leave it out; it is for s3.kind aws and ceph"))
	}
	switch {
	case s.Mode != S3External:
	case s.roles() && s.RoleARN == "":
		errs = append(errs, fmt.Errorf("s3.roleARN: an S3 server of kind %s gives credentials for a role only: name it, for instance arn:aws:iam::123456789012:role/onyxia", s.Kind))
	case s.roles():
	case s.CredentialsSecret == "":
		errs = append(errs, errors.New("s3.credentialsSecret: an existing MinIO needs the namespace/name of a Secret with its rootUser and rootPassword"))
	}
	return errors.Join(errs...)
}

func (s S3) checkDuration(a Auth) error {
	d, err := time.ParseDuration(s.SessionDuration)
	if err != nil || d <= 0 {
		return nil // said by checkDurations
	}
	if d < shortestCredentials {
		return fmt.Errorf("s3.sessionDuration: %s is less than the 15m that servers give credentials for at least", s.SessionDuration)
	}
	if s.roles() && d > longestOfARole {
		return fmt.Errorf("s3.sessionDuration is %s, and a role gives credentials for 12h at most: every user would be refused; set s3.sessionDuration: 12h", s.SessionDuration)
	}
	// At another issuer the session is not ours to set.
	if session, err := time.ParseDuration(a.Session); err == nil && !a.OtherIssuer() && d > session {
		return fmt.Errorf("s3.sessionDuration: %s is longer than a login lasts (auth.session: %s)", s.SessionDuration, a.Session)
	}
	return nil
}

// checkHousekeeping is about the settings of buckets, which we make in MinIO only, and only in buckets that are known to be of the
// datalab's users and groups.
func (s S3) checkHousekeeping(a Auth) error {
	var errs []error
	if quota, err := resource.ParseQuantity(s.Quota); err == nil && quota.Sign() < 0 {
		errs = append(errs, fmt.Errorf("s3.quota: %q is no size such as 50Gi; 0 takes the limit away", s.Quota))
	}
	if s.VersionDays != nil && *s.VersionDays < 0 {
		errs = append(errs, fmt.Errorf("s3.versionDays: %d is no number of days; 0 keeps old versions for good", *s.VersionDays))
	}
	why := fmt.Sprintf("does nothing for a server of kind %s, whose buckets are set up there", s.Kind)
	switch {
	case s.roles():
	case s.Mode == S3External && a.OtherIssuer():
		why = "an issuer that is not configured for you does not tell who its users are, so a bucket of this MinIO may be somebody else's; set it up there"
	default:
		return errors.Join(errs...)
	}
	for _, set := range []struct {
		key string
		is  bool
	}{{"s3.quota", s.Quota != ""}, {"s3.versioning", s.Versioning != nil}, {"s3.versionDays", s.VersionDays != nil}} {
		if set.is {
			errs = append(errs, fmt.Errorf("%s: %s: leave it out", set.key, why))
		}
	}
	return errors.Join(errs...)
}
