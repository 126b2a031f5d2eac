package vault

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

// volume is the claim of one server. The StatefulSet makes it and leaves it behind, so that here it is only waited for,
// and removed when it is named.
type volume struct {
	site *site
	name string
}

// Observe reads the claim; nil means that it is not there.
func (v *volume) Observe(ctx context.Context) (*corev1.PersistentVolumeClaim, error) {
	claim, err := v.site.env.Kube.Clientset.CoreV1().PersistentVolumeClaims(v.site.namespace()).Get(ctx, v.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("volume of vault: %w", kube.Explain(err))
	}
	return claim, nil
}

// Plan tells whether it is there.
func (v *volume) Plan(claim *corev1.PersistentVolumeClaim) engine.Change {
	if claim == nil {
		return engine.Change{Action: engine.Create, Why: "comes with the release"}
	}
	return engine.Change{Action: engine.Unchanged}
}

// Apply has nothing to write.
func (v *volume) Apply(context.Context, *corev1.PersistentVolumeClaim) error { return nil }

// Ready waits for the StatefulSet to make it.
func (v *volume) Ready(ctx context.Context) (engine.Health, error) {
	claim, err := v.Observe(ctx)
	if err != nil {
		return engine.Health{}, err
	}
	if claim == nil {
		return engine.Health{Reason: "its StatefulSet has not made it yet"}, nil
	}
	return engine.Health{Ready: true}, nil
}

// Remove deletes the claim; it goes when its pod has gone.
func (v *volume) Remove(ctx context.Context) error {
	err := v.site.env.Kube.Clientset.CoreV1().PersistentVolumeClaims(v.site.namespace()).Delete(ctx, v.name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("volume of vault: %w", kube.Explain(err))
	}
	return nil
}
