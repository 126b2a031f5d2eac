package kube

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// lastEvent is the latest event about an object, of one type or of any; empty when there is none or events may not be read.
func (e *examination) lastEvent(ctx context.Context, about *metav1.ObjectMeta, kind string) (string, error) {
	selector := fields.Set{"involvedObject.uid": string(about.UID)}
	if kind != "" {
		selector["type"] = kind
	}
	list, err := e.client.Clientset.CoreV1().Events(about.Namespace).List(ctx, metav1.ListOptions{FieldSelector: selector.String()})
	if apierrors.IsForbidden(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("list events in %s: %w", about.Namespace, err)
	}
	var last *corev1.Event
	for i := range list.Items {
		if last == nil || !happened(&list.Items[i]).Before(happened(last)) {
			last = &list.Items[i]
		}
	}
	if last == nil {
		return "", nil
	}
	return oneLine(last.Reason + ": " + last.Message), nil
}

// happened is when an event was last seen; which field says so depends on who wrote it.
func happened(e *corev1.Event) time.Time {
	latest := e.LastTimestamp.Time
	if e.EventTime.After(latest) {
		latest = e.EventTime.Time
	}
	if e.Series != nil && e.Series.LastObservedTime.After(latest) {
		latest = e.Series.LastObservedTime.Time
	}
	return latest
}

func (e *examination) claim(ctx context.Context, c *corev1.PersistentVolumeClaim) (engine.Health, error) {
	switch c.Status.Phase {
	case corev1.ClaimBound:
		return engine.Health{Ready: true}, nil
	case corev1.ClaimLost:
		return engine.Health{Reason: "its volume " + c.Spec.VolumeName + " is lost", Hopeless: true}, nil
	}
	waits, err := e.waitsForPod(ctx, c)
	if err != nil {
		return engine.Health{}, err
	}
	if waits {
		return engine.Health{Ready: true, Reason: "is bound when its first pod is scheduled"}, nil
	}
	reason, err := e.lastEvent(ctx, &c.ObjectMeta, "")
	if reason == "" {
		reason = "not bound to a volume yet"
	}
	return engine.Health{Reason: reason}, err
}

// waitsForPod tells whether the claim's storage class binds only when a pod wants the volume.
func (e *examination) waitsForPod(ctx context.Context, c *corev1.PersistentVolumeClaim) (bool, error) {
	if c.Spec.StorageClassName == nil || *c.Spec.StorageClassName == "" {
		return false, nil
	}
	class, err := e.client.Clientset.StorageV1().StorageClasses().Get(ctx, *c.Spec.StorageClassName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read storage class %s: %w", *c.Spec.StorageClassName, err)
	}
	return class.VolumeBindingMode != nil && *class.VolumeBindingMode == storagev1.VolumeBindingWaitForFirstConsumer, nil
}

func (e *examination) service(ctx context.Context, s *corev1.Service) (engine.Health, error) {
	if e.addressLater || s.Spec.Type != corev1.ServiceTypeLoadBalancer || len(addressesOf(s)) > 0 {
		return engine.Health{Ready: true}, nil
	}
	reason, err := e.lastEvent(ctx, &s.ObjectMeta, "")
	if reason == "" {
		reason = "the load balancer has no address yet"
	} else {
		reason = "the load balancer has no address yet: " + reason
	}
	return engine.Health{Reason: reason}, err
}
