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
	// Watching is told that a lock looks abandoned and is watched for that long; nil for nobody.
	Watching func(holder string, during time.Duration)
}

// DefaultLockTiming lets two renewals fail before the lock is lost.
func DefaultLockTiming() LockTiming {
	return LockTiming{Duration: 30 * time.Second, Renewal: 10 * time.Second}
}

// processAnnotation tells which process holds the lock, for others on the same machine.
const processAnnotation = "kubectl-onyxia/process"

// LockedError says that another run holds the lock.
type LockedError struct {
	// Holder is user@host/pid.
	Holder string
	Since  time.Time
	// Expires is when the lock ends if its holder no longer lives; zero where that is not known.
	Expires time.Time
}

func (e *LockedError) Error() string {
	if e.Expires.IsZero() {
		return fmt.Sprintf("another run is at work: %s; wait for it to end", e.Who())
	}
	return fmt.Sprintf("another run is at work: %s; wait for it to end (if it was killed, its lock ends by itself at %s)", e.Who(), e.Expires.UTC().Format(timeFormat))
}

// Who is the holder, and since when.
func (e *LockedError) Who() string { return e.Holder + " since " + e.Since.UTC().Format(timeFormat) }

// NoNamespaceError says that the namespace where the lock would live is not there. Whoever locks makes it first.
type NoNamespaceError struct{ Namespace string }

func (e *NoNamespaceError) Error() string {
	return fmt.Sprintf("namespace %s is not there; make it first", e.Namespace)
}

// errTaken says that another process wrote the Lease between our reading and our writing.
var errTaken = errors.New("the lease was written by another process")

var _ engine.Lock = (*Held)(nil)

// Lock takes the lock, or returns *LockedError when another living run has it and *NoNamespaceError when the namespace
// is not there. The lock is a Lease that is renewed until Unlock, also after the context has ended.
//
// It is taken over as client-go's leaderelection does it, but not by that package, which is made for a service: it waits for the
// lock instead of saying who has it, measures its own time by a clock that rests while a machine sleeps, makes way for nobody
// before the time is up although the holder's process is dead, and loses the lock when a run removes the namespace it is in.
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
		held := lockedBy(live)
		if time.Now().After(held.Expires) {
			// It lives, so its clock is not ours, and its time means nothing here.
			held.Expires = time.Time{}
		}
		return nil, held
	}
	return l.write(ctx, live, time.Now())
}

// free reports whether nobody holds the Lease: it was given back, its process is known to be dead, or nobody renewed it while it
// was watched for as long as it lasts. The times in it are another machine's: that it has expired by them and by our clock only
// says that watching is worth while, however long ago it was.
func (l *lease) free(ctx context.Context, live *coordinationv1.Lease) (bool, error) {
	if holderOf(live) == "" || l.self.knowsDead(live.Annotations[processAnnotation]) {
		return true, nil
	}
	if time.Now().Before(expiry(live)) {
		return false, nil
	}
	during := max(lasts(live), l.timing.Duration)
	if l.timing.Watching != nil {
		l.timing.Watching(lockedBy(live).Who(), during)
	}
	end := time.After(during)
	for {
		last := false
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-time.After(l.timing.Renewal / 5):
		case <-end:
			last = true
		}
		again, err := l.api.Get(ctx, l.name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return false, errTaken
		case err != nil:
			return false, fmt.Errorf("read lock %s/%s: %w", l.namespace, l.name, err)
		case last || again.ResourceVersion != live.ResourceVersion:
			return again.ResourceVersion == live.ResourceVersion, nil
		}
	}
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
	if live.Spec.RenewTime == nil {
		return time.Time{}
	}
	return live.Spec.RenewTime.Add(lasts(live))
}

// lasts is how long the Lease is good without being renewed.
func lasts(live *coordinationv1.Lease) time.Duration {
	if live.Spec.LeaseDurationSeconds == nil {
		return 0
	}
	return time.Duration(*live.Spec.LeaseDurationSeconds) * time.Second
}

func lockedBy(live *coordinationv1.Lease) *LockedError {
	e := &LockedError{Holder: holderOf(live), Expires: expiry(live)}
	if live.Spec.AcquireTime != nil {
		e.Since = live.Spec.AcquireTime.Time
	}
	return e
}
