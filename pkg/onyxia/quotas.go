package onyxia

import (
	"errors"
	"fmt"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// quotas of a region, where both generations agree (Region.java, API v0.30 and v4.12.0). The pair enabled and default,
// which API v0.30 calls old and v4.0 dropped, is not written: user and group say the same.
type quotas struct {
	UserEnabled  bool           `json:"userEnabled,omitempty"`
	User         map[string]any `json:"user,omitempty"`
	GroupEnabled bool           `json:"groupEnabled,omitempty"`
	Group        map[string]any `json:"group,omitempty"`
}

// quotas4 says whether users may change their quota. API v0.30 takes it for true where it is left out: everybody could then
// set a quota of their own.
type quotas4 struct {
	quotas
	AllowUserModification *bool `json:"allowUserModification,omitempty"`
}

// quotas11 are also for roles. A role's quota takes the place of the user's, and counts only where that is enabled; the
// user's must be there then, or the API fails on it.
type quotas11 struct {
	quotas
	Roles map[string]any `json:"roles,omitempty"`
}

// newQuotas leaves them out without a login: there is one namespace then, and it is Onyxia's own.
func newQuotas(in Input) (q quotas, err error) {
	wanted := in.Platform.App.Quota
	if !in.Auth || !wanted.InForce() {
		return q, nil
	}
	if q.User, err = limits(wanted.ForUsers()); err != nil {
		return q, err
	}
	if q.Group, err = limits(wanted.ForGroups()); err != nil {
		return q, err
	}
	q.UserEnabled, q.GroupEnabled = len(q.User) > 0, len(q.Group) > 0
	return q, nil
}

func newQuotas4(in Input) (quotas4, error) {
	q, err := newQuotas(in)
	if err != nil || !q.UserEnabled && !q.GroupEnabled {
		return quotas4{quotas: q}, err
	}
	allowed := in.Platform.App.Quota.AllowUserModification
	if allowed == nil {
		allowed = new(bool)
	}
	return quotas4{quotas: q, AllowUserModification: allowed}, nil
}

func newQuotas11(in Input) (quotas11, error) {
	q, err := newQuotas(in)
	if err != nil || !in.Auth || !in.Platform.App.Quota.InForce() {
		return quotas11{quotas: q}, err
	}
	roles := map[string]any{}
	for name, quota := range in.Platform.App.Quota.Roles {
		if roles[name], err = limits(quota); err != nil {
			return quotas11{}, err
		}
	}
	return quotas11{quotas: q, Roles: roles}, nil
}

// limits are a quota by Kubernetes' names. A map, because some of them are younger than the oldest chart of a generation,
// which is for Lint to say.
func limits(q platform.Quota) (map[string]any, error) {
	out, err := tree(q)
	if err != nil {
		return nil, fmt.Errorf("app.quota: %w", err)
	}
	return out, nil
}

// checkQuotas: what one generation has and the other has not.
func (in Input) checkQuotas(schema Schema) error {
	q := in.Platform.App.Quota
	users := q.ForUsers()
	switch {
	case schema == Schema4 && len(q.Roles) > 0:
		return fmt.Errorf("app.quota.roles: onyxia chart %s has no quotas by role (they came with 10.0.0): take profile current, or app.quota.user alone", in.ChartVersion)
	case q.InForce() && len(q.Roles) > 0 && users == (platform.Quota{}):
		return errors.New("app.quota.roles: users of no such role need a quota too, or the roles' are not in force: set app.quota.user or app.quota.default")
	case schema != Schema4 && q.AllowUserModification != nil && *q.AllowUserModification:
		return fmt.Errorf("app.quota.allowUserModification: onyxia chart %s lets nobody change their quota (10.0.0 took that away): take it out, and exempt a namespace by the annotation onyxia_ignore on its ResourceQuota onyxia-quota", in.ChartVersion)
	}
	return nil
}
