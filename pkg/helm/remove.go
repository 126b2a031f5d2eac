package helm

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/release"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
)

// RefuseRemoval says why a release has to stay: it isn't ours, or going would take volumes with it.
func (r *ReleaseResource) RefuseRemoval(ctx context.Context) string {
	stored, err := r.store.get(ctx, r.Name)
	if err != nil || stored == nil {
		// The observation that follows reports the error.
		return ""
	}
	if err := r.refuse(stored); err != nil {
		return err.Error()
	}
	return ""
}

// Present tells whether there is something to remove, whether or not the values are known yet.
func (r *ReleaseResource) Present(ctx context.Context) (bool, error) {
	stored, err := r.store.get(ctx, r.Name)
	return stored != nil && stored.Status != string(release.StatusUninstalled), err
}

func (r *ReleaseResource) refuse(stored *Stored) error {
	uninstall := fmt.Sprintf("`helm -n %s uninstall %s` removes it", r.Namespace, r.Name)
	switch {
	case stored.Party != "":
		return fmt.Errorf("release %s was installed by %s (chart %s): %s", r.Name, stored.Party, stored.chart(), uninstall)
	case stored.Adopted:
		return fmt.Errorf("release %s was there before and was adopted: %s", r.Name, uninstall)
	}
	objects, err := r.client.objects(stored)
	if err != nil {
		return err
	}
	if held := holdsData(objects, stored.Namespace); len(held) > 0 {
		return &VolumeError{Release: r.Name, Doing: "removing it", Objects: held}
	}
	return nil
}

// Remove uninstalls the release and waits until its objects and pods are gone. What the chart marks with
// helm.sh/resource-policy: keep stays, and so do the definitions of its crds/. A removal that was cut off is finished.
func (r *ReleaseResource) Remove(ctx context.Context) error {
	defer r.store.shared.Forget()
	r.store.shared.Forget()
	stored, err := r.store.get(ctx, r.Name)
	if err != nil || stored == nil {
		return err
	}
	if err := r.refuse(stored); err != nil {
		return err
	}
	return r.uninstall(ctx, stored)
}

func (r *ReleaseResource) uninstall(ctx context.Context, stored *Stored) error {
	config, client, err := r.client.configuration(ctx, r.Name, r.Namespace)
	if err != nil {
		return err
	}
	uninstall := action.NewUninstall(config)
	uninstall.Timeout = r.patience
	if _, err := uninstall.Run(r.Name); err != nil {
		err = errors.Join(append([]error{err}, client.deleteErrs...)...)
		return r.explain(ctx, client, err)
	}
	return r.gone(ctx, stored)
}

// gone waits until what the release had is gone, pods last: a new install must not meet the old pods on its volumes.
func (r *ReleaseResource) gone(ctx context.Context, stored *Stored) error {
	objects, err := r.client.objects(stored)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, r.patience)
	defer cancel()
	latest := "something (nothing could be read in that time)"
	err = poll(ctx, func() (bool, error) {
		left, err := r.left(ctx, objects)
		if err != nil || left == "" {
			return left == "", err
		}
		if left != latest {
			latest = left
			r.client.waiting(ReleaseID(r.Name), left+" to be gone")
		}
		return false, nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("release %s was uninstalled, but after %s there is still %s; run again to go on waiting", r.Name, r.patience, latest)
	}
	return err
}

// left names one thing of the release that is still there; empty when all is gone.
func (r *ReleaseResource) left(ctx context.Context, objects []object) (string, error) {
	for _, u := range objects {
		if u.GetAnnotations()[annotationResourcePolicy] == policyKeep {
			continue
		}
		live, err := r.client.Kube.Get(ctx, u)
		switch {
		case unknownKind(err):
			continue
		case err != nil:
			return "", err
		case live != nil:
			return label(live, r.Namespace), nil
		}
	}
	for _, u := range objects {
		pods, err := r.pods(ctx, u)
		if err != nil {
			return "", err
		}
		if len(pods) > 0 {
			return "pod " + strings.Join(pods, ", "), nil
		}
	}
	return "", nil
}

// pods are the names of the pods that a workload's selector finds.
func (r *ReleaseResource) pods(ctx context.Context, u object) ([]string, error) {
	switch u.GetKind() {
	case "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet":
	default:
		return nil, nil
	}
	selector, found, err := unstructured.NestedStringMap(u.Object, "spec", "selector", "matchLabels")
	if err != nil || !found {
		return nil, err
	}
	list, err := r.client.Kube.Clientset.CoreV1().Pods(u.GetNamespace()).List(ctx, metav1.ListOptions{LabelSelector: labels.Set(selector).String()})
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(list.Items))
	for _, pod := range list.Items {
		names = append(names, pod.Name)
	}
	return names, nil
}
