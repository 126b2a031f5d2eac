package s3

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak/keycloaktest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3/minio"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/auth"
)

// run is what a command makes of the stages auth and s3.
func (l *lab) run(t *testing.T, o Options) engine.Run {
	t.Helper()
	// Each command reads anew.
	l.env.Links, l.env.Keycloak = stage.NewLinks(), stage.NewKeycloak(l.env.Platform, l.env.Kube)
	login, err := auth.Stage().Steps(t.Context(), l.env)
	if err != nil {
		t.Fatal(err)
	}
	list, err := With(o).Steps(t.Context(), l.env)
	if err != nil {
		t.Fatal(err)
	}
	steps := append(engine.Stage("auth", login...), engine.Stage(Name, list...)...)
	steps = append(steps, engine.New(stage.AddressID, address{links: l.env.Links}))
	return engine.Run{Steps: append(steps, others(steps)...)}
}

func (l *lab) site(t *testing.T) *site {
	t.Helper()
	l.env.Keycloak = stage.NewKeycloak(l.env.Platform, l.env.Kube)
	s, err := newSite(l.env, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (l *lab) root(t *testing.T) *s3.Client {
	t.Helper()
	client, err := l.site(t).client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// whole is the stage on a real API server, a real Keycloak and a real MinIO.
type whole struct {
	*lab
	front *front
	minio *minioProcess
	// pod is the one behind the chart's Service.
	pod string
}

func TestWholeStage(t *testing.T) {
	versions := keycloaktest.Versions(t)
	program(t, "minio")
	w := &whole{front: newFront(t, "minio.lab.demo.test")}
	server := keycloaktest.Start(t, versions[len(versions)-1])
	w.lab = newLab(t, func(c *platform.Config) {
		c.Trust.CABundle = w.front.caPEM
		c.Auth.Mode, c.Auth.URL, c.Auth.CredentialsSecret, c.Auth.Theme.URL = "keycloak", server.URL, c.App.Namespace+"/admin", "none"
		c.Auth.Groups = []string{"group1", "parent/child"}
	})
	w.secret(t, "admin", map[string]string{"username": keycloaktest.AdminName, "password": keycloaktest.AdminPassword})
	w.charts(t)
	w.cluster.KeepReady(t)
	w.install(t)

	for _, part := range []struct {
		name string
		test func(*testing.T)
	}{
		{"the second run writes nothing", w.second},
		{"the proof, each time it is asked for", w.proved},
		{"stopped and killed", w.stopped},
		{"users and groups", w.people},
		{"groups made by hand", w.byHand},
		{"changed by hand", w.changed},
		{"quota and versioning", w.settings},
		{"MinIO away, and not public", w.away},
		{"no secret anywhere", w.silent},
		{"the other way to run it", w.layouts},
		{"taken away", w.removed},
		{"a MinIO that others run", w.external},
	} {
		if !t.Run(part.name, part.test) {
			t.Logf("said:\n%s", w.transcript())
		}
	}
}

func (w *whole) secret(t *testing.T, name string, data map[string]string) {
	t.Helper()
	object := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: data}
	if _, err := w.cluster.Clientset().CoreV1().Secrets(w.env.Platform.App.Namespace).Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// install is the first run. The pod comes while it waits.
func (w *whole) install(t *testing.T) {
	run := w.run(t, Options{Say: w.say})
	plan, err := run.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- run.Apply(t.Context(), plan, engine.Options{Timeout: 2 * time.Minute}) }()
	w.serve(t, done)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	text := w.transcript()
	for _, want := range []string{"token for [minio account] exchanged", "wrote, read and listed in s3://user-onyxia-proof-", "refused at s3://user-onyxia-proof-",
		"wrote, read and listed in s3://projet-onyxia-proof-group as a member", "refused at s3://projet-onyxia-proof-group", "forged claims in requests: refused"} {
		if !strings.Contains(text, want) {
			t.Errorf("not said: %q\n%s", want, text)
		}
	}
	w.leavesNothing(t)
	buckets := w.buckets(t)
	if !slices.Equal(buckets, []string{"projet-child", "projet-group1"}) {
		t.Errorf("buckets %v", buckets)
	}
}

// serve does what the node does: once the chart's Service is there, MinIO runs behind it.
func (w *whole) serve(t *testing.T, ended chan error) {
	t.Helper()
	namespace := w.env.Platform.S3.Namespace
	for {
		if _, err := w.cluster.Clientset().CoreV1().Services(namespace).Get(t.Context(), service, metav1.GetOptions{}); err == nil {
			break
		}
		select {
		case err := <-ended:
			t.Fatalf("ended before there was a Service: %v", err)
		case <-time.After(200 * time.Millisecond):
		}
	}
	secret, err := w.cluster.Clientset().CoreV1().Secrets(namespace).Get(t.Context(), minio.RootSecret, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.minio = startMinIO(t, string(secret.Data[minio.RootUserKey]), string(secret.Data[minio.RootPasswordKey]), w.env.Platform.Issuer())
	w.pod = w.cluster.Back(t, namespace, service, port, w.minio.address)
	w.front.forward(t, w.minio.url())
}

func (w *whole) second(t *testing.T) {
	mark := w.cluster.Mark(t)
	if done, err := apply(t.Context(), t, w.run(t, Options{})); err != nil || len(done) != 0 {
		t.Fatalf("%v, %v", done, err)
	}
	if writes := mark.Writes(t); len(writes) != 0 {
		t.Errorf("to the API server: %v", writes)
	}
}

func (w *whole) proved(t *testing.T) {
	mark, before := w.cluster.Mark(t), len(w.transcript())
	done, err := apply(t.Context(), t, w.run(t, Options{Say: w.say, Prove: true}))
	if err != nil || len(done) != 1 || done[stage.S3ReadyID] != engine.Configure {
		t.Fatalf("%v, %v", done, err)
	}
	if !strings.Contains(w.transcript()[before:], "forged claims in requests: refused") {
		t.Error("nothing was said")
	}
	if writes := mark.Writes(t); len(writes) != 0 {
		t.Errorf("to the API server: %v", writes)
	}
	w.leavesNothing(t)
}

// stopped ends a proof at each of its lines, and does what a killed one leaves.
func (w *whole) stopped(t *testing.T) {
	for _, at := range []string{"exchanged for credentials", "wrote, read and listed", "as a member of", "forged claims"} {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := apply(ctx, t, w.run(t, Options{Prove: true, Say: func(line string) {
			if strings.Contains(line, at) {
				cancel()
			}
		}}))
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("stopped at %q: %v", at, err)
		}
		w.leavesNothing(t)
	}
	realm := w.site(t).env.Keycloak.Realm
	left := s3.ProofName()
	for _, name := range []string{left, "onyxia-proof-one"} {
		if _, err := realm.AddProofUser(t.Context(), keycloak.NewUser{Name: name, Email: name + "@demo.test", FirstName: "A", LastName: "B"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := realm.AddProofClient(t.Context(), keycloak.Client{ID: proofClient, DirectGrants: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.root(t).CreateBucket(t.Context(), "user-"+left); err != nil {
		t.Fatal(err)
	}
	if _, err := apply(t.Context(), t, w.run(t, Options{Prove: true})); err != nil {
		t.Fatal(err)
	}
	// The users of other proofs have names that begin alike.
	if _, err := realm.FindUser(t.Context(), "onyxia-proof-one"); err != nil {
		t.Errorf("a user of somebody else's: %v", err)
	}
	if err := realm.DeleteUser(t.Context(), "onyxia-proof-one"); err != nil {
		t.Fatal(err)
	}
	w.leavesNothing(t)
}

func (w *whole) leavesNothing(t *testing.T) {
	t.Helper()
	realm := w.site(t).env.Keycloak.Realm
	users, err := realm.Users(t.Context(), s3.ProofMark)
	if err != nil || len(users) != 0 {
		t.Errorf("users left: %v %v", users, err)
	}
	if _, err := realm.ClientSecret(t.Context(), proofClient); err == nil {
		t.Error("the client is left")
	}
	for _, bucket := range w.buckets(t) {
		if strings.Contains(bucket, s3.ProofMark) {
			t.Errorf("bucket %s is left", bucket)
		}
	}
}

func (w *whole) buckets(t *testing.T) []string {
	t.Helper()
	list, err := w.root(t).Buckets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, b := range list {
		names = append(names, b.Name)
	}
	return names
}

// login gives a user's credentials, by a token like that of Onyxia's web.
func (w *whole) login(t *testing.T, name, password string) *s3.Client {
	t.Helper()
	s := w.site(t)
	made := &witnesses{site: s, realm: s.env.Keycloak.Realm}
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
	password, err := w.site(t).env.Keycloak.Realm.AddProofUser(t.Context(), keycloak.NewUser{Name: name, Email: name + "@demo.test", FirstName: "A", LastName: "B", Groups: groups})
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
		if err := realm.AddGroup(t.Context(), path); err != nil {
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
	r := w.site(t).env.Keycloak.Realm
	steps := []engine.Step{r.OwnGroupStep("late")}
	removal := engine.Run{Steps: append(steps, others(steps)...)}
	plan, err := removal.PlanRemoval(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := removal.Remove(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	if done, err := apply(t.Context(), t, w.run(t, Options{})); err != nil || len(done) != 1 || done[groupsID] != engine.Configure {
		t.Fatalf("%v, %v", done, err)
	}
	policies, err := (&s3.Admin{Client: w.root(t)}).Policies(t.Context())
	if _, left := policies["projet-late"]; left || err != nil {
		t.Errorf("the policy of a group that is gone is left: %v", err)
	}
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
	w.env.Platform.S3.Quota, w.env.Platform.S3.Versioning = "1Gi", true
	if done, err := apply(t.Context(), t, w.run(t, Options{})); err != nil || len(done) != 1 || done[bucketsID] != engine.Configure {
		t.Fatalf("%v, %v", done, err)
	}
	w.second(t)
	quota, err := (&s3.Admin{Client: w.root(t)}).Quota(t.Context(), "user-ana")
	if err != nil || quota != 1<<30 {
		t.Errorf("quota %d %v", quota, err)
	}
	w.env.Platform.S3.Quota = "0"
	if done, err := apply(t.Context(), t, w.run(t, Options{})); err != nil || len(done) != 1 {
		t.Fatalf("%v, %v", done, err)
	}
}

func (w *whole) away(t *testing.T) {
	w.front.answer(http.NotFoundHandler())
	plan, err := w.run(t, Options{}).Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, s := range plan.Steps {
		if s.ID == reachID {
			found = s.Change.Action == engine.Pending && strings.Contains(s.Change.Why, "https://minio.lab.demo.test answers 404 not found: no S3 server is behind it yet")
		}
	}
	if !found {
		t.Errorf("plan %+v", plan)
	}
	w.front.forward(t, w.minio.url())
	w.minio.stop()
	plan, err = w.run(t, Options{}).Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range plan.Steps {
		if s.ID == releaseID && (s.Health == nil || s.Health.Ready || s.Health.Reason == "") {
			t.Errorf("health of a MinIO that has stopped: %+v", s.Health)
		}
	}
	w.minio.run(t)
	if done, err := apply(t.Context(), t, w.run(t, Options{})); err != nil || len(done) > 1 {
		t.Fatalf("started again: %v, %v", done, err)
	}
}

func (w *whole) silent(t *testing.T) {
	places := map[string]string{"output": w.transcript()}
	var values []string
	secrets, err := w.cluster.Clientset().CoreV1().Secrets(w.env.Platform.S3.Namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range secrets.Items {
		if key := map[string]string{minio.RootSecret: minio.RootPasswordKey, minio.ClientSecret: minio.ClientSecretKey}[s.Name]; key != "" {
			values = append(values, string(s.Data[key]))
		}
		if s.Labels["owner"] == "helm" {
			places["release "+s.Name] = string(s.Data["release"])
		}
	}
	maps, err := w.cluster.Clientset().CoreV1().ConfigMaps("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range maps.Items {
		for _, value := range m.Data {
			places["configmap "+m.Name] += value
		}
	}
	plan, err := w.run(t, Options{}).Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range plan.Steps {
		places["plan"] += s.Change.Why + s.Error
	}
	if len(values) != 2 || len(places) < 4 {
		t.Fatalf("%d secrets, %d places", len(values), len(places))
	}
	for place, text := range places {
		for _, value := range values {
			if strings.Contains(text, value) {
				t.Errorf("a secret stands in %s", place)
			}
		}
	}
}

func (w *whole) layouts(t *testing.T) {
	before := w.env.Platform.S3
	defer func() { w.env.Platform.S3 = before }()
	w.env.Platform.S3.Distributed = true
	_, err := apply(t.Context(), t, w.run(t, Options{}))
	if err == nil || !strings.Contains(err.Error(), "whose data is in persistentvolumeclaim/minio-data") {
		t.Errorf("%v", err)
	}
}

func (w *whole) removed(t *testing.T) {
	run := w.run(t, Options{})
	run.Selected = func(s engine.Step) bool { return s.Stage == Name }
	plan, err := run.PlanRemoval(t.Context(), nil)
	if err != nil || plan.Err() != nil {
		t.Fatal(err, plan.Err())
	}
	got := map[engine.ID]engine.Action{}
	for _, s := range plan.Steps {
		got[s.ID] = s.Change.Action
	}
	for id, want := range map[engine.ID]engine.Action{
		releaseID: engine.Delete, claimID: engine.Kept, rootID: engine.Kept, clientID: engine.Delete, "client.keycloak/minio": engine.Delete,
		"client.keycloak/onyxia-minio": engine.Delete, "group.keycloak/onyxia-proof-group": engine.Delete, stage.S3ReadyID: engine.Delete,
		stage.NamespaceID(w.env.Platform.S3.Namespace): engine.Kept, "policy.s3/stsonly": "", "bucket.s3/projet-group1": "", "group.keycloak/group1": "",
	} {
		if got[id] != want {
			t.Errorf("%s: %q, want %q", id, got[id], want)
		}
	}
	// There is no controller here that would end it with its Deployment.
	w.cluster.EndPod(t, w.env.Platform.S3.Namespace, w.pod)
	if err := run.Remove(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
}

// external is the same MinIO, lent: its policies are still there, its clients are made anew.
func (w *whole) external(t *testing.T) {
	secret, err := w.cluster.Clientset().CoreV1().Secrets(w.env.Platform.S3.Namespace).Get(t.Context(), minio.RootSecret, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.secret(t, "theirs", map[string]string{minio.RootUserKey: string(secret.Data[minio.RootUserKey]), minio.RootPasswordKey: string(secret.Data[minio.RootPasswordKey])})
	s := &w.env.Platform.S3
	s.Mode, s.URL, s.CredentialsSecret = "external", w.minio.url(), w.env.Platform.App.Namespace+"/theirs"
	done, err := apply(t.Context(), t, w.run(t, Options{Say: w.say}))
	if err != nil || done[stage.S3ReadyID] != engine.Create || done["client.keycloak/minio"] != engine.Create || done["policy.s3/stsonly"] != "" {
		t.Fatalf("%v, %v", done, err)
	}
	w.second(t)
	run := w.run(t, Options{})
	run.Selected = func(s engine.Step) bool { return s.Stage == Name }
	plan, err := run.PlanRemoval(t.Context(), nil)
	if err != nil || plan.Err() != nil {
		t.Fatal(err, plan.Err())
	}
	if err := run.Remove(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	policies, err := (&s3.Admin{Client: w.root(t)}).Policies(t.Context())
	if _, left := policies[platform.S3Policy]; left || err != nil {
		t.Errorf("a policy of ours is left with others: %v", err)
	}
	if buckets := w.buckets(t); !slices.Contains(buckets, "projet-group1") || !slices.Contains(buckets, "user-ana") {
		t.Errorf("buckets after the removal: %v", buckets)
	}
}
