package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// ManagedByLabel with the value FieldManager marks what we made.
const ManagedByLabel = "app.kubernetes.io/managed-by"

// Object is one Kubernetes object, written by server-side apply under FieldManager. Only the fields that it names are
// compared and written; others may add theirs.
type Object struct {
	client *Client
	want   func(context.Context) (*unstructured.Unstructured, error)

	// seen is what was observed last, if nothing was written since and nobody asked for its health yet.
	mu   sync.Mutex
	seen *unstructured.Unstructured
}

var (
	_ engine.Resource[ObjectSeen] = (*Object)(nil)
	_ engine.Remover              = (*Object)(nil)
	_ engine.Waiter               = (*Object)(nil)
	_ engine.Refuser              = (*Object)(nil)
)

// NewObject makes a resource of an object that may need outputs of other steps to be known.
func NewObject(c *Client, want func(context.Context) (*unstructured.Unstructured, error)) *Object {
	return &Object{client: c, want: want}
}

// Fixed is a wanted object that is known from the start.
func Fixed(o *unstructured.Unstructured) func(context.Context) (*unstructured.Unstructured, error) {
	return func(context.Context) (*unstructured.Unstructured, error) { return o, nil }
}

// ObjectSeen is what was wanted and what was there.
type ObjectSeen struct {
	Want *unstructured.Unstructured
	// Live is nil when the object is not there.
	Live *unstructured.Unstructured
	// Ending says that the namespace is being deleted, and why that takes long; empty when it is not.
	Ending string
	owners ownership
}

// Observe reads the object; when it is not there also its namespace, in which nothing can be made while it is deleted.
func (o *Object) Observe(ctx context.Context) (ObjectSeen, error) {
	want, err := o.want(ctx)
	if err != nil {
		return ObjectSeen{}, err
	}
	seen := ObjectSeen{Want: normalized(want)}
	seen.Live, err = o.client.Get(ctx, seen.Want)
	var unknown *UnknownKindError
	if errors.As(err, &unknown) {
		return seen, nil
	}
	if err != nil {
		return seen, err
	}
	if seen.Live == nil {
		seen.Ending, err = o.client.endingNamespace(ctx, seen.Want.GetNamespace())
		return seen, err
	}
	o.remember(seen.Live)
	seen.owners, err = ownershipOf(seen.Live)
	return seen, err
}

func (o *Object) remember(live *unstructured.Unstructured) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen = live
}

// Plan compares; it asks the API server nothing.
func (o *Object) Plan(seen ObjectSeen) engine.Change {
	switch {
	case seen.Ending != "":
		return blockedByEnd(seen.Want.GetNamespace(), seen.Ending, endingFix(seen.Want.GetNamespace()))
	case seen.Live == nil:
		return engine.Change{Action: engine.Create}
	case seen.Live.GetDeletionTimestamp() != nil:
		return blockedByEnd(seen.Want.GetNamespace(), ending(seen.Live), "wait for that, or look at what its finalizers wait for")
	}
	c := comparison{kind: seen.Want.GetKind()}
	c.objects(seen.Want, seen.Live, seen.owners.all)
	c.found = append(c.found, seen.owners.removed(seen.Want, seen.Live)...)
	if len(c.found) == 0 {
		return engine.Change{Action: engine.Unchanged}
	}
	fields := c.fields()
	if held := seen.owners.conflicts(c.found); len(held) > 0 && !o.client.ForceConflicts {
		conflict := &ConflictError{Object: describe(seen.Want), Conflicts: held}
		return engine.Change{Action: engine.Blocked, Fields: fields, Why: conflict.why(), Fix: conflict.fix()}
	}
	change := engine.Change{Action: engine.Configure, Fields: fields}
	if foreign(seen.Live, seen.owners) {
		change.Adopts = adoption(seen.Live, seen.owners, fields)
	}
	return change
}

// foreign reports whether another party made an object, and we never had to change it.
func foreign(live *unstructured.Unstructured, owners ownership) bool {
	return live.GetLabels()[ManagedByLabel] != FieldManager && owners.ours == nil
}

