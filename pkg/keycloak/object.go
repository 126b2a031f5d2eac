package keycloak

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// object is the resource behind most steps: one document that is read, compared with the wanted one, and merged.
type object struct {
	// prefix begins the path of each field: "realm.", "mapper audience: ".
	prefix string
	// read gives the document, nil when it is not there.
	read func(context.Context) (document, error)
	// want gives the wanted document; it may depend on what was seen.
	want func(ctx context.Context, seen document) (document, error)
	// hindrance says what of somebody else's has to go first; nil where nothing can be in the way.
	hindrance func(context.Context) (hindrance, error)
	// risk says what it may cost to change this thing when somebody else made it; nil where that costs nothing.
	risk func(sight) string
	// create makes it, update merges into what was seen. Both are handed the wanted document with its leaves.
	create func(ctx context.Context, want document) error
	update func(ctx context.Context, seen, want document) error
	// forget drops the shared reads that a write makes stale.
	forget func()
	// fixed is a field that cannot be changed by an update; when it differs the thing is deleted and made anew.
	fixed string
	// drop deletes it; needed where fixed is set.
	drop func(ctx context.Context, seen document) error
}

// sight is an observation of an object: what is there, what is wanted of it, and what is in the way.
type sight struct {
	seen, want document
	hindered   hindrance
}

// hindrance is a thing of somebody else's beside which ours would not do what it is for, and how a person removes it. The zero
// value is none.
type hindrance struct{ why, fix string }

func (o *object) Observe(ctx context.Context) (sight, error) {
	seen, err := o.read(ctx)
	if err != nil {
		return sight{}, err
	}
	want, err := o.want(ctx, seen)
	if err != nil {
		return sight{}, err
	}
	s := sight{seen: seen, want: want}
	if o.hindrance != nil {
		s.hindered, err = o.hindrance(ctx)
	}
	return s, err
}

func (o *object) Plan(s sight) engine.Change {
	if s.hindered.why != "" {
		return engine.Change{Action: engine.Blocked, Why: s.hindered.why, Fix: s.hindered.fix}
	}
	if s.seen == nil {
		return engine.Change{Action: engine.Create}
	}
	fields := s.want.differences(o.prefix, s.seen)
	switch {
	case len(fields) == 0:
		return engine.Change{Action: engine.Unchanged}
	case o.replaces(s):
		return engine.Change{Action: engine.Replace, Why: "Keycloak cannot change " + o.fixed, Fields: fields}
	}
	return engine.Change{Action: engine.Configure, Fields: fields, Risk: o.taking(s)}
}

// taking says what it may cost to change a thing that somebody else made; empty for one of ours.
func (o *object) taking(s sight) string {
	if o.risk == nil || ours(s.seen) {
		return ""
	}
	return o.risk(s)
}

func (o *object) replaces(s sight) bool {
	return o.fixed != "" && s.want.text(o.fixed) != s.seen.text(o.fixed)
}

// Apply creates or merges, and waits until the server shows it. A name that somebody took since the observation is read again
// and merged into.
func (o *object) Apply(ctx context.Context, s sight) error {
	if err := o.write(ctx, s); err != nil {
		o.forget()
		return err
	}
	_, err := o.shown(ctx, func(now sight) bool { return o.Plan(now).Action == engine.Unchanged })
	return err
}

func (o *object) write(ctx context.Context, s sight) error {
	if s.seen != nil && o.replaces(s) {
		if err := o.drop(ctx, s.seen); err != nil {
			return err
		}
		s.seen = nil
	}
	if s.seen != nil {
		return o.update(ctx, s.seen, s.want)
	}
	err := o.create(ctx, s.want)
	if !IsStatus(err, http.StatusConflict) {
		return err
	}
	return o.adopt(ctx, err)
}

// adopt merges into a thing that turned out to be there already, unless that has to be agreed to first.
func (o *object) adopt(ctx context.Context, conflict error) error {
	now, err := o.shown(ctx, func(now sight) bool { return now.seen != nil })
	switch {
	case err != nil:
		return fmt.Errorf("%w; and then: %w", conflict, err)
	case now.seen == nil:
		return fmt.Errorf("%w, but it is not among what the account that we log in with may see", conflict)
	case len(now.want.differences("", now.seen)) == 0:
		return nil
	}
	if risk := o.taking(now); risk != "" {
		return fmt.Errorf("%w; %s: run the same command again to be asked", conflict, risk)
	}
	return o.update(ctx, now.seen, now.want)
}

// patience is how long a write may take to be seen.
const patience = 3 * time.Second

// shown reads again until what was written is seen, or patience ends: Keycloak reads through a cache, and another of its servers
// may learn of a write a moment later.
func (o *object) shown(ctx context.Context, enough func(sight) bool) (sight, error) {
	for pause, began := firstPause, time.Now(); ; pause *= 2 {
		o.forget()
		now, err := o.Observe(ctx)
		if err != nil || enough(now) || time.Since(began) > patience {
			return now, err
		}
		select {
		case <-ctx.Done():
			return now, context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// always makes a want function of a document that depends on nothing.
func always(d document) func(context.Context, document) (document, error) {
	return func(context.Context, document) (document, error) { return d, nil }
}

// removable is an object that is taken away again on uninstall if it is ours.
type removable struct {
	object
	// ours tells whether what is there was made by us; why says what to tell if not.
	ours func(sight) bool
	why  string
}

// RefuseRemoval keeps what somebody else made under the same name.
func (r *removable) RefuseRemoval(ctx context.Context) string {
	s, err := r.Observe(ctx)
	if err != nil || s.seen == nil || r.ours(s) {
		return ""
	}
	return r.why
}

// Remove deletes what is ours. A realm or client that is gone took its own with it.
func (r *removable) Remove(ctx context.Context) error {
	defer r.forget()
	seen, err := r.read(ctx)
	if gone(err) || err == nil && seen == nil {
		return nil
	}
	if err != nil {
		return err
	}
	return r.drop(ctx, seen)
}
