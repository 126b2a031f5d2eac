package engine

import (
	"context"
	"slices"
	"sync"
)

// parallel is how many steps are worked on at once. The Kubernetes client allows bursts of 300 requests.
const parallel = 16

// walk visits the steps concurrently, each one after everything it needs. Reversed, each one comes after everything
// that needs it. It returns when all visits have returned; visits see the context and decide what its end means.
func (g *graph) walk(ctx context.Context, reversed bool, visit func(context.Context, Step)) {
	order := slices.Clone(g.order)
	if reversed {
		slices.Reverse(order)
	}
	done := make(map[ID]chan struct{}, len(order))
	for _, id := range order {
		done[id] = make(chan struct{})
	}
	before := g.predecessors(reversed)
	slots := make(chan struct{}, parallel)
	var wg sync.WaitGroup
	for _, id := range order {
		wg.Go(func() {
			defer close(done[id])
			for _, other := range before[id] {
				<-done[other]
			}
			slots <- struct{}{}
			defer func() { <-slots }()
			visit(ctx, g.steps[id])
		})
	}
	wg.Wait()
}

// predecessors lists, for each step, the ones that have to be visited before it.
func (g *graph) predecessors(reversed bool) map[ID][]ID {
	before := map[ID][]ID{}
	for id, s := range g.steps {
		for _, need := range s.Needs {
			if reversed {
				before[need] = append(before[need], id)
			} else {
				before[id] = append(before[id], need)
			}
		}
	}
	return before
}
