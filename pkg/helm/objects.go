package helm

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// object is one object of a manifest.
type object = *unstructured.Unstructured

// What Helm writes on every object that it owns, and what keeps an object when its release goes (Helm: pkg/action/validate.go,
// pkg/kube/resource_policy.go).
const (
	labelAppManagedBy          = "app.kubernetes.io/managed-by"
	appManagedByHelm           = "Helm"
	annotationReleaseName      = "meta.helm.sh/release-name"
	annotationReleaseNamespace = "meta.helm.sh/release-namespace"
	annotationResourcePolicy   = "helm.sh/resource-policy"
	policyKeep                 = "keep"
)

// parse reads the objects of a YAML stream.
func parse(manifest string) ([]object, error) {
	decoder := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(manifest), 4096)
	var objects []object
	for {
		content := map[string]any{}
		err := decoder.Decode(&content)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("manifest: %w", err)
		}
		if len(content) == 0 {
			continue
		}
		u := &unstructured.Unstructured{Object: content}
		if !u.IsList() {
			objects = append(objects, u)
			continue
		}
		err = u.EachListItem(func(item runtime.Object) error {
			objects = append(objects, item.(object))
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("manifest: %w", err)
		}
	}
}

// objects are the objects of a release as Helm applied them: with its marks, and with the release's namespace where the
// chart names none.
func (c *Client) objects(stored *Stored) ([]object, error) {
	objects, err := parse(stored.Manifest)
	if err != nil {
		return nil, fmt.Errorf("release %s: %w", stored.Name, err)
	}
	for _, u := range objects {
		mark(u, stored.Name, stored.Namespace)
		c.place(u, stored.Namespace)
	}
	return objects, nil
}

func mark(u object, name, namespace string) {
	labels := u.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[labelAppManagedBy] = appManagedByHelm
	u.SetLabels(labels)
	annotations := u.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[annotationReleaseName] = name
	annotations[annotationReleaseNamespace] = namespace
	u.SetAnnotations(annotations)
}

// place sets the namespace of an object that has none, and takes it from a cluster-wide one. A kind that the cluster
// doesn't know is taken for a namespaced one; reading it says that it is not known.
func (c *Client) place(u object, namespace string) {
	gvk := u.GroupVersionKind()
	mapping, err := c.Kube.Mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	switch {
	case err == nil && mapping.Scope.Name() == meta.RESTScopeNameRoot:
		u.SetNamespace("")
	case u.GetNamespace() == "":
		u.SetNamespace(namespace)
	}
}

// label names an object in a plan: kind/name, with the namespace if it isn't the release's.
func label(u object, namespace string) string {
	kind := strings.ToLower(u.GetKind())
	if ns := u.GetNamespace(); ns != "" && ns != namespace {
		return kind + "/" + ns + "/" + u.GetName()
	}
	return kind + "/" + u.GetName()
}

// holdsData lists the objects whose deletion loses what they hold: claims, namespaces, and stateful sets that take their
// claims with them. Those that their chart keeps are left out.
func holdsData(objects []object, namespace string) []string {
	var names []string
	for _, u := range objects {
		if u.GetAnnotations()[annotationResourcePolicy] == policyKeep {
			continue
		}
		deleted, _, err := unstructured.NestedString(u.Object, "spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted")
		switch u.GetKind() {
		case "PersistentVolumeClaim", "Namespace":
			names = append(names, label(u, namespace))
		case "StatefulSet":
			if err == nil && deleted == "Delete" {
				names = append(names, label(u, namespace)+" and its claims")
			}
		}
	}
	return names
}
