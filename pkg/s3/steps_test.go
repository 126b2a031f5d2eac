package s3

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// plan observes and plans.
func plan[S any](t *testing.T, r engine.Resource[S]) (S, engine.Change) {
	t.Helper()
	seen, err := r.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return seen, r.Plan(seen)
}

// converge applies what is planned and checks that nothing is left to do.
func converge[S any](t *testing.T, r engine.Resource[S], want engine.Action) engine.Change {
	t.Helper()
	seen, change := plan(t, r)
	if change.Action != want {
		t.Fatalf("planned %+v, want %s", change, want)
	}
	if err := r.Apply(t.Context(), seen); err != nil {
		t.Fatal(err)
	}
	if _, again := plan(t, r); again.Action != engine.Unchanged || len(again.Fields) != 0 {
		t.Fatalf("after apply the plan is %+v", again)
	}
	return change
}

func TestCannedPolicyStep(t *testing.T) {
	t.Parallel()
	server := startMinIO(t, newIssuer(t))
	for name, tenancy := range map[string]Tenancy{
		"users only": guide(), "groups": guide("group2", "group1"), "guard": {
			UserPrefix: "u-", GroupPrefix: "g-", UsernameClaim: "sub", Groups: []string{"a"}, LongestName: 20,
		},
	} {
		want, err := tenancy.users()
		if err != nil {
			t.Fatal(err)
		}
		step := CannedPolicy{Admin: server.admin(), Name: "stsonly", Want: want}
		step.Want.ID = "kubectl-onyxia onyxia.demo.test"
		converge(t, step, engine.Create)
		t.Log(name, "written and read back the same")
		if seen, _ := plan(t, step); seen.Policy.ID != step.Want.ID {
			t.Errorf("%s: MinIO has not kept the ID: %q", name, seen.Policy.ID)
		}

		// A statement added, one taken away: both are shown and mended.
		byHand := want
		byHand.Statement = append([]Statement{{Effect: Allow, Action: List{"s3:GetObject"}, Resource: List{"arn:aws:s3:::public/*"}}}, want.Statement[1:]...)
		if err := server.admin().PutPolicy(t.Context(), "stsonly", byHand); err != nil {
			t.Fatal(err)
		}
		change := converge(t, step, engine.Configure)
		text := fmt.Sprint(change.Fields)
		if len(change.Fields) != 2 || !strings.Contains(text, "Statement[Allow arn:aws:s3:::public/*]") || !strings.Contains(text, tenancy.variable()) {
			t.Errorf("%s: fields %v", name, change.Fields)
		}

		for range 2 {
			if err := step.Remove(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestCannedPolicyPlan(t *testing.T) {
	want, err := guide().users()
	if err != nil {
		t.Fatal(err)
	}
	step := CannedPolicy{Name: "stsonly", Want: want}
	old := want
	old.Version = "2008-10-17"
	for name, tc := range map[string]struct {
		seen PolicySeen
		want engine.Change
	}{
		"not there":  {PolicySeen{}, engine.Change{Action: engine.Create, Why: `MinIO has no policy "stsonly"`}},
		"the same":   {PolicySeen{Exists: true, Policy: want}, engine.Change{Action: engine.Unchanged}},
		"unreadable": {PolicySeen{Exists: true, Unreadable: "why"}, engine.Change{Action: engine.Configure, Why: "why"}},
		"version":    {PolicySeen{Exists: true, Policy: old}, engine.Change{Action: engine.Configure, Fields: []engine.Field{{Path: "Version", From: "2008-10-17", To: PolicyVersion}}}},
	} {
		if got := step.Plan(tc.seen); fmt.Sprint(got) != fmt.Sprint(tc.want) {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
	if PolicyID("stsonly") != "policy.s3/stsonly" || BucketID("b") != "bucket.s3/b" {
		t.Error("step IDs changed")
	}
}

// In a MinIO that others run, what they have written under a name of ours is neither written over nor removed.
func TestPolicyOfOthers(t *testing.T) {
	want, err := guide().users()
	if err != nil {
		t.Fatal(err)
	}
	want.ID = "kubectl-onyxia onyxia.demo.test"
	old := want
	old.Statement = old.Statement[:1]
	theirs, unmarked := old, want
	theirs.ID, unmarked.ID = "kubectl-onyxia onyxia.other.test", ""
	for name, tc := range map[string]struct {
		seen   PolicySeen
		action engine.Action
		theirs bool
	}{
		"not there":          {PolicySeen{}, engine.Create, false},
		"ours, of before":    {PolicySeen{Exists: true, Policy: old}, engine.Configure, false},
		"ours":               {PolicySeen{Exists: true, Policy: want}, engine.Unchanged, false},
		"another datalab's":  {PolicySeen{Exists: true, Policy: theirs}, engine.Blocked, true},
		"the same by chance": {PolicySeen{Exists: true, Policy: unmarked}, engine.Unchanged, true},
		"unreadable":         {PolicySeen{Exists: true, Unreadable: "why"}, engine.Blocked, true},
	} {
		step := CannedPolicy{Name: "stsonly", Want: want, Shared: true}
		if got := step.Plan(tc.seen); got.Action != tc.action || (got.Fix != "") != (tc.action == engine.Blocked) {
			t.Errorf("%s: %+v", name, got)
		}
		if got := step.theirs(tc.seen); got != tc.theirs {
			t.Errorf("%s: theirs: %v", name, got)
		}
		step.Shared = false
		if got := step.Plan(tc.seen).Action; got == engine.Blocked {
			t.Errorf("%s, in a MinIO of ours: %s", name, got)
		}
	}
	if !Owns(want.JSON(), want.ID) || Owns(unmarked.JSON(), want.ID) || Owns(unmarked.JSON(), "") || Owns([]byte("{"), want.ID) {
		t.Error("whose a document is")
	}
}

func TestBucketSteps(t *testing.T) {
	t.Parallel()
	server := startMinIO(t, newIssuer(t))
	const bucket = "projet-group1"
	quota := Quota{Admin: server.admin(), Bucket: bucket, Bytes: 64 << 10}
	versioning := Versioning{Client: server.client(), Bucket: bucket, Enabled: true}
	lifecycle := Lifecycle{Client: server.client(), Bucket: bucket, VersionDays: 30}

	for name, observe := range map[string]func(context.Context) error{
		"quota":      func(ctx context.Context) error { _, err := quota.Observe(ctx); return err },
		"versioning": func(ctx context.Context) error { _, err := versioning.Observe(ctx); return err },
		"lifecycle":  func(ctx context.Context) error { _, err := lifecycle.Observe(ctx); return err },
	} {
		var notYet *engine.NotYetError
		if err := observe(t.Context()); !errors.As(err, &notYet) || notYet.After != BucketID(bucket) {
			t.Errorf("%s of a bucket that is not there: %v", name, err)
		}
	}

	converge(t, Bucket{Client: server.client(), Name: bucket}, engine.Create)
	converge(t, quota, engine.Configure)
	// MinIO answers before it reads, and cuts the connection of who has more than 256 KiB left to send (net/http).
	if err := server.client().Put(t.Context(), bucket, "big", make([]byte, 128<<10)); err == nil || !strings.Contains(err.Error(), "raise s3.quota") {
		t.Errorf("beyond the quota: %v", err)
	}
	converge(t, Quota{Admin: server.admin(), Bucket: bucket}, engine.Configure)
	converge(t, versioning, engine.Configure)
	converge(t, Versioning{Client: server.client(), Bucket: bucket}, engine.Configure)

	if err := server.client().Put(t.Context(), bucket, "x", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := (Bucket{Client: server.client(), Name: bucket}).Remove(t.Context()); err == nil || !strings.Contains(err.Error(), "empty it first") {
		t.Errorf("removing a bucket with objects: %v", err)
	}
	if err := server.client().Empty(t.Context(), bucket, ""); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := (Bucket{Client: server.client(), Name: bucket}).Remove(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// In a MinIO that others run, a bucket that was there before is not given to a group's members; what we made is known by its tag,
// and what Onyxia's page or a former version made by the group's policy.
func TestBucketOfOthers(t *testing.T) {
	t.Parallel()
	server := startMinIO(t, newIssuer(t))
	const bucket, owner = "projet-group1", "kubectl-onyxia onyxia.demo.test"
	step := Bucket{Client: server.client(), Name: bucket, Owner: owner}
	converge(t, step, engine.Create)
	if kept := step.RefuseRemoval(t.Context()); kept != "" {
		t.Errorf("ours is kept: %s", kept)
	}
	other := step
	other.Owner = "kubectl-onyxia onyxia.other.test"
	_, change := plan(t, other)
	if change.Action != engine.Blocked || !strings.Contains(change.Why, `bucket "projet-group1" of this MinIO was there before`) || !strings.Contains(change.Fix, `mc tag set ALIAS/projet-group1 "owner=kubectl-onyxia onyxia.other.test"`) {
		t.Errorf("somebody else's: %+v", change)
	}
	if kept := other.RefuseRemoval(t.Context()); !strings.Contains(kept, "was not made by this datalab") {
		t.Errorf("somebody else's may be removed: %q", kept)
	}

	// Without a tag: nobody's, until the policy of the group is ours. Other tags stay.
	if err := server.client().setBucketTags(t.Context(), bucket, map[string]string{"team": "a + b"}); err != nil {
		t.Fatal(err)
	}
	if _, change := plan(t, step); change.Action != engine.Blocked {
		t.Errorf("without tag and policy: %+v", change)
	}
	policy := Policy{ID: owner, Version: PolicyVersion, Statement: []Statement{{Effect: Allow, Action: List{"s3:*"}, Resource: bucketAndObjects(bucket)}}}
	if err := server.admin().PutPolicy(t.Context(), bucket, policy); err != nil {
		t.Fatal(err)
	}
	converge(t, step, engine.Configure)
	if err := server.admin().RemovePolicy(t.Context(), bucket); err != nil {
		t.Fatal(err)
	}
	seen, change := plan(t, step)
	if change.Action != engine.Unchanged || len(seen.Tags) != 2 || seen.Tags["team"] != "a + b" {
		t.Errorf("%+v %+v", seen, change)
	}
	if err := step.Apply(t.Context(), BucketSeen{}); err == nil || !strings.Contains(err.Error(), "made by somebody else a moment ago") {
		t.Errorf("made meanwhile: %v", err)
	}
	// A MinIO of ours asks for nothing.
	alone := Bucket{Client: server.client(), Name: bucket}
	if seen, change := plan(t, alone); change.Action != engine.Unchanged || seen.Tags != nil || alone.RefuseRemoval(t.Context()) != "" {
		t.Errorf("ours alone: %+v %+v", seen, change)
	}
}

// A rule of somebody else stays as it is, whatever we do with ours.
func TestLifecycleStep(t *testing.T) {
	t.Parallel()
	server := startMinIO(t, newIssuer(t))
	const bucket = "projet-group1"
	server.fill(t, bucket, "x")
	c := server.client()
	const foreign = `<LifecycleConfiguration><Rule><ID>theirs</ID><Status>Enabled</Status><Filter><Prefix>tmp/</Prefix></Filter><Expiration><Days>3</Days></Expiration></Rule></LifecycleConfiguration>`
	if err := c.configure(t.Context(), "set lifecycle of", bucket, "lifecycle", []byte(foreign)); err != nil {
		t.Fatal(err)
	}
	theirs := func() string {
		rules, err := c.lifecycle(t.Context(), bucket)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rules {
			if r.ID == "theirs" {
				return r.Inner
			}
		}
		return ""
	}
	before := theirs()
	converge(t, Lifecycle{Client: c, Bucket: bucket, VersionDays: 30}, engine.Configure)
	change := converge(t, Lifecycle{Client: c, Bucket: bucket, VersionDays: 7}, engine.Configure)
	if len(change.Fields) != 1 || !strings.Contains(change.Fields[0].From, "old versions after 30 days") || !strings.Contains(change.Fields[0].To, "old versions after 7 days") {
		t.Errorf("fields %+v", change.Fields)
	}
	if before == "" || theirs() != before {
		t.Errorf("their rule was %q and is %q", before, theirs())
	}
	converge(t, Lifecycle{Client: c, Bucket: bucket}, engine.Configure)
	if theirs() != before {
		t.Errorf("after ours is gone their rule is %q", theirs())
	}
	if err := c.configure(t.Context(), "set lifecycle of", bucket, "lifecycle", lifecycleDocument([]string{Lifecycle{VersionDays: 1}.rule()})); err != nil {
		t.Fatal(err)
	}
	converge(t, Lifecycle{Client: c, Bucket: bucket}, engine.Configure)
	if rules, err := c.lifecycle(t.Context(), bucket); err != nil || len(rules) != 0 {
		t.Errorf("nothing should be left: %v %v", rules, err)
	}
}

func TestLifecyclePlan(t *testing.T) {
	l := Lifecycle{VersionDays: 7}
	for text, same := range map[string]bool{
		l.rule(): true,
		// A server may give the filter back in its own way.
		"<NoncurrentVersionExpiration><NoncurrentDays>7</NoncurrentDays></NoncurrentVersionExpiration><Filter/><Status>Enabled</Status>":                                        true,
		"<NoncurrentVersionExpiration><NoncurrentDays>8</NoncurrentDays></NoncurrentVersionExpiration><Filter/><Status>Enabled</Status>":                                        false,
		"<NoncurrentVersionExpiration><NoncurrentDays>7</NoncurrentDays></NoncurrentVersionExpiration><Filter/><Status>Disabled</Status>":                                       false,
		"<NoncurrentVersionExpiration><NoncurrentDays>7</NoncurrentDays></NoncurrentVersionExpiration><Prefix>a</Prefix><Status>Enabled</Status>":                               false,
		"<NoncurrentVersionExpiration><NoncurrentDays>7</NoncurrentDays></NoncurrentVersionExpiration><Filter/><Status>Enabled</Status><Expiration><Days>1</Days></Expiration>": false,
		"<Unclosed>": false,
		"":           false,
	} {
		if got := l.Plan(LifecycleSeen{Ours: text}).Action == engine.Unchanged; got != same {
			t.Errorf("unchanged is %v for %s", got, text)
		}
	}
	if got := (Lifecycle{}).Plan(LifecycleSeen{}).Action; got != engine.Unchanged {
		t.Errorf("no rule, and none wanted: %s", got)
	}
}
