package helm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/action"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
)

// byAnotherParty installs as `helm install` does.
func (s site) byAnotherParty(chart profile.Chart, values map[string]any) {
	s.t.Helper()
	client := s.client()
	loaded, _, err := client.load(s.t.Context(), chart)
	if err != nil {
		s.t.Fatal(err)
	}
	config, _, err := client.configuration(s.t.Context(), "demo", s.namespace)
	if err != nil {
		s.t.Fatal(err)
	}
	install := action.NewInstall(config)
	install.ReleaseName, install.Namespace = "demo", s.namespace
	if _, err := install.Run(loaded, values); err != nil {
		s.t.Fatal(err)
	}
}

// C1: a release that another party made is not changed without a word, and what was adopted is never removed.
func TestReleaseByAnotherParty(t *testing.T) {
	s := newSite(t)
	chart := s.charts.add("demo", "1.0.0", demoFiles())
	s.byAnotherParty(chart, map[string]any{"replicas": 2, "adminPassword": "geheim"})
	other := s.charts.add("else", "1.0.0", demoFiles())
	resource, _, change := s.plan(s.release(other, nil))
	wantChange(t, change, engine.Blocked, "installed by another party from chart demo 1.0.0")
	if strings.Contains(change.Fix, "uninstall") || !strings.Contains(change.Fix, "choose another namespace") {
		t.Errorf("fix: %q", change.Fix)
	}
	if why := resource.RefuseRemoval(t.Context()); !strings.Contains(why, "another party") {
		t.Errorf("removal is refused because of %q", why)
	}
	wantError(t, resource.Remove(t.Context()), "another party")
	s.wantRevisions("1 deployed")

	wanted := s.release(chart, map[string]any{"replicas": 1})
	change = s.apply(wanted)
	wantChange(t, change, engine.Configure, "installed by another party, taken over", "values.adminPassword", "values.replicas")
	if a := change.Adopts; a == nil || !strings.Contains(a.What, "chart demo 1.0.0") || a.Lost != "values.adminPassword, values.replicas" || a.Holds != "" {
		t.Errorf("adopts: %+v", a)
	}
	if strings.Contains(fmt.Sprintf("%+v", change), "geheim") {
		t.Errorf("a password is shown: %+v", change)
	}
	// It is ours to configure from now on, and never ours to remove.
	s.apply(s.release(chart, map[string]any{"replicas": 3}))
	s.wantRevisions("1 superseded", "2 superseded", "3 deployed")
	if why := s.client().Release(wanted).RefuseRemoval(t.Context()); !strings.Contains(why, "was adopted") {
		t.Errorf("removal is refused because of %q", why)
	}
	wantError(t, s.client().Release(wanted).Remove(t.Context()), "was adopted", "helm -n "+s.namespace+" uninstall demo")
}

// C1: data in a release of another party, and what can never become the wanted release.
func TestDataOfAnotherParty(t *testing.T) {
	s := newSite(t)
	files := demoFiles()
	files["templates/claim.yaml"] = claimTemplate("")
	chart := s.charts.add("demo", "1.0.0", files)
	s.byAnotherParty(chart, nil)
	r := s.release(chart, nil)
	r.Others = Others{Holds: "every secret", Instead: "set vault.mode to external"}
	_, _, change := s.plan(r)
	if a := change.Adopts; a == nil || a.Holds != "every secret, persistentvolumeclaim/data" || a.Instead != r.Others.Instead {
		t.Errorf("adopts: %+v", a)
	}
	r.Others.Unfit = func(objects []*unstructured.Unstructured) string {
		if len(objects) == 0 {
			return ""
		}
		return "its storage is another"
	}
	_, _, change = s.plan(r)
	wantChange(t, change, engine.Blocked, "its storage is another")
	if !strings.Contains(change.Fix, "set vault.mode to external, or choose another namespace") {
		t.Errorf("fix: %q", change.Fix)
	}
}

