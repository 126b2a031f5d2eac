package engine

import (
	"context"
	"sync"
)

type roundKey struct{}

// withRound marks a context with the number of an observation round. Rounds only go up.
func withRound(ctx context.Context, n int) context.Context {
	return context.WithValue(ctx, roundKey{}, n)
}

func roundOf(ctx context.Context) int {
	n, _ := ctx.Value(roundKey{}).(int)
	return n
}

// Shared is one read that answers for many steps: a list of release Secrets, a realm, a listing of policies. It is read
// once in each observation round, also when it fails: a server that is down is waited for once. Outside of a round (no
// engine in the context) it is read until that succeeds, and kept.
type Shared[T any] struct {
	read  func(context.Context) (T, error)
	mu    sync.Mutex
	fresh bool
	round int
	value T
	err   error
}

// NewShared makes a shared read of the function.
func NewShared[T any](read func(context.Context) (T, error)) *Shared[T] {
	return &Shared[T]{read: read}
}

// Get returns what was read in this round, reading it if nobody has.
func (s *Shared[T]) Get(ctx context.Context) (T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	round := roundOf(ctx)
	if s.fresh && (s.err == nil && s.round >= round || s.err != nil && s.round == round && round > 0) {
		return s.value, s.err
	}
	s.value, s.err = s.read(ctx)
	s.fresh, s.round = true, round
	return s.value, s.err
}

// Forget makes the next Get read again; a step calls it after writing what the read covers.
func (s *Shared[T]) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fresh = false
}
