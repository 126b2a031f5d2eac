package helm

import (
	"context"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/release"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

func TestRemove(t *testing.T) {
	s := newSite(t)
	r := s.release(s.charts.add("demo", "1.0.0", withDefinition("removed")), nil)
	s.apply(r)
	if why := s.client().Release(r).RefuseRemoval(t.Context()); why != "" {
		t.Errorf("removal is refused: %s", why)
	}
	if present, err := s.client().Release(r).Present(t.Context()); err != nil || !present {
		t.Errorf("present: %v, %v", present, err)
	}
	if err := s.client().Release(r).Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.wantRevisions()
	_, _, change := s.plan(r)
	wantChange(t, change, engine.Create, "")
	if present, err := s.client().Release(r).Present(t.Context()); err != nil || present {
		t.Errorf("present: %v, %v", present, err)
	}
	if _, err := s.cluster.Clientset().AppsV1().Deployments(s.namespace).Get(t.Context(), "demo", metav1.GetOptions{}); err == nil {
		t.Error("the deployment is still there")
	}
	// Definitions stay: they may have objects of others.
	if _, err := s.client().Kube.Dynamic.Resource(crdResource()).Get(t.Context(), "things.removed.example.org", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	// Removing what is not there is no error, and writes nothing.
	mark := s.cluster.Mark(t)
	if err := s.client().Release(r).Remove(t.Context()); err != nil {
		t.Error(err)
	}
	if writes := mark.Writes(t); len(writes) > 0 {
		t.Errorf("writes: %q", writes)
	}
}

func TestHalfDoneRemovalIsFinished(t *testing.T) {
	s := newSite(t)
	r := s.release(s.charts.add("demo", "1.0.0", withDefinition("half")), nil)
	s.apply(r)
	if err := s.cluster.Clientset().CoreV1().Services(s.namespace).Delete(t.Context(), "demo", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	// Also the definition of one of its objects is gone, over which Helm stumbles.
	s.deleteDefinition("things.half.example.org")
	s.setStatus(1, release.StatusUninstalling)
	if err := s.client().Release(r).Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.wantRevisions()
}

// claimTemplate is a claim of a chart, kept or not.
func claimTemplate(annotations string) string {
	return "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data, annotations: {" + annotations + "}}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n"
}

func TestRemoveRefusesToDeleteClaims(t *testing.T) {
	s := newSite(t)
	files := demoFiles()
	files["templates/claim.yaml"] = claimTemplate("")
	r := s.release(s.charts.add("demo", "1.0.0", files), nil)
	s.apply(r)
	resource := s.client().Release(r)
	if why := resource.RefuseRemoval(t.Context()); !strings.Contains(why, "persistentvolumeclaim/data") {
		t.Errorf("refused because of %q", why)
	}
	mark := s.cluster.Mark(t)
	wantError(t, resource.Remove(t.Context()), "would delete persistentvolumeclaim/data", "helm.sh/resource-policy: keep")
	if writes := mark.Writes(t); len(writes) > 0 {
		t.Errorf("writes: %q", writes)
	}
	s.wantRevisions("1 deployed")
}

func TestRemoveKeepsWhatTheChartKeeps(t *testing.T) {
	s := newSite(t)
	files := demoFiles()
	files["templates/claim.yaml"] = claimTemplate("helm.sh/resource-policy: keep")
	r := s.release(s.charts.add("demo", "1.0.0", files), nil)
	s.apply(r)
	if err := s.client().Release(r).Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	claim, err := s.cluster.Clientset().CoreV1().PersistentVolumeClaims(s.namespace).Get(t.Context(), "data", metav1.GetOptions{})
	if err != nil || claim.DeletionTimestamp != nil {
		t.Errorf("claim: %v, %v", claim, err)
	}
	// The next install finds the claim as its own and goes on with it.
	wantChange(t, s.apply(r), engine.Create, "")
}

func TestHoldsData(t *testing.T) {
	tests := []struct {
		name, manifest, want string
	}{
		{"claim", claimTemplate(""), "persistentvolumeclaim/data"},
		{"claim kept", claimTemplate("helm.sh/resource-policy: keep"), ""},
		{"namespace", "apiVersion: v1\nkind: Namespace\nmetadata: {name: users}\n", "namespace/users"},
		{"set that leaves its claims", "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: s}\nspec: {persistentVolumeClaimRetentionPolicy: {whenDeleted: Retain}}\n", ""},
		{"set that takes its claims along", "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: s}\nspec: {persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete}}\n", "statefulset/s and its claims"},
		{"deployment", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			objects, err := parse(tt.manifest)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(holdsData(objects, "x"), ","); got != tt.want {
				t.Errorf("holdsData: %q, want %q", got, tt.want)
			}
		})
	}
}

// A removal waits until the pods have ended, and says which one it waits for.
func TestRemoveWaitsForPods(t *testing.T) {
	s := newSite(t)
	r := s.release(s.charts.add("demo", "1.0.0", demoFiles()), nil)
	s.apply(r)
	pods := s.cluster.Clientset().CoreV1().Pods(s.namespace)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "demo-x", Labels: map[string]string{"app": "demo"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "none"}}}}
	if _, err := pods.Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	var waited lines
	client := s.client()
	client.Waiting = func(_ engine.ID, reason string) {
		waited.add(reason)
		now := int64(0)
		if err := pods.Delete(context.WithoutCancel(t.Context()), "demo-x", metav1.DeleteOptions{GracePeriodSeconds: &now}); err != nil {
			t.Error(err)
		}
	}
	if err := client.Release(r).Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := waited.get(); len(got) != 1 || got[0] != "pod demo-x to be gone" {
		t.Errorf("waited for %q", got)
	}
}
