package kubetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
)

// EndNamespace does what the namespace controller does for a namespace that is being deleted: it deletes what is in it,
// and lets it go when nothing is left.
func (c *Cluster) EndNamespace(t testing.TB, name string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		n, err := c.own.CoreV1().Namespaces().Get(t.Context(), name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		// Something that goes away or changes meanwhile is met again next time.
		if err := c.endNamespace(t.Context(), n); err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			t.Fatal(err)
		}
	}
	t.Fatalf("namespace %s does not end", name)
}

// endNamespace does nothing for a namespace that is not being deleted. What has finalizers keeps it.
func (c *Cluster) endNamespace(ctx context.Context, n *corev1.Namespace) error {
	if n.DeletionTimestamp == nil {
		return nil
	}
	lists, err := c.own.Discovery().ServerPreferredResources()
	if err != nil && len(lists) == 0 {
		return err
	}
	client, err := c.dynamic()
	if err != nil {
		return err
	}
	kinds, err := discovery.GroupVersionResources(discovery.FilteredBy(emptied{}, lists))
	if err != nil {
		return err
	}
	left, errs := 0, []error(nil)
	for kind := range kinds {
		n, err := empty(ctx, client.Resource(kind).Namespace(n.Name))
		left += n
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil || left > 0 {
		return err
	}
	n.Spec.Finalizers = nil
	_, err = c.own.CoreV1().Namespaces().Finalize(ctx, n, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func (c *Cluster) dynamic() (dynamic.Interface, error) {
	config, err := c.restConfig(ownUser, "system:masters")
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	return dynamic.NewForConfig(config)
}

// emptied are the kinds that a namespace is emptied of.
type emptied struct{}

func (emptied) Match(_ string, r *metav1.APIResource) bool {
	return r.Namespaced && slices.Contains(r.Verbs, "list") && slices.Contains(r.Verbs, "delete")
}

// protection is the finalizer of volume claims, which a controller takes off once no pod uses them.
const protection = "kubernetes.io/pvc-protection"

// empty deletes all objects of one kind, and counts those that were there.
func empty(ctx context.Context, api dynamic.ResourceInterface) (int, error) {
	list, err := api.List(ctx, metav1.ListOptions{})
	if err != nil {
		return 0, err
	}
	now := int64(0)
	for i := range list.Items {
		o := &list.Items[i]
		err := api.Delete(ctx, o.GetName(), metav1.DeleteOptions{GracePeriodSeconds: &now})
		if err == nil && slices.Contains(o.GetFinalizers(), protection) {
			err = unprotect(ctx, api, o)
		}
		if err != nil && !apierrors.IsNotFound(err) {
			return 0, err
		}
	}
	return len(list.Items), nil
}

func unprotect(ctx context.Context, api dynamic.ResourceInterface, o *unstructured.Unstructured) error {
	live, err := api.Get(ctx, o.GetName(), metav1.GetOptions{})
	if err != nil {
		return err
	}
	live.SetFinalizers(slices.DeleteFunc(live.GetFinalizers(), func(f string) bool { return f == protection }))
	_, err = api.Update(ctx, live, metav1.UpdateOptions{})
	return err
}
