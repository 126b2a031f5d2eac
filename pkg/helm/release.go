package helm

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"helm.sh/helm/v3/pkg/release"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
)

// patience bounds the chart's hooks, and the wait for pods to end at removal. It is Helm's own for hooks.
const patience = 5 * time.Minute

// Release is what is wanted of one Helm release.
type Release struct {
	Name      string
	Namespace string
	Chart     profile.Chart
	// Versions of the chart that the values are for, as a semver constraint; empty for any. With another one nothing is
	// written, because a chart may take a key that it renamed in silence.
	Versions string
	// Values gives the user values of the release, without any secret. Inputs that nobody can know yet come back as
	// *engine.NotYetError. Nil means none.
	Values func(ctx context.Context) (map[string]any, error)
	// Others says what to do about a release of that name that another party made.
	Others Others
	// OldPodsGone makes the release ready only when the pods of former versions have ended.
	OldPodsGone bool
	// AddressLater makes the release ready before its load balancers have addresses, because another step waits for them.
	AddressLater bool
}

// ReleaseID names the step of a release.
func ReleaseID(name string) engine.ID { return engine.ID("release.helm/" + name) }

// ReleaseResource is a Helm release as a step: it is an engine.Resource, Remover, Refuser and Waiter.
type ReleaseResource struct {
	Release
	client *Client
	store  *store
	// patience with hooks and pods.
	patience time.Duration
	// fresh are the live objects that the last observation read and found as wanted, for the look at their health.
	fresh atomic.Pointer[[]object]
}

// Release makes the resource of a release. Releases of one namespace that are made before the first observation share one read.
func (c *Client) Release(r Release) *ReleaseResource {
	return &ReleaseResource{Release: r, client: c, store: c.store(r.Namespace, r.Name), patience: patience}
}

// Seen is one observation of a release, together with the values that were wanted at that moment.
type Seen struct {
	// Stored is the newest revision; nil if there is none.
	Stored *Stored
	// Values are the wanted values in JSON's types.
	Values map[string]any
	// Digest is the sha256 that the chart must have; empty if nobody knows one.
	Digest string
	// Drift is what differs between the manifest and the cluster; looked for only if the release is otherwise as wanted.
	Drift Drift
	// ChartErr is why the chart can't be had; looked for only if it is needed.
	ChartErr error
	// Theirs is what a release of another party has.
	Theirs theirs
	// Unrecorded says that the cluster has no record of this datalab.
	Unrecorded bool
	// Busy says which run, other than this one, is at work on it right now; empty for none.
	Busy string
}

// Observe reads the release; if it is as wanted, also each object of its manifest. It loads no chart, and downloads one
// only if something is going to be written with it, so that a chart that can't be had is told before anything is written.
func (r *ReleaseResource) Observe(ctx context.Context) (*Seen, error) {
	r.fresh.Store(nil)
	stored, err := r.store.get(ctx, r.Name)
	if err != nil {
		return nil, err
	}
	seen := &Seen{Stored: stored, Digest: r.client.digest(r.Chart), Unrecorded: r.client.Unrecorded}
	if seen.Theirs, err = r.theirs(stored); err != nil {
		return nil, err
	}
	if seen.Busy, err = r.client.busy(ctx, stored); err != nil {
		return nil, err
	}
	seen.Values, err = r.values(ctx)
	if err != nil {
		return r.withoutValues(ctx, seen, err)
	}
	change := decide(r.Release, seen)
	switch {
	case change.Action == engine.Unchanged:
		if seen.Drift, err = r.client.drift(ctx, stored); err == nil && len(seen.Drift.Fields) == 0 {
			r.fresh.Store(&seen.Drift.live)
		}
	case change.Action.Writes() && !r.client.Looking:
		seen.ChartErr, err = chartProblem(r.client.Fetch(ctx, r.Chart))
	}
	return seen, err
}

// withoutValues tells a chart that can't be had now rather than when the values are known, which may be after other
// things were written.
func (r *ReleaseResource) withoutValues(ctx context.Context, seen *Seen, missing error) (*Seen, error) {
	var notYet *engine.NotYetError
	if seen.Stored != nil || r.client.Looking || !errors.As(missing, &notYet) {
		return nil, missing
	}
	problem, err := chartProblem(r.client.Fetch(ctx, r.Chart))
	if err != nil {
		return nil, err
	}
	if problem == nil {
		return nil, missing
	}
	seen.ChartErr = problem
	return seen, nil
}

// chartProblem parts what a person has to mend from what ended the run.
func chartProblem(err error) (problem, other error) {
	var chartErr *ChartError
	if errors.As(err, &chartErr) && !errors.Is(err, context.Canceled) {
		return chartErr, nil
	}
	return nil, err
}

func (r *ReleaseResource) values(ctx context.Context) (map[string]any, error) {
	if r.Values == nil {
		return map[string]any{}, nil
	}
	values, err := r.Values(ctx)
	if err != nil {
		return nil, err
	}
	plain, err := plainValues(values)
	if err != nil {
		return nil, fmt.Errorf("release %s: %w", r.Name, err)
	}
	return plain, nil
}

// Plan says what the release needs.
func (r *ReleaseResource) Plan(seen *Seen) engine.Change { return decide(r.Release, seen) }

// Apply installs, upgrades or mends. The caller holds the lock of the installation: a pending release is taken over.
func (r *ReleaseResource) Apply(ctx context.Context, seen *Seen) error {
	defer r.store.shared.Forget()
	stored := seen.Stored
	switch {
	case stored == nil:
		return r.install(ctx, seen, false)
	case stored.Status == string(release.StatusUninstalled):
		return r.install(ctx, seen, true)
	case stored.Status == string(release.StatusUninstalling):
		if err := r.uninstall(ctx, stored); err != nil {
			return err
		}
		return r.install(ctx, seen, false)
	case len(seen.Drift.Fields) > 0:
		return r.mend(ctx, seen.Drift)
	}
	if err := r.failPending(ctx, stored); err != nil {
		return err
	}
	return r.upgrade(ctx, seen)
}
