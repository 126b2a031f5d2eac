package s3

import (
	"strings"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

func guide(groups ...string) Tenancy {
	return Tenancy{UserPrefix: "user-", GroupPrefix: "projet-", UsernameClaim: "preferred_username", Groups: groups}
}

func TestFor(t *testing.T) {
	var p platform.Platform
	p.Prefixes = platform.Prefixes{User: "u-", Group: "g-"}
	p.Auth.UsernameClaim = "sub"
	got := For(p, []string{"a"})
	if got.UserPrefix != "u-" || got.GroupPrefix != "g-" || got.UsernameClaim != "sub" || len(got.Groups) != 1 {
		t.Fatalf("For = %+v", got)
	}
}

func TestPolicies(t *testing.T) {
	policies, err := guide("b", "a", "a").Policies()
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		name       string
		statements []string
	}{
		{platform.S3Policy, []string{
			// Seen to work in the whole datalab.
			`{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::user-${jwt:preferred_username}","arn:aws:s3:::user-${jwt:preferred_username}/*"]}`,
			`{"Effect":"Deny","Action":["admin:CreateServiceAccount"]}`,
			`{"Effect":"Deny","Action":["s3:*"],"Resource":["arn:aws:s3:::*"],"Condition":{"ForAllValues:StringNotEquals":{"jwt:preferred_username":["${jwt:preferred_username}"]}}}`,
			`{"Effect":"Deny","Action":["s3:*"],"Resource":["arn:aws:s3:::*"],"Condition":{"StringLike":{"jwt:preferred_username":["${jwt:preferred_username}?*","*/*","?*${jwt:preferred_username}"]}}}`,
		}},
		{"projet-a", []string{`{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::projet-a","arn:aws:s3:::projet-a/*"]}`}},
		{"projet-b", []string{`{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::projet-b","arn:aws:s3:::projet-b/*"]}`}},
	}
	if len(policies) != len(want) {
		t.Fatalf("%d policies: %v", len(policies), policies)
	}
	for i, w := range want {
		if got := policies[i].Policy.Canonical(); policies[i].Name != w.name || got != PolicyVersion+"\n"+strings.Join(w.statements, "\n") {
			t.Errorf("policy %s:\n%s\nwant %s:\n%s", policies[i].Name, got, w.name, strings.Join(w.statements, "\n"))
		}
	}
}

// No policy may rest on a condition that opens something: MinIO lets a request forge what conditions see.
func TestNothingIsAllowedByACondition(t *testing.T) {
	tenancy := guide("group1", "group2")
	tenancy.LongestName = 12
	policies, err := tenancy.Policies()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range policies {
		for _, s := range p.Policy.Statement {
			if s.Effect == Allow && len(s.Condition) > 0 {
				t.Errorf("policy %s: %s", p.Name, s.Canonical())
			}
		}
	}
}

// Names that would change what the policy means, or that no bucket can have, are refused in words.
func TestHostileGroupNames(t *testing.T) {
	for name, want := range map[string]string{
		"*": "wildcard", "?": "wildcard", "a*": "wildcard", "${aws:username}": "'$'", "${jwt:groups}": "'$'", "../x": "slash", "a/b": "slash",
		"/group1": "full group path", "UP": "upper case", "a b": "a space", "é": "'é'", `"`: `'"'`, `a"],"Effect":"Allow`: `'"'`,
		strings.Repeat("x", 64): "characters", "": "without a name", "a_b": "'_'", "-": "begin and end", "a\n": "'\\n'",
	} {
		t.Run(name, func(t *testing.T) {
			policies, err := guide("group1", name).Policies()
			if err == nil {
				t.Fatalf("group %q rendered: %v", name, policies)
			}
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %q, want %q in it", err, want)
			}
			usable, refused := guide("group1", name).Usable()
			if len(refused) != 1 || len(usable.Groups) != 1 || usable.Groups[0] != "group1" {
				t.Errorf("Usable keeps %q and refuses %v", usable.Groups, refused)
			}
			if _, err := usable.Policies(); err != nil {
				t.Errorf("what Usable leaves is not usable: %v", err)
			}
		})
	}
}

