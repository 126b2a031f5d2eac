package kube

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// Volume is a volume claim of a StatefulSet, which makes it and leaves it behind. So here it is only waited for, and removed
// when it is named.
type Volume struct {
	client          *Client
	namespace, name string
	title           string
}

var (
	_ engine.Resource[*corev1.PersistentVolumeClaim] = (*Volume)(nil)
	_ engine.Remover                                 = (*Volume)(nil)
	_ engine.Waiter                                  = (*Volume)(nil)
)

// NewVolume makes the resource of a claim. The title is what errors call it, such as "volume of vault".
func NewVolume(c *Client, namespace, name, title string) *Volume {
	return &Volume{client: c, namespace: namespace, name: name, title: title}
}

// Observe reads the claim; nil means that it is not there.
func (v *Volume) Observe(ctx context.Context) (*corev1.PersistentVolumeClaim, error) {
	claim, err := v.client.Clientset.CoreV1().PersistentVolumeClaims(v.namespace).Get(ctx, v.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", v.title, Explain(err))
	}
	return claim, nil
}

// Plan tells whether it is there.
func (v *Volume) Plan(claim *corev1.PersistentVolumeClaim) engine.Change {
	if claim == nil {
		return engine.Change{Action: engine.Create, Why: "comes with the release"}
	}
	return engine.Change{Action: engine.Unchanged}
}

// Apply has nothing to write.
func (v *Volume) Apply(context.Context, *corev1.PersistentVolumeClaim) error { return nil }

// Ready waits for the StatefulSet to make it.
func (v *Volume) Ready(ctx context.Context) (engine.Health, error) {
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
func (v *Volume) Remove(ctx context.Context) error {
	err := v.client.Clientset.CoreV1().PersistentVolumeClaims(v.namespace).Delete(ctx, v.name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("%s: %w", v.title, Explain(err))
	}
	return nil
}
