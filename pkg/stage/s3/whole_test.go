package s3

import (
	"context"
	"errors"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/keycloaktest"
	"github.com/kubectl-onyxia/kubectl-onyxia/internal/stagetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/internal/testbed"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak"
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
	steps = append(steps, stagetest.Address(l.env.Links, l.public))
	return engine.Run{Steps: stagetest.Complete(steps)}
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
	front    *front
	keycloak *keycloaktest.Server
	minio    *minioProcess
	// pod is the one behind the chart's Service.
	pod string
}

func TestWholeStage(t *testing.T) {
	if os.Getenv("ONYXIA_TEST_REAL") != "" && os.Getenv("KEYCLOAK_VERSIONS") == "" {
		t.Fatal(`no KEYCLOAK_VERSIONS, for instance "26.5.6"`)
	}
	versions := keycloaktest.Versions(t)
	testbed.Program(t, "minio")
	w := &whole{front: newFront(t, "minio.lab.demo.test")}
	w.keycloak = keycloaktest.Start(t, versions[len(versions)-1])
	w.lab = newLab(t, func(c *platform.Config) {
		c.Trust.CABundle = w.front.caPEM
		c.Auth.Mode, c.Auth.URL, c.Auth.CredentialsSecret, c.Auth.Theme.URL = "keycloak", w.keycloak.URL, c.App.Namespace+"/admin", "none"
		c.Auth.Groups = []string{"group1", "parent/child"}
	})
	w.public = w.front.address
	w.secret(t, "admin", map[string]string{"username": keycloaktest.AdminName, "password": keycloaktest.AdminPassword})
	stagetest.UseChart(t, &w.env, "minio")
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
		{"a group that is dropped", w.dropped},
		{"changed by hand", w.changed},
		{"quota and versioning", w.settings},
		{"MinIO away, and not public", w.away},
		{"Keycloak away while MinIO starts", w.issuerAway},
		{"tokens for AWS and Ceph", w.tags},
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
	go func() { done <- run.Apply(t.Context(), plan, engine.Options{Timeout: 5 * time.Minute}) }()
	w.serve(t, done)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	text := w.transcript()
	for _, want := range []string{"token for [minio account] exchanged", "wrote, read and listed in s3://user-onyxia-s3-proof-", "refused at s3://user-onyxia-s3-proof-",
		"wrote, read and listed in s3://projet-onyxia-s3-proof-group as a member", "refused at s3://projet-onyxia-s3-proof-group", "forged claims in requests: refused"} {
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
	mark, asked := w.cluster.Mark(t), w.minio.mark(t)
	if done, err := apply(t.Context(), t, w.run(t, Options{})); err != nil || len(done) != 0 {
		t.Fatalf("%v, %v", done, err)
	}
	if writes := mark.Writes(t); len(writes) != 0 {
		t.Errorf("to the API server: %v", writes)
	}
	if writes := w.minio.writes(t, asked); len(writes) != 0 {
		t.Errorf("to MinIO: %q", writes)
	}
}

func (w *whole) proved(t *testing.T) {
	mark, asked, before := w.cluster.Mark(t), w.minio.mark(t), len(w.transcript())
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
	w.proofOnly(t, w.minio.writes(t, asked))
	w.leavesNothing(t)
}

// proofOnly checks that a second run with a proof asked MinIO for nothing but what that proof is, the attempts among it that are
// refused.
func (w *whole) proofOnly(t *testing.T, writes []string) {
	t.Helper()
	names := regexp.MustCompile(`proof-[a-z2-7]{8}`)
	objects := regexp.MustCompile(`\.onyxia-proof/[a-z2-7]+`)
	got := map[string]int{}
	for _, each := range writes {
		got[objects.ReplaceAllString(names.ReplaceAllString(each, "proof-NAME"), "OBJECT")]++
	}
	const user, group = " /user-onyxia-s3-proof-NAME", " /projet-onyxia-s3-proof-group"
	want := map[string]int{
		// Two users, and three tokens that anybody could sign.
		"AssumeRoleSSOCommon /": 5,
		"PutBucket" + user:      2, "PutObject" + user + "/OBJECT": 2, "PutObject" + user + "/OBJECT-of-a-stranger": 2, "DeleteObject" + user + "/OBJECT": 4, "DeleteBucket" + user: 2,
		"PutBucket" + group: 1, "PutObject" + group + "/OBJECT": 1, "PutObject" + group + "/OBJECT-of-a-stranger": 1, "DeleteObject" + group + "/OBJECT": 2, "DeleteBucket" + group: 1,
	}
	if !maps.Equal(got, want) {
		t.Errorf("to MinIO: %v, want %v", got, want)
	}
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
	left, person := s3.ProofName(), s3.ProofName()
	if _, err := realm.AddProofUser(t.Context(), left, "demo.test"); err != nil {
		t.Fatal(err)
	}
	if _, err := realm.AddUser(t.Context(), keycloak.NewUser{Name: person, Email: person + "@demo.test", FirstName: "A", LastName: "B"}); err != nil {
		t.Fatal(err)
	}
	if err := realm.AddProofClient(t.Context(), proofClient, platform.S3ClientID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.root(t).CreateBucket(t.Context(), "user-"+left); err != nil {
		t.Fatal(err)
	}
	if _, err := apply(t.Context(), t, w.run(t, Options{Prove: true})); err != nil {
		t.Fatal(err)
	}
	// A person may be called as the users of proofs are.
	if _, err := realm.FindUser(t.Context(), person); err != nil {
		t.Errorf("a person of such a name: %v", err)
	}
	if err := realm.DeleteUser(t.Context(), person); err != nil {
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
