package helm

import (
	"cmp"
	"context"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

// Ready tells whether every object of the release's manifest is there and its workloads work.
func (r *ReleaseResource) Ready(ctx context.Context) (engine.Health, error) {
	stored, err := r.store.get(ctx, r.Name)
	if err != nil {
		return engine.Health{}, err
	}
	if stored == nil {
		return engine.Health{Reason: "release " + r.Name + " is not installed"}, nil
	}
	busy, err := r.client.busy(ctx, stored)
	if err != nil {
		return engine.Health{}, err
	}
	if why := cmp.Or(busy, unfinished(stored)); why != "" {
		return engine.Health{Reason: why}, nil
	}
	var options []kube.HealthOption
	if r.OldPodsGone {
		options = append(options, kube.OldPodsGone())
	}
	if r.AddressLater {
		options = append(options, kube.AddressLater())
	}
	// What the observation of a moment ago read is looked at once; later polls read anew.
	if live := r.fresh.Swap(nil); live != nil {
		return r.client.Kube.HealthOf(ctx, *live, options...)
	}
	objects, err := r.client.objects(stored)
	if err != nil {
		return engine.Health{}, err
	}
	return r.client.Kube.Health(ctx, lasting(objects), options...)
}
