package helm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

func TestInstallTwiceWritesNothing(t *testing.T) {
	s := newSite(t)
	r := s.release(s.charts.add("demo", "1.0.0", demoFiles()), map[string]any{"greeting": "hi", "labels": map[string]any{"a": "b"}, "port": 8080, "unused": nil})
	wantChange(t, s.apply(r), engine.Create, "")
	s.wantRevisions("1 deployed")

	mark := s.cluster.Mark(t)
	resource := s.client().Release(r)
	began := time.Now()
	seen, err := resource.Observe(t.Context())
	cold := time.Since(began)
	if err != nil {
		t.Fatal(err)
	}
	wantChange(t, resource.Plan(seen), engine.Unchanged, "")
	if writes := mark.Writes(t); len(writes) > 0 {
		t.Errorf("the second run wrote: %q", writes)
	}
	// A new process that has never met the cluster also asks what the server serves (/api and /apis).
	var objects []string
	for _, request := range mark.Requests(t) {
		if !strings.HasPrefix(request, "get /api 200") && !strings.HasPrefix(request, "get /apis 200") {
			objects = append(objects, request)
		}
	}
	if len(objects) != 1+demoObjects {
		t.Errorf("%d requests, want one for the release and one for each of %d objects: %q", len(objects), demoObjects, objects)
	}

	mark = s.cluster.Mark(t)
	resource.store.shared.Forget()
	began = time.Now()
	if _, err = resource.Observe(t.Context()); err != nil {
		t.Fatal(err)
	}
	warm := time.Since(began)
	t.Logf("no-op decision on %d objects: %d requests; %s with discovery, %s without", demoObjects, len(mark.Requests(t)), cold, warm)
	if len(mark.Requests(t)) != 1+demoObjects {
		t.Errorf("requests: %q", mark.Requests(t))
	}
	// What else the machine does can make one decision slow, and not each of them.
	for deadline := time.Now().Add(time.Minute); warm > 500*time.Millisecond; warm = time.Since(began) {
		if time.Now().After(deadline) {
			t.Fatalf("a decision that nothing is to be done took %s", warm)
		}
		resource.store.shared.Forget()
		began = time.Now()
		if _, err = resource.Observe(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReleaseCarriesOurLabels(t *testing.T) {
	s := newSite(t)
	chart := s.charts.add("demo", "1.0.0", demoFiles())
	s.apply(s.release(chart, nil))
	labels := s.record(1).Labels
	if labels[labelManagedBy] != "kubectl-onyxia" || labels[labelChartSHA256] != chart.SHA256[:63] || labels["status"] != "deployed" {
		t.Errorf("labels: %v", labels)
	}
}

// The namespace trap: objects that name no namespace belong into the release's, not into the kubeconfig's.
func TestObjectsGoToTheReleasesNamespace(t *testing.T) {
	s := newSite(t)
	s.apply(s.release(s.charts.add("demo", "1.0.0", demoFiles()), nil))
	if _, err := s.cluster.Clientset().AppsV1().Deployments(s.namespace).Get(t.Context(), "demo", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := s.cluster.Clientset().AppsV1().Deployments("default").Get(t.Context(), "demo", metav1.GetOptions{}); err == nil {
		t.Error("the deployment went to the kubeconfig's namespace")
	}
	config, err := s.cluster.Clientset().CoreV1().ConfigMaps(s.namespace).Get(t.Context(), "demo", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(config.Data["kube"], "v1.20") {
		t.Errorf("rendered for Kubernetes %s, not for the server's version", config.Data["kube"])
	}
}

func TestNewRevisionOnlyWhenSomethingChanged(t *testing.T) {
	s := newSite(t)
	first := s.charts.add("demo", "1.0.0", demoFiles())
	s.apply(s.release(first, map[string]any{"greeting": "hi"}))

	wantChange(t, s.apply(s.release(first, map[string]any{"greeting": "hi"})), engine.Unchanged, "")
	wantChange(t, s.apply(s.release(first, map[string]any{"greeting": "ho"})), engine.Configure, "", "values.greeting")
	wantChange(t, s.apply(s.release(first, nil)), engine.Configure, "", "values.greeting")
	wantChange(t, s.apply(s.release(first, nil)), engine.Unchanged, "")
	s.wantRevisions("1 superseded", "2 superseded", "3 deployed")

	second := s.charts.add("demo", "2.0.0", demoFiles())
	wantChange(t, s.apply(s.release(second, nil)), engine.Configure, "new major version", "chart")
	change := s.apply(s.release(first, nil))
	wantChange(t, change, engine.Configure, "goes back from 2.0.0 to 1.0.0", "chart")
	if !strings.Contains(change.Risk, "2.0.0") {
		t.Errorf("risk: %q", change.Risk)
	}
	files := demoFiles()
	files["templates/config.yaml"] += "# other content\n"
	wantChange(t, s.apply(s.release(s.charts.add("demo", "1.0.0", files), nil)), engine.Configure, "same version but other content", "chart.sha256")
	s.wantRevisions("2 superseded", "3 superseded", "4 superseded", "5 superseded", "6 deployed")
}

func TestHandEditIsMendedWithoutARevision(t *testing.T) {
	s := newSite(t)
	r := s.release(s.charts.add("demo", "1.0.0", demoFiles()), nil)
	s.apply(r)
	own := s.cluster.Clientset()
	patch := func(body string) {
		if _, err := own.AppsV1().Deployments(s.namespace).Patch(t.Context(), "demo", types.MergePatchType, []byte(body), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	patch(`{"spec":{"replicas":5},"metadata":{"annotations":{"mine":"stays"}}}`)
	if err := own.CoreV1().Services(s.namespace).Delete(t.Context(), "demo", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := own.CoreV1().Secrets(s.namespace).Patch(t.Context(), "demo-login", types.MergePatchType, []byte(`{"data":{"user":"cm9vdA=="}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	name := s.namespace + "-demo"
	if _, err := own.RbacV1().ClusterRoles().Patch(t.Context(), name, types.MergePatchType, []byte(`{"rules":[]}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}

	change := s.apply(r)
	wantChange(t, change, engine.Configure, "changed by hand since",
		"secret/demo-login: data.user", "clusterrole/"+name+": rules", "service/demo", "deployment/demo: spec.replicas")
	for _, f := range change.Fields {
		if strings.HasPrefix(f.Path, "secret/") && (!f.Secret || f.From+f.To != "") {
			t.Errorf("a secret's value is shown: %+v", f)
		}
	}
	s.wantRevisions("1 deployed")
	deployment, err := own.AppsV1().Deployments(s.namespace).Get(t.Context(), "demo", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if *deployment.Spec.Replicas != 1 || deployment.Annotations["mine"] != "stays" {
		t.Errorf("replicas %d, annotations %v", *deployment.Spec.Replicas, deployment.Annotations)
	}
}

func TestTwoNamespaces(t *testing.T) {
	s, other := newSite(t), newSite(t)
	chart := s.charts.add("demo", "1.0.0", demoFiles())
	other.charts = s.charts
	s.apply(s.release(chart, map[string]any{"greeting": "one"}))
	wantChange(t, other.apply(other.release(chart, map[string]any{"greeting": "two"})), engine.Create, "")
	wantChange(t, s.apply(s.release(chart, map[string]any{"greeting": "one"})), engine.Unchanged, "")
	other.wantRevisions("1 deployed")
}

// Two releases of one namespace share one list.
func TestReleasesShareOneList(t *testing.T) {
	s := newSite(t)
	chart := s.charts.add("demo", "1.0.0", demoFiles())
	a, b := s.release(chart, nil), s.release(chart, nil)
	b.Name = "demo2"
	s.apply(a)
	s.apply(b)
	client := s.client()
	first, second := client.Release(a), client.Release(b)
	mark := s.cluster.Mark(t)
	for _, r := range []*ReleaseResource{first, second} {
		seen, err := r.Observe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		wantChange(t, r.Plan(seen), engine.Unchanged, "")
	}
	lists := 0
	for _, request := range mark.Requests(t) {
		if strings.HasPrefix(request, "list ") && strings.Contains(request, "/secrets") {
			lists++
		}
	}
	if lists != 1 {
		t.Errorf("%d lists of Secrets, want 1: %q", lists, mark.Requests(t))
	}
}

// A release that is asked for after others were read is not taken for one that isn't there.
func TestReleaseMadeAfterTheListWasRead(t *testing.T) {
	s := newSite(t)
	chart := s.charts.add("demo", "1.0.0", demoFiles())
	r := s.release(chart, nil)
	s.apply(r)
	client := s.client()
	absent := s.release(chart, nil)
	absent.Name = "absent"
	if _, err := client.Release(absent).Observe(t.Context()); err != nil {
		t.Fatal(err)
	}
	resource := client.Release(r)
	seen, err := resource.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wantChange(t, resource.Plan(seen), engine.Unchanged, "")
}

func TestInputsThatNobodyKnowsYet(t *testing.T) {
	s := newSite(t)
	chart := s.charts.add("demo", "1.0.0", demoFiles())
	r := s.release(chart, nil)
	notYet := &engine.NotYetError{After: "release.helm/traefik"}
	r.Values = func(context.Context) (map[string]any, error) { return nil, fmt.Errorf("address: %w", notYet) }
	_, err := s.client().Release(r).Observe(t.Context())
	var got *engine.NotYetError
	if !errors.As(err, &got) || got.After != notYet.After {
		t.Errorf("observe: %v", err)
	}
	// A chart that can't be had is told at once all the same, before other stages are written.
	r.Chart.Version = "9.9.9"
	_, _, change := s.plan(r)
	wantChange(t, change, engine.Blocked, "9.9.9 can't be had")
}

func TestChartProblemsBlockBeforeAnythingIsWritten(t *testing.T) {
	s := newSite(t)
	chart := s.charts.add("demo", "1.0.0", demoFiles())
	wrong := chart
	wrong.SHA256 = testDigest
	mark := s.cluster.Mark(t)
	_, _, change := s.plan(s.release(wrong, nil))
	wantChange(t, change, engine.Blocked, "wrong sha256: wanted "+testDigest+", found "+chart.SHA256)
	if change.Fix == "" {
		t.Error("no way out is named")
	}
	if writes := mark.Writes(t); len(writes) > 0 {
		t.Errorf("writes: %q", writes)
	}
}

// Without rights the error says what could not be read.
func TestNoRights(t *testing.T) {
	s := newSite(t)
	r := s.release(s.charts.add("demo", "1.0.0", demoFiles()), nil)
	client := s.clientOf(s.cluster.User(t, "nobody"))
	_, err := client.Release(r).Observe(t.Context())
	wantError(t, err, "secrets is forbidden", "releases of namespace "+s.namespace)
}