// C1: which datalab a release is of, where a cluster has two of them or has lost the record of one.
func TestReleaseOfAnotherDatalab(t *testing.T) {
	s := newSite(t)
	r := s.release(s.charts.add("demo", "1.0.0", demoFiles()), nil)
	as := func(installation string, unrecorded bool) *Stored {
		c := s.client()
		c.Installation, c.Unrecorded = installation, unrecorded
		seen, err := c.Release(r).Observe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return seen.Stored
	}
	put := func(installation string) {
		c := s.client()
		c.Installation = installation
		resource := c.Release(r)
		seen, err := resource.Observe(t.Context())
		if err == nil {
			err = resource.Apply(t.Context(), seen)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	put("")
	for name, c := range map[string]struct {
		installation string
		unrecorded   bool
		party        string
	}{
		"recorded":   {"onyxia", false, ""},
		"unrecorded": {"onyxia", true, "kubectl-onyxia for a datalab that is not recorded in namespace onyxia"},
	} {
		if got := as(c.installation, c.unrecorded).Party; got != c.party {
			t.Errorf("of an older version, %s: %q", name, got)
		}
	}
	r.Values = func(context.Context) (map[string]any, error) { return map[string]any{"replicas": 2}, nil }
	put("onyxia")
	for name, c := range map[string]struct {
		installation string
		unrecorded   bool
		party        string
	}{
		"the same":            {"onyxia", false, ""},
		"the same, no record": {"onyxia", true, ""},
		"another":             {"lab", false, "kubectl-onyxia for the datalab in namespace onyxia"},
	} {
		if got := as(c.installation, c.unrecorded).Party; got != c.party {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// Objects that belong to nobody or to another release are all named, with the way out.
func TestObjectsInTheWay(t *testing.T) {
	s := newSite(t)
	own := s.cluster.Clientset()
	if _, err := own.CoreV1().ConfigMaps(s.namespace).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "demo"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := own.CoreV1().ServiceAccounts(s.namespace).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "demo",
		Labels:      map[string]string{labelAppManagedBy: appManagedByHelm},
		Annotations: map[string]string{annotationReleaseName: "another", annotationReleaseNamespace: s.namespace}}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	r := s.release(s.charts.add("demo", "1.0.0", demoFiles()), nil)
	err := s.fails(r)
	wantError(t, err, "configmap/demo", "serviceaccount/demo", "meta.helm.sh/release-name=demo", "kubectl label")
	var ownership *OwnershipError
	if !errors.As(err, &ownership) || !slices.Equal(ownership.Objects, []string{"serviceaccount/demo", "configmap/demo"}) {
		t.Errorf("objects: %+v", ownership)
	}
	s.wantRevisions()
}

// A chart that drops a claim does not take the data along.
func TestUpgradeThatWouldDeleteAClaim(t *testing.T) {
	s := newSite(t)
	files := demoFiles()
	files["templates/claim.yaml"] = "{{ if .Values.claim }}\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n{{ end }}\n"
	chart := s.charts.add("demo", "1.0.0", files)
	s.apply(s.release(chart, map[string]any{"claim": true}))
	err := s.fails(s.release(chart, map[string]any{"claim": false}))
	wantError(t, err, "the upgrade would delete persistentvolumeclaim/data", "helm.sh/resource-policy: keep")
	claims := s.cluster.Clientset().CoreV1().PersistentVolumeClaims(s.namespace)
	claim, err := claims.Get(t.Context(), "data", metav1.GetOptions{})
	if err != nil || claim.DeletionTimestamp != nil {
		t.Fatalf("claim: %v, %v", claim, err)
	}
	// Back to values that keep it, and then on with the claim marked to stay.
	s.apply(s.release(chart, map[string]any{"claim": true}))
	if _, err := claims.Patch(t.Context(), "data", types.MergePatchType, []byte(`{"metadata":{"annotations":{"helm.sh/resource-policy":"keep"}}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	s.apply(s.release(chart, map[string]any{"claim": false}))
	if claim, err = claims.Get(t.Context(), "data", metav1.GetOptions{}); err != nil || claim.DeletionTimestamp != nil {
		t.Fatalf("claim: %v, %v", claim, err)
	}
}

// What Kubernetes does not let change in place comes with the way out (the volumes of Vault's and MinIO's charts).
func TestUnchangeableField(t *testing.T) {
	s := newSite(t)
	files := demoFiles()
	files["templates/set.yaml"] = `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: main, image: none}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: {{ .Values.size }}}}}
`
	chart := s.charts.add("demo", "1.0.0", files)
	s.apply(s.release(chart, map[string]any{"size": "1Gi"}))
	wantError(t, s.fails(s.release(chart, map[string]any{"size": "2Gi"})), "kubectl -n "+s.namespace+" delete statefulset db --cascade=orphan")
	// The advice works.
	orphan := metav1.DeletePropagationOrphan
	if err := s.cluster.Clientset().AppsV1().StatefulSets(s.namespace).Delete(t.Context(), "db", metav1.DeleteOptions{PropagationPolicy: &orphan}); err != nil {
		t.Fatal(err)
	}
	s.dropFinalizers("db")
	s.apply(s.release(chart, map[string]any{"size": "2Gi"}))
}

// dropFinalizers does the garbage collector's part of an orphaning deletion.
func (s site) dropFinalizers(name string) {
	s.t.Helper()
	sets := s.cluster.Clientset().AppsV1().StatefulSets(s.namespace)
	set, err := sets.Get(s.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	set = &appsv1.StatefulSet{ObjectMeta: *set.ObjectMeta.DeepCopy(), Spec: set.Spec}
	set.Finalizers = nil
	if _, err := sets.Update(s.t.Context(), set, metav1.UpdateOptions{}); err != nil {
		s.t.Fatal(err)
	}
}
