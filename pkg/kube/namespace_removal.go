package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// KeptError says that a namespace was not removed because something in it is not ours to lose.
type KeptError struct {
	Namespace string
	Why       string
}

var _ engine.Keeper = (*KeptError)(nil)

func (e *KeptError) Error() string {
	return fmt.Sprintf("namespace %s stays: %s; remove that first, then the namespace by `kubectl delete namespace %s`", e.Namespace, e.Why, e.Namespace)
}

// Kept is why.
func (e *KeptError) Kept() string { return e.Why }

// KeptBy keeps a namespace that we did not make, or that holds volumes, foreign Helm releases, Secrets worth keeping, or Secrets
// and workloads that we do not know. Our own releases do not count, nor do volumes and Secrets that are named: they go before
// the namespace does.
func (n *Namespace) KeptBy(ctx context.Context, named map[engine.ID]bool) string {
	why, err := n.keeps(ctx, n.releases, named)
	if err != nil {
		return "cannot tell what it holds: " + err.Error()
	}
	return why
}

// Remove deletes the namespace if we made it and it is empty of what is to be kept; else it returns *KeptError. One that
// is gone or going is no error. What is in it takes its time to end, see Gone.
func (n *Namespace) Remove(ctx context.Context) error {
	seen, err := n.Observe(ctx)
	if err != nil || seen.Live == nil {
		return err
	}
	n.removed = seen.Live.UID
	if seen.Live.DeletionTimestamp != nil {
		return nil
	}
	why, err := n.keeps(ctx, nil, nil)
	if err != nil {
		return err
	}
	if why != "" {
		return &KeptError{Namespace: n.name, Why: why}
	}
	precondition := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &seen.Live.UID}}
	err = n.client.Clientset.CoreV1().Namespaces().Delete(ctx, n.name, precondition)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete namespace %s: %w", n.name, err)
	}
	return nil
}

// Gone tells whether the removed namespace is no longer there, and else what its end waits for.
func (n *Namespace) Gone(ctx context.Context) (engine.Health, error) {
	seen, err := n.Observe(ctx)
	switch {
	case err != nil:
		return engine.Health{}, err
	case seen.Live == nil || seen.Live.UID != n.removed:
		return engine.Health{Ready: true}, nil
	case seen.Live.DeletionTimestamp == nil:
		return engine.Health{Reason: fmt.Sprintf("namespace %s is there and not being deleted", n.name)}, nil
	}
	return engine.Health{Reason: endingText(seen.Live)}, nil
}

// keeps says what keeps the namespace, apart from releases and data that go before it; empty for nothing.
func (n *Namespace) keeps(ctx context.Context, releases []string, named map[engine.ID]bool) (string, error) {
	seen, err := n.Observe(ctx)
	switch {
	case err != nil || seen.Live == nil:
		return "", err
	case seen.Live.Labels[ManagedByLabel] != FieldManager:
		return "was not made by " + FieldManager, nil
	}
	for _, look := range []func(context.Context) ([]string, error){
		func(ctx context.Context) ([]string, error) { return n.claims(ctx, named) },
		func(ctx context.Context) ([]string, error) { return n.foreignReleases(ctx, releases) },
		func(ctx context.Context) ([]string, error) { return n.heldSecrets(ctx, named) },
		n.strangers,
		n.kept,
	} {
		if found, err := look(ctx); err != nil || len(found) > 0 {
			return "holds " + strings.Join(found, ", "), err
		}
	}
	return "", nil
}

// claims finds volume claims. One that is being deleted is lost already, and ends when its pods have.
func (n *Namespace) claims(ctx context.Context, named map[engine.ID]bool) (found []string, err error) {
	list, err := n.client.Clientset.CoreV1().PersistentVolumeClaims(n.name).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list persistent volume claims in %s: %w", n.name, err)
	}
	for i := range list.Items {
		id := "persistentvolumeclaim/" + list.Items[i].Name
		if list.Items[i].DeletionTimestamp == nil && !named[engine.ID(id)] {
			found = append(found, id)
		}
	}
	return found, nil
}

// foreignReleases finds Helm releases by the labels that Helm's storage sets (helm.sh/helm/v3 pkg/storage/driver).
func (n *Namespace) foreignReleases(ctx context.Context, expected []string) (found []string, err error) {
	byHelm := metav1.ListOptions{LabelSelector: "owner=helm"}
	secrets, err := n.client.Clientset.CoreV1().Secrets(n.name).List(ctx, byHelm)
	if err != nil {
		return nil, fmt.Errorf("list Helm releases in %s: %w", n.name, err)
	}
	maps, err := n.client.Clientset.CoreV1().ConfigMaps(n.name).List(ctx, byHelm)
	if err != nil {
		return nil, fmt.Errorf("list Helm releases in %s: %w", n.name, err)
	}
	names := map[string]bool{}
	for i := range secrets.Items {
		names[secrets.Items[i].Labels["name"]] = true
	}
	for i := range maps.Items {
		names[maps.Items[i].Labels["name"]] = true
	}
	for name := range names {
		if !slices.Contains(expected, name) {
			found = append(found, "Helm release "+name)
		}
	}
	slices.Sort(found)
	return found, nil
}

func (n *Namespace) heldSecrets(ctx context.Context, named map[engine.ID]bool) (found []string, err error) {
	for name, with := range n.secrets {
		if named[with] {
			continue
		}
		_, err := n.client.Clientset.CoreV1().Secrets(n.name).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read secret %s/%s: %w", n.name, name, err)
		}
		found = append(found, "secret/"+name)
	}
	slices.Sort(found)
	return found, nil
}
