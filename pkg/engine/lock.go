package engine

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Lock is held by one run at a time on an installation.
type Lock interface {
	// Lost is closed when somebody else may have taken the lock.
	Lost() <-chan struct{}
	// Unlock gives it back.
	Unlock(ctx context.Context) error
}

// ErrLockLost ends a run whose lock could not be kept.
var ErrLockLost = errors.New("the lock was lost: another run may have begun")

// unlockTimeout bounds the last request of a run that was interrupted.
const unlockTimeout = 10 * time.Second

// WithLock runs a function under a lock. The function's context ends when the lock is lost. The lock is given back
// even when the context has ended.
func WithLock(ctx context.Context, acquire func(context.Context) (Lock, error), do func(context.Context) error) (err error) {
	lock, err := acquire(ctx)
	if err != nil {
		return err
	}
	held, cancel := context.WithCancelCause(ctx)
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
