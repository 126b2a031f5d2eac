package s3

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/stagetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// login gives a user's credentials, by a token like that of Onyxia's web.
func (w *whole) login(t *testing.T, name, password string) *s3.Client {
	t.Helper()
	s := w.site(t)
	made := &proofUsers{site: s, realm: s.env.Keycloak.Realm}
	token, err := made.token(t.Context(), name, password)
	if err != nil {
		t.Fatal(err)
	}
	credentials, err := w.root(t).AssumeRoleWithWebIdentity(t.Context(), s3.WebIdentity{Token: token})
	if err != nil {
		t.Fatal(err)
	}
	if err := made.clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w.root(t).As(credentials)
}

func (w *whole) user(t *testing.T, name string, groups ...string) (password string) {
	t.Helper()
	password, err := w.site(t).env.Keycloak.Realm.AddProofUser(t.Context(), name, "demo.test", groups...)
	if err != nil {
		t.Fatal(err)
	}
	return password
}

// opens checks which buckets somebody may write to.
func opens(t *testing.T, who string, c *s3.Client, bucket string, want bool) {
	t.Helper()
	_, err := c.CreateBucket(t.Context(), bucket)
	if err == nil {
		err = c.Put(t.Context(), bucket, "file", []byte(who))
	}
	switch {
	case want && err != nil:
		t.Errorf("%s at %s: %v", who, bucket, err)
	case !want && !s3.Denied(err):
		t.Errorf("%s at %s is not refused: %v", who, bucket, err)
	}
}

func (w *whole) people(t *testing.T) {
	ana, bob := w.user(t, "ana", "group1"), w.user(t, "bob", "parent/child")
	for _, tc := range []struct {
		who, password string
		open, closed  []string
	}{
		{"ana", ana, []string{"user-ana", "projet-group1"}, []string{"user-bob", "projet-child", "projet-parent"}},
		{"bob", bob, []string{"user-bob", "projet-child"}, []string{"user-ana", "projet-group1"}},
	} {
		c := w.login(t, tc.who, tc.password)
		for _, bucket := range tc.open {
			opens(t, tc.who, c, bucket, true)
		}
		for _, bucket := range tc.closed {
			opens(t, tc.who, c, bucket, false)
		}
	}
	if err := w.site(t).env.Keycloak.Realm.SetGroups(t.Context(), "ana", nil); err != nil {
		t.Fatal(err)
	}
	opens(t, "ana, no member any more", w.login(t, "ana", ana), "projet-group1", false)
}

func (w *whole) byHand(t *testing.T) {
	realm := w.site(t).env.Keycloak.Realm
	for _, path := range []string{"late", "UPPER"} {
		if _, err := realm.AddGroup(t.Context(), path); err != nil {
			t.Fatal(err)
		}
	}
	password := w.user(t, "carol", "late")
	opens(t, "carol, too early", w.login(t, "carol", password), "projet-late", false)
	if done, err := apply(t.Context(), t, w.run(t, Options{})); err != nil || len(done) != 1 || done[groupsID] != engine.Configure {
		t.Fatalf("%v, %v", done, err)
	}
	opens(t, "carol", w.login(t, "carol", password), "projet-late", true)
	w.second(t)

	// The group goes, and with it what it opened.
	w.deleteGroup(t, "late")
	if done, err := apply(t.Context(), t, w.run(t, Options{})); err != nil || len(done) != 1 || done[groupsID] != engine.Configure {
		t.Fatalf("%v, %v", done, err)
	}
	policies, err := (&s3.Admin{Client: w.root(t)}).Policies(t.Context())
	if _, left := policies["projet-late"]; left || err != nil {
		t.Errorf("the policy of a group that is gone is left: %v", err)
	}
	w.second(t)
}

