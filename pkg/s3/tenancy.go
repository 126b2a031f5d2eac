package s3

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// MaxPolicy is how many bytes of policy MinIO takes (cmd/bucket-policy-handlers.go, maxBucketPolicySize).
const MaxPolicy = 20 << 10

// Tenancy says who owns which bucket: a user the one with their name, a group the one with its name.
//
// In MinIO a user owns theirs by the policy platform.S3Policy, and a group's by a policy of the group's own; the claim
// "policy" of a token names all that apply. A condition on the claim "groups" would do with one policy, and must not be
// used: MinIO lets a request overwrite what conditions see of a claim, by a header or a parameter `Groups` (minio/pkg
// v3.1.3, policy/condition/value.go getValuesByKey; seen on a running server). Anybody could then open any group's bucket.
type Tenancy struct {
	// Owner marks the policies as those of one datalab: its host. A MinIO may serve several.
	Owner       string
	UserPrefix  string
	GroupPrefix string
	// UsernameClaim of the token.
	UsernameClaim string
	// Groups that have a bucket.
	Groups []string
	// LongestName turns the full guard against names with wildcards on: every username of more characters, or with any
	// character but a-z, 0-9 and dash, is denied. It is for issuers whose usernames nobody checks (an LDAP federation, a
	// foreign issuer), and costs MinIO some milliseconds for each request. 0 leaves it off; 30 is the most that fits.
	LongestName int
}

// For is the tenancy of a datalab with those groups.
func For(p platform.Platform, groups []string) Tenancy {
	return Tenancy{Owner: "kubectl-onyxia " + p.OnyxiaHost(), UserPrefix: p.Prefixes.User, GroupPrefix: p.Prefixes.Group, UsernameClaim: p.Auth.UsernameClaim, Groups: groups}
}

// UserBucket is the bucket of a user, or why there can be none.
func (t Tenancy) UserBucket(username string) (string, error) {
	return owned("user", t.UserPrefix, username)
}

// GroupBucket is the bucket of a group, or why there can be none. Names are never rewritten: Onyxia asks for prefix and
// name as they are, and two groups could be rewritten to one bucket.
func (t Tenancy) GroupBucket(group string) (string, error) {
	if strings.HasPrefix(group, "/") {
		return "", fmt.Errorf("group %q is a path: turn \"full group path\" off where group names come from", group)
	}
	return owned("group", t.GroupPrefix, group)
}

// GroupPolicy is the name of the policy that opens a group's bucket: the bucket's. The prefix keeps it from being one of
// MinIO's own, such as consoleAdmin.
func (t Tenancy) GroupPolicy(group string) (string, error) { return t.GroupBucket(group) }

func owned(kind, prefix, name string) (string, error) {
	if name == "" {
		return "", fmt.Errorf("%s without a name: no bucket can be derived", kind)
	}
	if err := CheckBucket(prefix + name); err != nil {
		return "", fmt.Errorf("%s %q can have no bucket: %w", kind, name, err)
	}
	return prefix + name, nil
}

// Usable is the tenancy without the groups that can have no bucket, and the reason for each of those.
func (t Tenancy) Usable() (Tenancy, []error) {
	var refused []error
	groups := make([]string, 0, len(t.Groups))
	for _, g := range t.Groups {
		if _, err := t.GroupBucket(g); err != nil {
			refused = append(refused, err)
			continue
		}
		groups = append(groups, g)
	}
	t.Groups = groups
	return t, refused
}

// NamedPolicy is a policy with the name that the claim "policy" has for it.
type NamedPolicy struct {
	Name   string
	Policy Policy
}

// Policies are the policy of all users and those of the groups, by name.
func (t Tenancy) Policies() ([]NamedPolicy, error) {
	users, err := t.users()
	if err != nil {
		return nil, err
	}
	out := []NamedPolicy{{platform.S3Policy, users}}
	for _, group := range sorted(t.Groups) {
		bucket, err := t.GroupBucket(group)
		if err != nil {
			return nil, err
		}
		members := Statement{Sid: "GroupBucket", Effect: Allow, Action: List{"s3:*"}, Resource: bucketAndObjects(bucket)}
		out = append(out, NamedPolicy{bucket, Policy{ID: t.Owner, Version: PolicyVersion, Statement: []Statement{members}}})
	}
	return out, nil
}

// users is the policy of everybody.
func (t Tenancy) users() (Policy, error) {
	if err := t.check(); err != nil {
		return Policy{}, err
	}
	p := Policy{ID: t.Owner, Version: PolicyVersion, Statement: []Statement{t.ownBucket(), t.forgedNames(), t.hostileNames(), noAccessKeys()}}
	p.Statement = append(p.Statement, t.guard()...)
	if size := len(p.JSON()); size > MaxPolicy {
		return Policy{}, fmt.Errorf("the policy that checks names of up to %d characters has %d bytes, and MinIO takes %d; lower the longest name", t.LongestName, size, MaxPolicy)
	}
	return p, nil
}

func (t Tenancy) check() error {
	_, refused := t.Usable()
	if t.LongestName < 0 {
		refused = append(refused, fmt.Errorf("longest name %d is negative", t.LongestName))
	}
	return errors.Join(checkPrefixes(t.UserPrefix, t.GroupPrefix), checkClaim(t.UsernameClaim), errors.Join(refused...))
}

// noAccessKeys keeps users from making access keys of their own in MinIO. Those outlive token and membership.
func noAccessKeys() Statement {
	return Statement{Sid: "NoLastingAccessKeys", Effect: Deny, Action: List{"admin:CreateServiceAccount"}}
}

const arn = "arn:aws:s3:::"

func bucketAndObjects(bucket string) List { return List{arn + bucket, arn + bucket + "/*"} }

// variable is how a policy names the claim to be put in.
func (t Tenancy) variable() string { return "${jwt:" + t.UsernameClaim + "}" }

func (t Tenancy) ownBucket() Statement {
	return Statement{Sid: "OwnBucket", Effect: Allow, Action: List{"s3:*"}, Resource: bucketAndObjects(t.UserPrefix + t.variable())}
}
