package kube_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/kubetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

func TestMain(m *testing.M) { os.Exit(kubetest.Run(m)) }

// connect gives a client of the shared API server and a namespace for the test.
func connect(t *testing.T) (*kubetest.Cluster, *kube.Client, string) {
	t.Helper()
	cluster := kubetest.Start(t)
	return cluster, clientFor(t, cluster.Kubeconfig), cluster.Namespace(t)
}

func clientFor(t *testing.T, kubeconfig string) *kube.Client {
	t.Helper()
	c, err := kube.Connect(kubetest.FlagsFor(t, kubeconfig))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// objects reads YAML documents, as Helm reads a manifest, and puts them into the namespace.
func objects(t *testing.T, text []byte, namespace string) (list []*unstructured.Unstructured) {
	t.Helper()
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		content := map[string]any{}
		if err := decoder.Decode(&content); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		o := &unstructured.Unstructured{Object: content}
		o.SetNamespace(namespace)
		list = append(list, o)
	}
}

func object(t *testing.T, text, namespace string) *unstructured.Unstructured {
	t.Helper()
	return objects(t, []byte(text), namespace)[0]
}

func manifest(t *testing.T, name, namespace string) []*unstructured.Unstructured {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "objects", name))
	if err != nil {
		t.Fatal(err)
	}
	return objects(t, b, namespace)
}

func read(t *testing.T, c *kube.Client, ref *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	live, err := c.Get(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	if live == nil {
		t.Fatalf("%s %s is not there", ref.GetKind(), ref.GetName())
	}
	return live
}

// resource is the plain dynamic client's view, to write as somebody else.
func resource(t *testing.T, c *kube.Client, o *unstructured.Unstructured) dynamic.ResourceInterface {
	t.Helper()
	kind := o.GroupVersionKind()
	mapping, err := c.Mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		t.Fatal(err)
	}
	if o.GetNamespace() == "" {
		return c.Dynamic.Resource(mapping.Resource)
	}
	return c.Dynamic.Resource(mapping.Resource).Namespace(o.GetNamespace())
}

// edit changes a live object the way kubectl edit does.
func edit(t *testing.T, c *kube.Client, ref *unstructured.Unstructured, change func(content map[string]any)) {
	t.Helper()
	live := read(t, c, ref)
	change(live.Object)
	if _, err := resource(t, c, ref).Update(t.Context(), live, metav1.UpdateOptions{FieldManager: "kubectl-edit"}); err != nil {
		t.Fatal(err)
	}
}

func set(t *testing.T, content map[string]any, value any, path ...string) {
	t.Helper()
	if err := unstructured.SetNestedField(content, value, path...); err != nil {
		t.Fatal(err)
	}
}

// plan observes and plans.
func plan[S any](t *testing.T, r engine.Resource[S]) engine.Change {
	t.Helper()
	seen, err := r.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r.Plan(seen)
}

// apply observes and applies.
func apply[S any](ctx context.Context, r engine.Resource[S]) error {
	seen, err := r.Observe(ctx)
	if err != nil {
		return err
	}
	return r.Apply(ctx, seen)
}

func mustApply[S any](t *testing.T, r engine.Resource[S]) {
	t.Helper()
	if err := apply(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

// wantAction fails unless the change has the action.
func wantAction(t *testing.T, got engine.Change, want engine.Action) {
	t.Helper()
	if got.Action != want {
		t.Fatalf("action %q, want %q: %+v", got.Action, want, got)
	}
}

func jobCondition(kind, reason, message string) batchv1.JobCondition {
	return batchv1.JobCondition{Type: batchv1.JobConditionType(kind), Status: corev1.ConditionTrue, Reason: reason, Message: message, LastTransitionTime: metav1.Now()}
}
