package keycloak

import (
	"context"
	"net/url"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// RoleStep gives the step of a realm role. An empty description is left alone. Roles are never removed: users have them.
func (r *Realm) RoleStep(name, description string, needs ...engine.ID) engine.Step {
	want := document{}
	if description != "" {
		want["description"] = description
	}
	role := &object{
		prefix: "role " + name + ": ",
		read: func(ctx context.Context) (document, error) {
			list, err := r.roles.Get(ctx)
			return find(list, "name", name), err
		},
		want: always(want),
		create: func(ctx context.Context, want document) error {
			_, err := r.admin.create(ctx, r.path("/roles"), want.over(document{"name": name}))
			return err
		},
		update: func(ctx context.Context, seen, want document) error {
			return r.admin.put(ctx, r.path("/roles/"+url.PathEscape(name)), want.over(seen))
		},
		forget: r.roles.Forget,
	}
	return engine.New(engine.ID("role.keycloak/"+name), role, append(needs, r.ID())...)
}
