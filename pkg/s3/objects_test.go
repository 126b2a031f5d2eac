package s3

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestObjects(t *testing.T) {
	t.Parallel()
	server := startMinIO(t, newIssuer(t))
	c := server.client()
	for i, want := range []bool{true, false} {
		if created, err := c.CreateBucket(t.Context(), "user-alice"); err != nil || created != want {
			t.Fatalf("making the bucket, time %d: %v %v", i, created, err)
		}
	}
	for name, want := range map[string]bool{"user-alice": true, "user-bob": false} {
		if has, err := c.HasBucket(t.Context(), name); err != nil || has != want {
			t.Errorf("HasBucket(%s) = %v, %v", name, has, err)
		}
	}
	if _, err := c.CreateBucket(t.Context(), "User_Alice"); err == nil || !strings.Contains(err.Error(), "lower case letters") {
		t.Errorf("a name that S3 refuses: %v", err)
	}
	// Keys that a signature easily gets wrong.
	keys := []string{"plain.txt", "a b+c&d=e?f%g#h", "été/日本.txt", "~tilde(x)'!*", "percent%20", "colon:semi;comma,at@dollar$"}
	for _, key := range keys {
		if err := c.Put(t.Context(), "user-alice", key, []byte(key)); err != nil {
			t.Errorf("put %q: %v", key, err)
			continue
		}
		content, err := c.Get(t.Context(), "user-alice", key)
		if err != nil || string(content) != key {
			t.Errorf("get %q: %q %v", key, content, err)
		}
	}
	listed, err := c.List(t.Context(), "user-alice", "")
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, o := range listed {
		seen = append(seen, o.Key)
	}
	slices.Sort(keys)
	slices.Sort(seen)
	if !slices.Equal(seen, keys) {
		t.Errorf("listed %q, want %q", seen, keys)
	}
	for range 2 {
		if err := c.Delete(t.Context(), "user-alice", "plain.txt", ""); err != nil {
			t.Error(err)
		}
	}
	if _, err := c.Get(t.Context(), "user-alice", "plain.txt"); !IsCode(err, "NoSuchKey") || Denied(err) {
		t.Errorf("a deleted object: %v", err)
	}
}

func TestRegion(t *testing.T) {
	t.Parallel()
	server := startMinIO(t, newIssuer(t), "MINIO_SITE_REGION=eu-west-3")
	there, elsewhere := server.client(), server.client()
	there.Region = "eu-west-3"
	if created, err := there.CreateBucket(t.Context(), "user-alice"); err != nil || !created {
		t.Errorf("in the server's region: %v %v", created, err)
	}
	if err := elsewhere.Put(t.Context(), "user-alice", "x", nil); err == nil || !strings.Contains(err.Error(), "eu-west-3") || !strings.Contains(err.Error(), "s3.region") {
		t.Errorf("in another region: %v", err)
	}
	if health, err := server.admin().Health(t.Context()); err != nil || !health.Ready {
		t.Errorf("the admin API, which has no region: %+v %v", health, err)
	}
}

// More versions than one listing holds.
func TestEmptyManyVersions(t *testing.T) {
	t.Parallel()
	server := startMinIO(t, newIssuer(t))
	c := server.client()
	server.fill(t, "user-alice", "keep/x")
	converge(t, Versioning{Client: c, Bucket: "user-alice", Enabled: true}, "configure")
	for i := range 1050 {
		if err := c.Put(t.Context(), "user-alice", fmt.Sprintf("go/%d", i%3), []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Delete(t.Context(), "user-alice", "go/0", ""); err != nil {
		t.Fatal(err)
	}
	if err := c.Empty(t.Context(), "user-alice", "go/"); err != nil {
		t.Fatal(err)
	}
	left, err := c.Versions(t.Context(), "user-alice", "")
	if err != nil || len(left) != 1 || left[0].Key != "keep/x" {
		t.Errorf("left %v %v", left, err)
	}
}

func TestAdminPolicies(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	server := startMinIO(t, i)
	admin := server.admin()
	server.put(t, guide("group1"))
	policies, err := admin.Policies(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"stsonly", "projet-group1", "consoleAdmin"} {
		if _, there := policies[name]; !there {
			t.Errorf("no policy %s among %d", name, len(policies))
		}
	}
	if document, err := admin.PolicyDocument(t.Context(), "other"); err != nil || document != nil {
		t.Errorf("a policy that is not there: %s %v", document, err)
	}
	large := Policy{Version: PolicyVersion, Statement: []Statement{{Effect: Allow, Action: List{"s3:*"}, Resource: List{arn + strings.Repeat("x", MaxPolicy)}}}}
	if err := admin.PutPolicy(t.Context(), "large", large); err == nil || !strings.Contains(err.Error(), "20480 bytes") {
		t.Errorf("too large: %v", err)
	}
	// A user's credentials are no administrator's.
	c := server.login(t, i.token(t, "alice", nil, nil))
	if _, err := (&Admin{Client: c}).Policies(t.Context()); !Denied(err) {
		t.Errorf("policies listed by a user: %v", err)
	}
	for range 2 {
		if err := admin.RemovePolicy(t.Context(), "stsonly"); err != nil {
			t.Error(err)
		}
	}
}