// adoption is what changing another party's object means.
func adoption(live *unstructured.Unstructured, owners ownership, fields []engine.Field) *engine.Adoption {
	a := &engine.Adoption{What: describe(live) + ", made by " + owners.makers()}
	var lost []string
	for _, f := range fields {
		if f.From != "" || f.Secret {
			lost = append(lost, f.Path)
		}
	}
	a.Lost = strings.Join(lost, ", ")
	if live.GetKind() == "PersistentVolumeClaim" {
		a.Holds = "what is on the volume"
	}
	return a
}

// Apply sends the wanted fields. Errors are *ConflictError, *ImmutableError, *UnknownKindError or the API server's.
func (o *Object) Apply(ctx context.Context, seen ObjectSeen) error {
	o.remember(nil)
	resource, err := o.client.resource(seen.Want)
	if err != nil {
		return err
	}
	_, err = resource.Apply(ctx, seen.Want.GetName(), seen.Want, metav1.ApplyOptions{FieldManager: FieldManager, Force: o.client.ForceConflicts})
	return refusal(seen.Want, err)
}

// Ready is the health of workloads, claims and load balancers; anything else is ready once it is there. The first
// question after an observation is answered from it.
func (o *Object) Ready(ctx context.Context) (engine.Health, error) {
	o.mu.Lock()
	seen := o.seen
	o.seen = nil
	o.mu.Unlock()
	if seen != nil {
		return o.client.HealthOf(ctx, []*unstructured.Unstructured{seen})
	}
	want, err := o.want(ctx)
	if err != nil {
		return engine.Health{}, err
	}
	return o.client.Health(ctx, []*unstructured.Unstructured{want})
}

// RefuseRemoval keeps an object that somebody else made and we never had to change.
func (o *Object) RefuseRemoval(ctx context.Context) string {
	live, err := o.live(ctx)
	if err != nil {
		return "cannot be read: " + err.Error()
	}
	if live == nil {
		return ""
	}
	if owners, err := ownershipOf(live); err != nil || foreign(live, owners) {
		return "was not made by " + FieldManager
	}
	return ""
}

// Remove deletes the object. That it is not there, or its kind no longer known, is no error.
func (o *Object) Remove(ctx context.Context) error {
	live, err := o.live(ctx)
	if err != nil || live == nil {
		return err
	}
	resource, err := o.client.resource(live)
	if err != nil {
		return err
	}
	uid, background := live.GetUID(), metav1.DeletePropagationBackground
	err = resource.Delete(ctx, live.GetName(), metav1.DeleteOptions{PropagationPolicy: &background, Preconditions: &metav1.Preconditions{UID: &uid}})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return refusal(live, err)
}

// goneInterval is how often Gone looks.
const goneInterval = 500 * time.Millisecond

// Gone waits until the object is no longer there. When the context ends first, the error says what holds the object.
func (o *Object) Gone(ctx context.Context) error {
	last := "was not looked at"
	for {
		live, err := o.live(ctx)
		switch {
		case err == nil && live == nil:
			return nil
		case err == nil:
			last = ending(live)
		case ctx.Err() == nil:
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until it is gone: %s: %w", last, context.Cause(ctx))
		case <-time.After(goneInterval):
		}
	}
}

// live reads the object if anybody can know it by now.
func (o *Object) live(ctx context.Context) (*unstructured.Unstructured, error) {
	want, err := o.want(ctx)
	var notYet *engine.NotYetError
	if errors.As(err, &notYet) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	live, err := o.client.Get(ctx, want)
	var unknown *UnknownKindError
	if errors.As(err, &unknown) {
		return nil, nil
	}
	return live, err
}

// ending says since when something is being deleted, and what it waits for.
func ending(o metav1.Object) string {
	what := "it"
	if u, ok := o.(*unstructured.Unstructured); ok {
		what = describe(u)
	}
	at := o.GetDeletionTimestamp()
	if at == nil {
		return what + " is there and not being deleted"
	}
	text := fmt.Sprintf("%s is being deleted since %s", what, at.UTC().Format(timeFormat))
	if f := o.GetFinalizers(); len(f) > 0 {
		text += "; it waits for " + strings.Join(slices.Sorted(slices.Values(f)), ", ")
	}
	return text
}
