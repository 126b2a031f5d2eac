package helm

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// What others have the last word on is not drift: a job that the cluster cleaned up, replicas that an autoscaler set, a
// volume that somebody enlarged.
func TestWhatIsNotDrift(t *testing.T) {
	s := newSite(t)
	files := demoFiles()
	files["templates/job.yaml"] = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: once}\nspec:\n  ttlSecondsAfterFinished: 60\n  template: {spec: {restartPolicy: Never, containers: [{name: main, image: none}]}}\n"
	files["templates/scaler.yaml"] = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: demo}\nspec: {maxReplicas: 9, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ .Release.Name }}}}\n"
	r := s.release(s.charts.add("demo", "1.0.0", files), nil)
	s.apply(r)
	own, background := s.cluster.Clientset(), metav1.DeletePropagationBackground
	if err := own.BatchV1().Jobs(s.namespace).Delete(t.Context(), "once", metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
		t.Fatal(err)
	}
	if _, err := own.AppsV1().Deployments(s.namespace).Patch(t.Context(), "demo", types.MergePatchType, []byte(`{"spec":{"replicas":7}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	_, _, change := s.plan(r)
	wantChange(t, change, engine.Unchanged, "")
}

func TestOthers(t *testing.T) {
	tests := []struct {
		kind, path string
		want       bool
	}{
		{"PersistentVolumeClaim", "spec.resources.requests.storage", true},
		{"PersistentVolumeClaim", "spec.accessModes", false},
		{"ValidatingWebhookConfiguration", "webhooks[a].clientConfig.caBundle", true},
		{"ValidatingWebhookConfiguration", "webhooks[a].failurePolicy", false},
		{"Deployment", "spec.replicas", true},
		{"StatefulSet", "spec.replicas", false},
	}
	for _, tt := range tests {
		objects, err := parse("kind: " + tt.kind + "\napiVersion: v1\nmetadata: {name: x}\n")
		if err != nil {
			t.Fatal(err)
		}
		if got := others(objects[0], tt.path, map[string]bool{"Deployment/x": true}); got != tt.want {
			t.Errorf("others(%s, %s) = %v", tt.kind, tt.path, got)
		}
	}
}

func TestParse(t *testing.T) {
	objects, err := parse("# only words\n---\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: b}}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: c}\n")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, u := range objects {
		names = append(names, label(u, ""))
	}
	if want := []string{"configmap/a", "configmap/b", "secret/c"}; !slices.Equal(names, want) {
		t.Errorf("objects %q, want %q", names, want)
	}
	if _, err := parse("a: [\n"); err == nil {
		t.Error("broken YAML was taken")
	}
}

// What the API server warns of reaches the admin, once.
func TestServerWarnings(t *testing.T) {
	s := newSite(t)
	files := demoFiles()
	files["templates/config.yaml"] = strings.Replace(files["templates/config.yaml"], "\ndata:", "\ndta: {x: y}\ndata:", 1)
	r := s.release(s.charts.add("demo", "1.0.0", files), nil)
	resource, seen, _ := s.plan(r)
	if err := resource.Apply(t.Context(), seen); err != nil {
		t.Fatal(err)
	}
	if got := s.warned.get(); len(got) != 1 || !strings.Contains(got[0], `unknown field "dta"`) {
		t.Errorf("warnings: %q", got)
	}
}
