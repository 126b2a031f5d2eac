package kube

import (
	"context"
	"errors"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// LockTiming is how long a lock lasts without being renewed, and how often that is done.
type LockTiming struct {
	Duration time.Duration
	Renewal  time.Duration
}

// DefaultLockTiming lets two renewals fail before the lock is lost.
func DefaultLockTiming() LockTiming {
	return LockTiming{Duration: 30 * time.Second, Renewal: 10 * time.Second}
}

// skew is how far the clocks of two machines may be apart. An older lock is expired by any clock; a younger one that
// looks expired is watched for one renewal before it is taken over.
const skew = 10 * time.Minute

// processAnnotation tells which process holds the lock, for others on the same machine.
const processAnnotation = "kubectl-onyxia/process"

// LockedError says that another run holds the lock.
type LockedError struct {
	// Holder is user@host/pid.
	Holder string
	Since  time.Time
	// Expires is when the lock ends if its holder no longer lives.
	Expires time.Time
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("another run is at work: %s; wait for it to end (if it was killed, its lock ends by itself at %s)", e.Who(), e.Expires.UTC().Format(timeFormat))
}

// Who is the holder, and since when.
func (e *LockedError) Who() string { return e.Holder + " since " + e.Since.UTC().Format(timeFormat) }

// NoNamespaceError says that the namespace where the lock would live is not there. Whoever locks makes it first.
type NoNamespaceError struct{ Namespace string }

func (e *NoNamespaceError) Error() string {
	return fmt.Sprintf("namespace %s is not there; make it first", e.Namespace)
}

// errTaken says that somebody else wrote the Lease between our reading and our writing.
var errTaken = errors.New("the lease was written by somebody else")

var _ engine.Lock = (*Held)(nil)

// Lock takes the lock, or returns *LockedError when another living run has it and *NoNamespaceError when the namespace
// is not there. The lock is a Lease that is renewed until Unlock, also after the context has ended.
func (c *Client) Lock(ctx context.Context, namespace, name string) (*Held, error) {
	return c.LockFor(ctx, namespace, name, DefaultLockTiming())
}

// LockFor is Lock with another timing.
func (c *Client) LockFor(ctx context.Context, namespace, name string, timing LockTiming) (*Held, error) {
	l := c.lease(namespace, name, timing)
	for {
		live, err := l.acquire(ctx)
		if !errors.Is(err, errTaken) {
			if err != nil {
				return nil, err
			}
			return hold(ctx, l, live), nil
		}
	}
}

func (c *Client) lease(namespace, name string, timing LockTiming) *lease {
	return &lease{
		api: c.Clientset.CoordinationV1().Leases(namespace), homes: c.Clientset.CoreV1().Namespaces(),
		namespace: namespace, name: name, self: thisProcess(), timing: timing,
	}
}

// LockHolder is the living run that holds the lock, nil when nobody does or this process itself. It writes nothing, so a
// lock that looks expired counts as one that nobody holds.
func (c *Client) LockHolder(ctx context.Context, namespace, name string) (*LockedError, error) {
	l := c.lease(namespace, name, DefaultLockTiming())
	live, err := l.api.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read lock %s/%s: %w", namespace, name, err)
	}
	mark := live.Annotations[processAnnotation]
	if holderOf(live) == "" || mark == l.self.mark() || l.self.knowsDead(mark) || !time.Now().Before(expiry(live)) {
		return nil, nil
	}
	return lockedBy(live), nil
}

// acquire makes the Lease, or takes over one that nobody holds any more.
func (l *lease) acquire(ctx context.Context) (*coordinationv1.Lease, error) {
	live, err := l.api.Get(ctx, l.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return l.create(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("read lock %s/%s: %w", l.namespace, l.name, err)
	}
	free, err := l.free(ctx, live)
	if err != nil {
		return nil, err
	}
	if !free {
		return nil, lockedBy(live)
	}
	return l.write(ctx, live, time.Now())
}

// free tells whether nobody holds the Lease: it was given back, its process is known to be dead, or it has expired. One
// that may only seem expired, because clocks differ, is watched.
func (l *lease) free(ctx context.Context, live *coordinationv1.Lease) (bool, error) {
	if holderOf(live) == "" || l.self.knowsDead(live.Annotations[processAnnotation]) {
		return true, nil
	}
	expired := time.Since(expiry(live))
	if expired <= 0 {
		return false, nil
	}
	if expired > skew {
		return true, nil
	}
	select {
	case <-ctx.Done():
		return false, context.Cause(ctx)
	case <-time.After(l.timing.Renewal + l.timing.Renewal/5):
	}
	again, err := l.api.Get(ctx, l.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, errTaken
	}
	if err != nil {
		return false, fmt.Errorf("read lock %s/%s: %w", l.namespace, l.name, err)
	}
	return again.ResourceVersion == live.ResourceVersion, nil
}

func (l *lease) create(ctx context.Context) (*coordinationv1.Lease, error) {
	made := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: l.name, Namespace: l.namespace}}
	l.fill(made, time.Now())
	live, err := l.api.Create(ctx, made, metav1.CreateOptions{FieldManager: FieldManager})
	switch {
	case err == nil:
		return live, nil
	case apierrors.IsAlreadyExists(err):
		return nil, errTaken
	case apierrors.IsNotFound(err):
		return nil, &NoNamespaceError{Namespace: l.namespace}
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return nil, fmt.Errorf("namespace %s is being deleted; %s: %w", l.namespace, endingFix(l.namespace), err)
	}
	return nil, fmt.Errorf("make lock %s/%s: %w", l.namespace, l.name, err)
}

func holderOf(live *coordinationv1.Lease) string {
	if live.Spec.HolderIdentity == nil {
		return ""
	}
	return *live.Spec.HolderIdentity
}

func expiry(live *coordinationv1.Lease) time.Time {
	if live.Spec.RenewTime == nil || live.Spec.LeaseDurationSeconds == nil {
		return time.Time{}
	}
	return live.Spec.RenewTime.Add(time.Duration(*live.Spec.LeaseDurationSeconds) * time.Second)
}

func lockedBy(live *coordinationv1.Lease) *LockedError {
	e := &LockedError{Holder: holderOf(live), Expires: expiry(live)}
	if live.Spec.AcquireTime != nil {
		e.Since = live.Spec.AcquireTime.Time
	}
	return e
}
