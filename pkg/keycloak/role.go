package keycloak

import (
	"context"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// RoleStep gives the step of a realm role. Roles are never removed: users have them.
func (r *Realm) RoleStep(name string, needs ...engine.ID) engine.Step {
	role := &object{
		prefix: "role " + name + ": ",
		read: func(ctx context.Context) (document, error) {
			list, err := r.roles.Get(ctx)
			return find(list, "name", name), err
		},
		want: always(document{}),
		create: func(ctx context.Context, want document) error {
			_, err := r.admin.create(ctx, r.path("/roles"), want.over(document{"name": name}))
			return err
		},
		forget: r.roles.Forget,
	}
	return engine.New(engine.ID("role.keycloak/"+name), role, append(needs, r.ID())...)
}
