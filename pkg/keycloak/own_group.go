package keycloak

import (
	"context"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// GroupStepID is the step of a group, for steps that need it.
func GroupStepID(path string) engine.ID {
	return engine.ID("group.keycloak/" + strings.Trim(path, "/"))
}

// OwnGroupStep gives the step of a group at the top that is for this program only. Unlike the groups of people it is removed.
func (r *Realm) OwnGroupStep(name string, needs ...engine.ID) engine.Step {
	group := &removable{
		object: object{
			prefix: "group " + name + ": ",
			read: func(ctx context.Context) (document, error) {
				found, _, err := r.findGroup(ctx, name)
				return found, err
			},
			want:   always(document{}),
			create: func(ctx context.Context, _ document) error { return r.makeGroup(ctx, name) },
			forget: r.forgetGroups,
			drop: func(ctx context.Context, seen document) error {
				return r.admin.remove(ctx, r.path("/groups/"+seen.text("id")))
			},
		},
		ours: func(sight) bool { return true },
	}
	return engine.New(GroupStepID(name), group, append(needs, r.ID())...)
}
