package helm

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// thingCRD defines a kind of objects in a group of its own.
func thingCRD(group string) string {
	return fmt.Sprintf(`apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: things.%[1]s.example.org
spec:
  group: %[1]s.example.org
  scope: Namespaced
  names: {plural: things, singular: thing, kind: Thing}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        description: a thing
        properties:
          spec:
            type: object
            properties:
              size: {type: integer}
`, group)
}

// withDefinition is the demo chart with a definition and an object of its kind.
func withDefinition(group string) map[string]string {
	files := demoFiles()
	files["crds/thing.yaml"] = thingCRD(group)
	files["templates/thing.yaml"] = fmt.Sprintf("apiVersion: %s.example.org/v1\nkind: Thing\nmetadata: {name: it}\nspec: {size: {{ .Values.size }}}\n", group)
	files["values.yaml"] += "size: 1\n"
	return files
}

func things(group string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: group + ".example.org", Version: "v1", Resource: "things"}
}

func TestDefinitionsComeBeforeTheirObjects(t *testing.T) {
	s := newSite(t)
	r := s.release(s.charts.add("demo", "1.0.0", withDefinition("before")), nil)
	wantChange(t, s.apply(r), engine.Create, "")

	// The list of definitions is the one request more than without any.
	resource, _, _ := s.plan(r)
	resource.store.shared.Forget()
	mark := s.cluster.Mark(t)
	if _, err := resource.Observe(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := mark.Requests(t); len(got) != 2+demoObjects+1 {
		t.Errorf("%d requests, want 2 and one for each of %d objects: %q", len(got), demoObjects+1, got)
	}
}

// The record of a release names the definitions of its chart and leaves their content out; templates still see it.
func TestRecordIsSlim(t *testing.T) {
	s := newSite(t)
	files := withDefinition("slim")
	files["templates/seen.yaml"] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: seen}\ndata: {size: {{ .Files.Get \"crds/thing.yaml\" | len | quote }}}\n"
	s.apply(s.release(s.charts.add("demo", "1.0.0", files), nil))
	config, _, err := s.client().configuration(t.Context(), "demo", s.namespace)
	if err != nil {
		t.Fatal(err)
	}
	rel, err := config.Releases.Get("demo", 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range rel.Chart.Files {
		if isCRDFile(f.Name) && (strings.Contains(string(f.Data), "openAPIV3Schema") || !slices.Equal(crdNames(f.Data), []string{"things.slim.example.org"})) {
			t.Errorf("recorded %s: %s", f.Name, f.Data)
		}
	}
	seen, err := s.cluster.Clientset().CoreV1().ConfigMaps(s.namespace).Get(t.Context(), "seen", metav1.GetOptions{})
	if err != nil || seen.Data["size"] != fmt.Sprint(len(files["crds/thing.yaml"])) {
		t.Errorf("the template saw %v, %v", seen, err)
	}
}

// Custom resources are compared and mended like other objects; Helm would not.
func TestCustomResourceIsMended(t *testing.T) {
	s := newSite(t)
	r := s.release(s.charts.add("demo", "1.0.0", withDefinition("mended")), nil)
	s.apply(r)
	client := s.client().Kube.Dynamic.Resource(things("mended")).Namespace(s.namespace)
	live, err := client.Get(t.Context(), "it", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := unstructured.SetNestedField(live.Object, int64(7), "spec", "size"); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Update(t.Context(), live, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	wantChange(t, s.apply(r), engine.Configure, "changed by hand since", "thing/it: spec.size")
	s.wantRevisions("1 deployed")
}

// A definition that somebody deleted took its objects with it. Both come back, without a new revision.
func TestDeletedDefinitionComesBack(t *testing.T) {
	s := newSite(t)
	r := s.release(s.charts.add("demo", "1.0.0", withDefinition("deleted")), nil)
	s.apply(r)
	s.deleteDefinition("things.deleted.example.org")
	change := s.apply(r)
	wantChange(t, change, engine.Configure, "changed by hand since", "customresourcedefinition/things.deleted.example.org", "thing/it")
	s.wantRevisions("1 deployed")
}

// An upgrade of a release whose definitions are gone makes them again; Helm would refuse for ever.
func TestUpgradeWithoutDefinitions(t *testing.T) {
	s := newSite(t)
	chart := s.charts.add("demo", "1.0.0", withDefinition("upgrade"))
	s.apply(s.release(chart, nil))
	s.deleteDefinition("things.upgrade.example.org")
	wantChange(t, s.apply(s.release(chart, map[string]any{"size": 3})), engine.Configure, "", "values.size")
}

// Definitions that are there are never changed; that the chart has others is said.
func TestOtherDefinitionsAreLeftAndSaid(t *testing.T) {
	s := newSite(t)
	files := withDefinition("other")
	s.apply(s.release(s.charts.add("demo", "1.0.0", files), nil))
	files["crds/thing.yaml"] = strings.Replace(files["crds/thing.yaml"], "description: a thing", "description: words don't count", 1)
	s.apply(s.release(s.charts.add("demo", "1.1.0", files), nil))
	if got := s.warned.get(); len(got) > 0 {
		t.Errorf("warnings: %q", got)
	}
	files["crds/thing.yaml"] = strings.Replace(files["crds/thing.yaml"], "size: {type: integer}", "size: {type: integer}\n              color: {type: string}", 1)
	s.apply(s.release(s.charts.add("demo", "1.2.0", files), nil))
	said := func(line string) bool {
		return strings.Contains(line, "things.other.example.org") && strings.Contains(line, "left as they are")
	}
	if !slices.ContainsFunc(s.warned.get(), said) {
		t.Errorf("warnings: %q", s.warned.get())
	}
	crd, err := s.client().Kube.Dynamic.Resource(crdResource()).Get(t.Context(), "things.other.example.org", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(fmt.Sprint(crd.Object), "color") {
		t.Error("the definition was changed")
	}
}

// deleteDefinition deletes a definition and waits until it is gone with its objects.
func (s site) deleteDefinition(name string) {
	s.t.Helper()
	definitions := s.client().Kube.Dynamic.Resource(crdResource())
	if err := definitions.Delete(s.t.Context(), name, metav1.DeleteOptions{}); err != nil {
		s.t.Fatal(err)
	}
	err := poll(s.t.Context(), func() (bool, error) {
		_, err := definitions.Get(s.t.Context(), name, metav1.GetOptions{})
		return err != nil, nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// A run was cut off right after it had made the definition. The next one finds it there, not served yet, and what its
// discovery remembers on disk is older: it has to wait as the first one would have.
func TestDefinitionOfARunThatWasCutOff(t *testing.T) {
	s := newSite(t)
	r := s.release(s.charts.add("demo", "1.0.0", withDefinition("cut")), nil)
	client := s.client()
	if _, err := client.Kube.Mapper.RESTMapping(schema.GroupKind{Kind: "ConfigMap"}); err != nil {
		t.Fatal(err)
	}
	definitions, err := parse(thingCRD("cut"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.client().Kube.Mend(t.Context(), definitions[0]); err != nil {
		t.Fatal(err)
	}
	resource := client.Release(r)
	seen, err := resource.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := resource.Apply(t.Context(), seen); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Kube.Dynamic.Resource(things("cut")).Namespace(s.namespace).Get(t.Context(), "it", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
}
