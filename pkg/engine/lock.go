package engine

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Lock is held by one run at a time on an installation.
type Lock interface {
	// Lost is closed when another run may have taken the lock.
	Lost() <-chan struct{}
	// Held reports whether the lock is certainly still ours, by the clock on the wall: timers rest while a machine sleeps, and
	// the time of a lock goes on.
	Held() bool
	// Unlock gives it back.
	Unlock(ctx context.Context) error
}

// ErrLockLost ends a run whose lock could not be kept.
var ErrLockLost = errors.New("the lock was lost: another run may have begun")

// unlockTimeout bounds the last request of a run that was interrupted.
const unlockTimeout = 10 * time.Second

type lockKey struct{}

// StillLocked returns ErrLockLost when the lock under which the context was given is not certainly held any more. Where there
// is no lock there is none to lose.
func StillLocked(ctx context.Context) error {
	if lock, ok := ctx.Value(lockKey{}).(Lock); ok && !lock.Held() {
		return ErrLockLost
	}
	return nil
}

// WithLock runs a function under a lock. The function's context ends when the lock is lost. The lock is given back
// even when the context has ended.
func WithLock(ctx context.Context, acquire func(context.Context) (Lock, error), do func(context.Context) error) (err error) {
	lock, err := acquire(ctx)
	if err != nil {
		return err
	}
	held, cancel := context.WithCancelCause(context.WithValue(ctx, lockKey{}, lock))
	defer cancel(nil)
	go func() {
		select {
		case <-lock.Lost():
			cancel(ErrLockLost)
		case <-held.Done():
		}
	}()
	defer func() {
		last, stop := context.WithTimeout(context.WithoutCancel(ctx), unlockTimeout)
		defer stop()
		if e := lock.Unlock(last); e != nil {
			err = errors.Join(err, fmt.Errorf("lock not given back (it expires by itself): %w", e))
		}
	}()
	return do(held)
}
