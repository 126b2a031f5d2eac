package kube

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	core "k8s.io/client-go/kubernetes/typed/core/v1"
)

// lease is one Lease object and who we are to it.
type lease struct {
	api       coordination.LeaseInterface
	homes     core.NamespaceInterface
	namespace string
	name      string
	self      process
	timing    LockTiming
}

// fill puts our name and the times into a Lease.
func (l *lease) fill(o *coordinationv1.Lease, acquired time.Time) {
	holder, seconds := l.self.String(), int32(math.Ceil(l.timing.Duration.Seconds()))
	since, now := metav1.NewMicroTime(acquired), metav1.NowMicro()
	o.Spec.HolderIdentity, o.Spec.LeaseDurationSeconds = &holder, &seconds
	o.Spec.AcquireTime, o.Spec.RenewTime = &since, &now
	if o.Labels == nil {
		o.Labels = map[string]string{}
	}
	if o.Annotations == nil {
		o.Annotations = map[string]string{}
	}
	o.Labels[ManagedByLabel] = FieldManager
	o.Annotations[processAnnotation] = l.self.mark()
}

// write takes or renews the Lease, unless another process wrote it since it was read (its resourceVersion says so).
func (l *lease) write(ctx context.Context, live *coordinationv1.Lease, acquired time.Time) (*coordinationv1.Lease, error) {
	next := live.DeepCopy()
	l.fill(next, acquired)
	written, err := l.api.Update(ctx, next, metav1.UpdateOptions{FieldManager: FieldManager})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil, errTaken
	}
	if err != nil {
		return nil, fmt.Errorf("write lock %s/%s: %w", l.namespace, l.name, err)
	}
	return written, nil
}

// reread gets a Lease that another process wrote to, nil when it is no longer ours. Labels may be put on it by anybody.
func (l *lease) reread(ctx context.Context, last *coordinationv1.Lease) (*coordinationv1.Lease, error) {
	live, err := l.api.Get(ctx, l.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read lock %s/%s: %w", l.namespace, l.name, err)
	}
	if live.UID != last.UID || live.Annotations[processAnnotation] != l.self.mark() || holderOf(live) != l.self.String() {
		return nil, nil
	}
	return live, nil
}

// renewed writes the Lease once more, also when it was touched meanwhile; errTaken when it is no longer ours. One that went
// with its namespace stays ours, as it was last.
func (l *lease) renewed(ctx context.Context, last *coordinationv1.Lease) (*coordinationv1.Lease, error) {
	acquired := last.Spec.AcquireTime.Time
	for live := last; ; {
		written, err := l.write(ctx, live, acquired)
		if !errors.Is(err, errTaken) {
			return written, err
		}
		if live, err = l.reread(ctx, last); err != nil {
			return nil, err
		}
		if live == nil {
			return last, l.homeless(ctx)
		}
	}
}

// homeless is nil when the namespace of the lock is gone or going. Our own run may be what removes it, and nobody else
// can make a lock there as long as it is not made anew. Else it is errTaken, or why nobody can tell.
func (l *lease) homeless(ctx context.Context) error {
	home, err := l.homes.Get(ctx, l.namespace, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case apierrors.IsForbidden(err) || err == nil && home.DeletionTimestamp == nil:
		return errTaken
	case err != nil:
		return fmt.Errorf("read namespace %s: %w", l.namespace, err)
	}
	return nil
}

// Held is a lock that this process holds.
type Held struct {
	lease *lease
	lost  chan struct{}
	stop  chan struct{}
	done  chan struct{}
	once  sync.Once
	// end is when the lock is lost unless it is renewed.
	end atomic.Pointer[time.Time]
	// live belongs to the renewing goroutine until done is closed.
	live *coordinationv1.Lease
}

// hold renews the Lease until Unlock. It goes on after the context has ended: what is cleaned up then needs the lock.
func hold(ctx context.Context, l *lease, live *coordinationv1.Lease) *Held {
	h := &Held{lease: l, live: live, lost: make(chan struct{}), stop: make(chan struct{}), done: make(chan struct{})}
	now := time.Now()
	h.renewedAt(now.Add(live.Spec.RenewTime.Sub(now)))
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(h.done)
		defer cancel()
		h.renew(ctx)
	}()
	go func() {
		// A request under way must not keep Unlock waiting.
		select {
		case <-h.stop:
			cancel()
		case <-h.done:
		}
	}()
	return h
}

// renewedAt notes a renewal that began then.
func (h *Held) renewedAt(began time.Time) {
	end := began.Add(h.lease.timing.Duration)
	h.end.Store(&end)
}

// Held reports whether the lock's time is not up.
func (h *Held) Held() bool { return before(time.Now(), *h.end.Load()) }

// before compares by both clocks: the monotonic one rests while the machine sleeps, and the one on the wall may be set back.
func before(now, end time.Time) bool {
	return now.Before(end) && now.Round(0).Before(end.Round(0))
}

func (h *Held) renew(ctx context.Context) {
	// A timer that rested with the machine is late, so it is a short one.
	look := time.NewTicker(h.lease.timing.Renewal / 10)
	defer look.Stop()
	next := time.Now().Add(h.lease.timing.Renewal)
	for {
		select {
		case <-h.stop:
			return
		case <-look.C:
		}
		if h.Held() && time.Now().Before(next) {
			continue
		}
		began := time.Now()
		attempt, cancel := context.WithDeadline(ctx, *h.end.Load())
		live, err := h.lease.renewed(attempt, h.live)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errTaken) || !h.Held():
			close(h.lost)
			return
		case err == nil:
			h.live, next = live, began.Add(h.lease.timing.Renewal)
			h.renewedAt(began)
		default:
			next = time.Now().Add(h.lease.timing.Renewal / 5)
		}
	}
}

// Lost is closed when the lock could not be renewed in time or was taken by another run.
func (h *Held) Lost() <-chan struct{} { return h.lost }

// Unlock gives the lock back by deleting the Lease. That it is gone or no longer ours is no error.
func (h *Held) Unlock(ctx context.Context) error {
	h.once.Do(func() { close(h.stop) })
	<-h.done
	for live := h.live; ; {
		err := h.remove(ctx, live.ResourceVersion)
		if !apierrors.IsConflict(err) {
			return err
		}
		// Somebody touched it, or a renewal that was cut off was written after all.
		if live, err = h.lease.reread(ctx, h.live); err != nil || live == nil {
			return err
		}
	}
}

func (h *Held) remove(ctx context.Context, version string) error {
	precondition := metav1.Preconditions{UID: &h.live.UID, ResourceVersion: &version}
	err := h.lease.api.Delete(ctx, h.lease.name, metav1.DeleteOptions{Preconditions: &precondition})
	if err == nil || apierrors.IsNotFound(err) {
		return nil
	}
	return fmt.Errorf("give back lock %s/%s: %w", h.lease.namespace, h.lease.name, err)
}