func (w *whole) deleteGroup(t *testing.T, name string) {
	t.Helper()
	steps := []engine.Step{w.site(t).env.Keycloak.Realm.OwnGroupStep(name)}
	removal := engine.Run{Steps: stagetest.Complete(steps)}
	plan, err := removal.PlanRemoval(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := removal.Remove(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
}

// dropped: a group that the configuration names no longer keeps what it has, and that is said, until it is gone from the
// realm. Its files stay in any case.
func (w *whole) dropped(t *testing.T) {
	password := w.user(t, "dora", "group1")
	before := w.env.Platform.Auth.Groups
	w.env.Platform.Auth.Groups = []string{"parent/child"}
	w.second(t)
	if want := "group group1 is not in auth.groups any more and still in the realm, so its members keep the bucket projet-group1"; !strings.Contains(w.transcript(), want) {
		t.Errorf("not said: %s\n%s", want, w.transcript())
	}
	opens(t, "dora", w.login(t, "dora", password), "projet-group1", true)

	w.deleteGroup(t, "group1")
	if done, err := apply(t.Context(), t, w.run(t, Options{})); err != nil || len(done) != 1 || done[groupsID] != engine.Configure {
		t.Fatalf("%v, %v", done, err)
	}
	opens(t, "dora, whose group is gone", w.login(t, "dora", password), "projet-group1", false)
	if !slices.Contains(w.buckets(t), "projet-group1") {
		t.Error("the files of the group are gone")
	}

	w.env.Platform.Auth.Groups = before
	done, err := apply(t.Context(), t, w.run(t, Options{}))
	if err != nil || done["policy.s3/projet-group1"] != engine.Create || done["rolemapping.keycloak/group1.minio.projet-group1"] != engine.Create || done["bucket.s3/projet-group1"] != "" {
		t.Fatalf("put back: %v, %v", done, err)
	}
	if err := w.site(t).env.Keycloak.Realm.SetGroups(t.Context(), "dora", []string{"group1"}); err != nil {
		t.Fatal(err)
	}
	opens(t, "dora, back", w.login(t, "dora", password), "projet-group1", true)
	w.second(t)
}

func (w *whole) changed(t *testing.T) {
	admin := &s3.Admin{Client: w.root(t)}
	if err := admin.RemovePolicy(t.Context(), platform.S3Policy); err != nil {
		t.Fatal(err)
	}
	wide := s3.Policy{Version: s3.PolicyVersion, Statement: []s3.Statement{{Effect: s3.Allow, Action: s3.List{"s3:*"}, Resource: s3.List{"arn:aws:s3:::*"}}}}
	if err := admin.PutPolicy(t.Context(), "projet-group1", wide); err != nil {
		t.Fatal(err)
	}
	if err := w.site(t).roles.Remove(t.Context(), "projet-child"); err != nil {
		t.Fatal(err)
	}
	done, err := apply(t.Context(), t, w.run(t, Options{Prove: true}))
	if err != nil {
		t.Fatal(err)
	}
	for id, action := range map[engine.ID]engine.Action{
		"policy.s3/stsonly": engine.Create, "policy.s3/projet-group1": engine.Configure, "role.keycloak/minio.projet-child": engine.Create,
		"rolemapping.keycloak/parent/child.minio.projet-child": engine.Create, stage.S3ReadyID: engine.Configure,
	} {
		if done[id] != action {
			t.Errorf("%s: %q", id, done[id])
		}
	}
	w.second(t)
}

func (w *whole) settings(t *testing.T) {
	before := w.env.Platform.S3
	defer func() { w.env.Platform.S3 = before }()
	yes, days := true, 30
	w.env.Platform.S3.Quota, w.env.Platform.S3.Versioning, w.env.Platform.S3.VersionDays = "1Gi", &yes, &days
	if done, err := apply(t.Context(), t, w.run(t, Options{})); err != nil || len(done) != 1 || done[bucketsID] != engine.Configure {
		t.Fatalf("%v, %v", done, err)
	}
	w.second(t)
	quota, err := (&s3.Admin{Client: w.root(t)}).Quota(t.Context(), "user-ana")
	if err != nil || quota != 1<<30 {
		t.Errorf("quota %d %v", quota, err)
	}
	no, never := false, 0
	w.env.Platform.S3.Quota, w.env.Platform.S3.Versioning, w.env.Platform.S3.VersionDays = "0", &no, &never
	if done, err := apply(t.Context(), t, w.run(t, Options{})); err != nil || len(done) != 1 {
		t.Fatalf("%v, %v", done, err)
	}
	w.second(t)
	if state, err := (s3.Versioning{Client: w.root(t), Bucket: "user-ana"}).Observe(t.Context()); err != nil || state != "Suspended" {
		t.Errorf("versioning %s, %v", state, err)
	}
}
