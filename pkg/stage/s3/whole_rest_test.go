package s3

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3/minio"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

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

// issuerAway: a MinIO that starts while Keycloak is down says so, and works by itself once that is back.
func (w *whole) issuerAway(t *testing.T) {
	w.minio.stop()
	w.keycloak.Stop()
	w.minio.run(t)
	run := w.run(t, Options{})
	plan, err := run.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range plan.Steps {
		if s.ID == releaseID && (s.Health == nil || s.Health.Ready || s.Health.Hopeless || !strings.Contains(s.Health.Reason, "MinIO waits for its OpenID provider")) {
			t.Errorf("%+v, %+v", s.Change, s.Health)
		}
	}
	if err := run.Apply(t.Context(), plan, engine.Options{Timeout: 2 * time.Second}); err == nil {
		t.Error("configured without Keycloak")
	}
	w.keycloak.Run(t)
	// What `s3 configure` runs: it leaves the server alone, and waits for it all the same.
	configure := w.run(t, Options{Prove: true, Say: w.say})
	configure.Selected = engine.Inside(Name)
	done, err := apply(t.Context(), t, configure)
	delete(done, loadedID)
	if err != nil || len(done) > 2 || done[stage.S3ReadyID] != engine.Configure {
		t.Fatalf("%v, %v", done, err)
	}
	w.second(t)
}

// tags: tokens have the user's name, and for Ceph the groups, where AWS and Ceph look for them.
func (w *whole) tags(t *testing.T) {
	before := w.env.Platform.S3
	defer func() {
		w.env.Platform.S3 = before
		w.webClientAlone(t)
	}()
	password := w.user(t, "eve", "group1", "parent/child")
	for kind, want := range map[string]string{"aws": `{"preferred_username":["eve"]}`, "ceph": `{"groups":["child","group1"],"preferred_username":["eve"]}`} {
		w.env.Platform.S3.Mode, w.env.Platform.S3.Kind, w.env.Platform.S3.URL = "external", kind, "https://s3.example.org"
		w.webClientAlone(t)
		s := w.site(t)
		made := &proofUsers{site: s, realm: s.env.Keycloak.Realm}
		token, err := made.token(t.Context(), "eve", password)
		if err != nil {
			t.Fatal(err)
		}
		if err := made.clean(t.Context()); err != nil {
			t.Fatal(err)
		}
		raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		var claims struct {
			Party string `json:"azp"`
			Tags  struct {
				Principal map[string][]string `json:"principal_tags"`
			} `json:"https://aws.amazon.com/tags"`
		}
		if err := json.Unmarshal(raw, &claims); err != nil {
			t.Fatalf("%s: %v\n%s", kind, err, raw)
		}
		slices.Sort(claims.Tags.Principal["groups"])
		got, err := json.Marshal(claims.Tags.Principal)
		if err != nil || string(got) != want || claims.Party != platform.S3ClientID {
			t.Errorf("%s: %s for %q, want %s", kind, got, claims.Party, want)
		}
	}
}

// webClientAlone makes the client of Onyxia's web as the configuration has it, and nothing else.
func (w *whole) webClientAlone(t *testing.T) {
	t.Helper()
	run := w.run(t, Options{})
	run.Selected = func(s engine.Step) bool {
		return s.ID == "client.keycloak/onyxia-minio" || strings.HasPrefix(string(s.ID), "mapper.keycloak/onyxia-minio.")
	}
	if _, err := apply(t.Context(), t, run); err != nil {
		t.Fatal(err)
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
		"client.keycloak/onyxia-minio": engine.Delete, "group.keycloak/onyxia-s3-proof-group": engine.Delete, stage.S3ReadyID: engine.Delete,
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
	s.Quota = "1Gi"
	uploads := &s3.Admin{Client: w.root(t)}
	if _, err := uploads.Client.CreateBucket(t.Context(), "user-uploads"); err != nil {
		t.Fatal(err)
	}
	done, err := apply(t.Context(), t, w.run(t, Options{Say: w.say}))
	if err != nil || done[stage.S3ReadyID] != engine.Create || done["client.keycloak/minio"] != engine.Create || done["policy.s3/stsonly"] != "" {
		t.Fatalf("%v, %v", done, err)
	}
	// What was made before it was lent is known by the policies.
	if done["bucket.s3/projet-group1"] != engine.Configure || done[bucketsID] != engine.Configure {
		t.Errorf("%v", done)
	}
	for bucket, want := range map[string]uint64{"user-uploads": 0, "user-ana": 1 << 30, "projet-group1": 1 << 30} {
		if got, err := uploads.Quota(t.Context(), bucket); err != nil || got != want {
			t.Errorf("quota of %s: %d %v", bucket, got, err)
		}
	}
	w.second(t)
	w.bucketOfOthers(t)
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

// bucketOfOthers: a bucket that was there before a group of its name is not opened to the group.
func (w *whole) bucketOfOthers(t *testing.T) {
	t.Helper()
	before := w.env.Platform.Auth.Groups
	defer func() { w.env.Platform.Auth.Groups = before }()
	if _, err := w.root(t).CreateBucket(t.Context(), "projet-accounts"); err != nil {
		t.Fatal(err)
	}
	w.env.Platform.Auth.Groups = append(slices.Clone(before), "accounts")
	asked := w.minio.mark(t)
	_, err := apply(t.Context(), t, w.run(t, Options{}))
	if err == nil || !strings.Contains(err.Error(), `bucket "projet-accounts" of this MinIO was there before`) {
		t.Errorf("%v", err)
	}
	if writes := w.minio.writes(t, asked); len(writes) != 0 {
		t.Errorf("to MinIO: %q", writes)
	}
}