func TestHostileUsernames(t *testing.T) {
	for _, name := range []string{"*", "a*", "?", "${aws:username}", "../x", "a/b", "UP", "a b", "é", `"`, strings.Repeat("x", 59), ""} {
		if bucket, err := guide().UserBucket(name); err == nil {
			t.Errorf("UserBucket(%q) = %q, want an error", name, bucket)
		}
	}
	// 63 - len("user-"): platform.MaxUsername.
	if bucket, err := guide().UserBucket(strings.Repeat("x", 58)); err != nil || len(bucket) != 63 {
		t.Errorf("the longest username: %q, %v", bucket, err)
	}
}

func TestPolicySettingsThatMakeNoSense(t *testing.T) {
	for want, change := range map[string]func(*Tenancy){
		"begin alike":           func(t *Tenancy) { t.GroupPrefix = "user-group-" },
		"know no claim \"uid\"": func(t *Tenancy) { t.UsernameClaim = "uid" },
		"is negative":           func(t *Tenancy) { t.LongestName = -1 },
		"and MinIO takes 20480": func(t *Tenancy) { t.LongestName = 58 },
	} {
		tenancy := guide("group1")
		change(&tenancy)
		if _, err := tenancy.Policies(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}

// Names up to this length fit into the limit of MinIO together with the guard.
func TestLongestNameThatFits(t *testing.T) {
	tenancy := guide()
	for tenancy.LongestName = 1; ; tenancy.LongestName++ {
		if _, err := tenancy.Policies(); err != nil {
			break
		}
	}
	if tenancy.LongestName != 31 {
		t.Errorf("%d is the first that does not fit; the documentation of LongestName says 30 does", tenancy.LongestName)
	}
}

// FuzzPolicy: whatever the names, a policy that comes out opens the user's bucket and those of the groups as they are
// spelled, and not one more.
func FuzzPolicy(f *testing.F) {
	f.Add("user-", "projet-", "preferred_username", "group1", 0)
	f.Add("user-", "projet-", "sub", "*", 12)
	f.Add("*", "?", "${jwt:sub}", "${aws:username}", 1)
	f.Add("a", "b", "sub", `","x`, -1)
	f.Fuzz(func(t *testing.T, user, group, claim, name string, longest int) {
		if longest > 40 {
			return
		}
		tenancy := Tenancy{UserPrefix: user, GroupPrefix: group, UsernameClaim: claim, Groups: []string{name}, LongestName: longest}
		policies, err := tenancy.Policies()
		if err != nil {
			return
		}
		if len(policies) != 2 || policies[1].Name != group+name {
			t.Fatalf("policies %v", policies)
		}
		for _, p := range policies {
			again := parse(t, string(p.Policy.JSON()))
			if again.Canonical() != p.Policy.Canonical() {
				t.Fatalf("does not read back: %s", p.Policy.JSON())
			}
			checkAllowed(t, tenancy, p.Policy)
		}
	})
}

func checkAllowed(t *testing.T, tenancy Tenancy, policy Policy) {
	t.Helper()
	allowed := 0
	for _, s := range policy.Statement {
		if s.Effect != Allow {
			continue
		}
		allowed++
		for _, resource := range s.Resource {
			checkResource(t, tenancy, strings.TrimPrefix(resource, arn))
		}
	}
	if allowed != 1 {
		t.Fatalf("%d statements allow something: %s", allowed, policy.JSON())
	}
}

func checkResource(t *testing.T, tenancy Tenancy, resource string) {
	t.Helper()
	bucket := strings.TrimSuffix(resource, "/*")
	if bucket == tenancy.UserPrefix+tenancy.variable() {
		return
	}
	if bucket != tenancy.GroupPrefix+tenancy.Groups[0] || strings.ContainsAny(bucket, "*?$/") || CheckBucket(bucket) != nil {
		t.Fatalf("resource %q for %+v", resource, tenancy)
	}
}
