package kube

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

// UnknownKindError says that the cluster does not serve a kind: its custom resource definition is not there.
type UnknownKindError struct {
	APIVersion string
	Kind       string
}

func (e *UnknownKindError) Error() string {
	return fmt.Sprintf("the cluster does not know the kind %s of %s; install what brings its custom resource definition first", e.Kind, e.APIVersion)
}

// Get reads the object with that apiVersion, kind, namespace and name. It returns nil without an error when the object
// is not there, and *UnknownKindError when the cluster does not serve the kind.
func (c *Client) Get(ctx context.Context, ref *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	resource, err := c.resource(ref)
	if err != nil {
		return nil, err
	}
	live, err := resource.Get(ctx, ref.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", describe(ref), err)
	}
	return live, nil
}

// resource is the place of an object in the API, from the discovery cache. A kind that the cache does not hold is looked
// up once more in the cluster: a release may have brought it a moment ago.
func (c *Client) resource(ref *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	kind := ref.GroupVersionKind()
	mapping, err := c.Mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if meta.IsNoMatchError(err) {
		c.Mapper.Reset()
		mapping, err = c.Mapper.RESTMapping(kind.GroupKind(), kind.Version)
	}
	if meta.IsNoMatchError(err) {
		return nil, &UnknownKindError{APIVersion: ref.GetAPIVersion(), Kind: ref.GetKind()}
	}
	if err != nil {
		return nil, fmt.Errorf("look up kind %s: %w", kind.Kind, err)
	}
	if mapping.Scope.Name() != meta.RESTScopeNameNamespace {
		return c.Dynamic.Resource(mapping.Resource), nil
	}
	if ref.GetNamespace() == "" {
		return nil, fmt.Errorf("%s has no namespace", describe(ref))
	}
	return c.Dynamic.Resource(mapping.Resource).Namespace(ref.GetNamespace()), nil
}

// describe names an object in messages: "Deployment onyxia/onyxia-api".
func describe(o *unstructured.Unstructured) string {
	if o.GetNamespace() == "" {
		return o.GetKind() + " " + o.GetName()
	}
	return o.GetKind() + " " + o.GetNamespace() + "/" + o.GetName()
}
