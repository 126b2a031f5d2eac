package kube

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// readers is how many objects are looked at concurrently.
const readers = 16

// HealthOption widens what healthy means.
type HealthOption func(*examination)

// OldPodsGone also waits until the pods of a Deployment's former version have ended. A pod that is ending goes on
// answering through its Service; Onyxia's API does so for its whole 30 seconds of grace.
func OldPodsGone() HealthOption { return func(e *examination) { e.oldPodsGone = true } }

// AddressLater leaves it to somebody else to wait for the addresses of load balancers.
func AddressLater() HealthOption { return func(e *examination) { e.addressLater = true } }

// examination is one look at some objects.
type examination struct {
	client                    *Client
	now                       time.Time
	oldPodsGone, addressLater bool
}

// Health reads the objects by kind, namespace and name, and tells whether all of them work. The reason is the latest
// that the cluster says about one that doesn't, the hopeless ones first.
func (c *Client) Health(ctx context.Context, objects []*unstructured.Unstructured, options ...HealthOption) (engine.Health, error) {
	live := make([]*unstructured.Unstructured, len(objects))
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i, o := range objects {
		group.Go(func() (err error) {
			live[i], err = c.Get(inner, o)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return engine.Health{}, err
	}
	for i, o := range live {
		if o == nil {
			return engine.Health{Reason: describe(objects[i]) + " is not there"}, nil
		}
	}
	return c.HealthOf(ctx, live, options...)
}

// HealthOf is Health for objects that were read a moment ago; only what the cluster says about unready ones is read.
func (c *Client) HealthOf(ctx context.Context, live []*unstructured.Unstructured, options ...HealthOption) (engine.Health, error) {
	e := &examination{client: c, now: time.Now()}
	for _, option := range options {
		option(e)
	}
	found := make([]engine.Health, len(live))
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i, o := range live {
		group.Go(func() (err error) {
			found[i], err = e.of(inner, o)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return engine.Health{}, err
	}
	return combined(live, found), nil
}

// combined is the health of the whole: the first hopeless one speaks, else the first unready one.
func combined(live []*unstructured.Unstructured, found []engine.Health) engine.Health {
	all, unready := engine.Health{Ready: true}, 0
	for i, h := range found {
		if h.Ready {
			continue
		}
		unready++
		if all.Ready || h.Hopeless && !all.Hopeless {
			all = h
			all.Reason = describe(live[i]) + ": " + h.Reason
		}
	}
	if unready > 1 {
		all.Reason += fmt.Sprintf(" (and %d more not ready)", unready-1)
	}
	return all
}

// of looks at one object by its kind; a kind that has no health is ready by being there.
func (e *examination) of(ctx context.Context, o *unstructured.Unstructured) (engine.Health, error) {
	if o.GetDeletionTimestamp() != nil {
		return engine.Health{Reason: ending(o)}, nil
	}
	kind := o.GroupVersionKind()
	switch kind.Group + "/" + kind.Kind {
	case "apps/Deployment":
		return examine(ctx, o, e.deployment)
	case "apps/StatefulSet":
		return examine(ctx, o, e.statefulSet)
	case "apps/DaemonSet":
		return examine(ctx, o, e.daemonSet)
	case "batch/Job":
		return examine(ctx, o, e.job)
	case "/Pod":
		return examine(ctx, o, e.pod)
	case "/PersistentVolumeClaim":
		return examine(ctx, o, e.claim)
	case "/Service":
		return examine(ctx, o, e.service)
	case "apiextensions.k8s.io/CustomResourceDefinition":
		return established(o), nil
	}
	return engine.Health{Ready: true}, nil
}

// examine converts an object to its Go type for the function that knows it.
func examine[T any](ctx context.Context, o *unstructured.Unstructured, look func(context.Context, *T) (engine.Health, error)) (engine.Health, error) {
	typed := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, typed); err != nil {
		return engine.Health{}, fmt.Errorf("read %s: %w", describe(o), err)
	}
	return look(ctx, typed)
}

// established tells whether the API server serves a custom resource already.
func established(o *unstructured.Unstructured) engine.Health {
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range conditions {
		condition := mapOf(c)
		if condition["type"] == "Established" && condition["status"] == string(corev1.ConditionTrue) {
			return engine.Health{Ready: true}
		}
		if condition["type"] == "NamesAccepted" && condition["status"] == string(corev1.ConditionFalse) {
			return engine.Health{Reason: oneLine(text(condition["message"])), Hopeless: true}
		}
	}
	return engine.Health{Reason: "not established yet"}
}
