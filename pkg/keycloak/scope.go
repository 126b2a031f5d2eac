package keycloak

import (
	"context"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// ScopeStepID is the step of a client scope, for steps that need it.
func ScopeStepID(name string) engine.ID { return engine.ID("clientscope.keycloak/" + name) }

func (r *Realm) findScope(ctx context.Context, name string) (document, error) {
	list, err := r.scopes.Get(ctx)
	if err != nil {
		return nil, err
	}
	return find(list, "name", name), nil
}
