package kube_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

func manifests(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join("testdata", "objects"))
	if err != nil || len(entries) == 0 {
		t.Fatal("no objects", err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// What a chart writes has no differences from what the API server made of it, defaults and canonical spellings included.
func TestCreatedObjectsReadBackWithoutDifferences(t *testing.T) {
	_, c, ns := connect(t)
	for _, file := range manifests(t) {
		for _, want := range manifest(t, file, ns) {
			t.Run(file+"/"+want.GetKind(), func(t *testing.T) {
				if err := c.Mend(t.Context(), want); err != nil {
					t.Fatal(err)
				}
				if got := kube.Differences(want, read(t, c, want)); len(got) != 0 {
					t.Errorf("created, then differing: %+v", got)
				}
				// A mend of what is right changes nothing either.
				if err := c.Mend(t.Context(), want); err != nil {
					t.Fatal(err)
				}
				if got := kube.Differences(want, read(t, c, want)); len(got) != 0 {
					t.Errorf("mended, then differing: %+v", got)
				}
			})
		}
	}
}

// The same for our own way of writing.
func TestAppliedObjectsAreUnchangedAfterwards(t *testing.T) {
	cluster, c, ns := connect(t)
	for _, file := range manifests(t) {
		for _, want := range manifest(t, file, ns) {
			t.Run(file+"/"+want.GetKind(), func(t *testing.T) {
				o := kube.NewObject(c, kube.Fixed(want))
				wantAction(t, plan(t, o), engine.Create)
				mustApply(t, o)
				wantAction(t, plan(t, o), engine.Unchanged)
				mark := cluster.Mark(t)
				wantAction(t, plan(t, o), engine.Unchanged)
				if got := mark.Requests(t); len(got) != 1 {
					t.Errorf("want one GET, got %v", got)
				}
				if refused := o.RefuseRemoval(t.Context()); refused != "" {
					t.Errorf("our own object would be kept: %s", refused)
				}
			})
		}
	}
}
