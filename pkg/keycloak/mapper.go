package keycloak

import (
	"context"
	"net/url"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// Mapper puts something into the tokens of a client. Make one with the constructors in mappers.go.
type Mapper struct {
	// Name is unique within its client or client scope.
	Name string
	// Type is Keycloak's id of the mapper's provider.
	Type string
	// Config of ours; other keys are left alone.
	Config map[string]string
	// Sole says that no other mapper may write the claim of this one into the client's access tokens, not even one of a scope
	// that users may ask for: which of two wins is not defined, so the other would let people in, or keep them out, now and then.
	// While there is one the step is blocked.
	Sole bool
}

func (m Mapper) document() document {
	config := document{}
	for key, value := range m.Config {
		config[key] = value
	}
	return document{"protocol": "openid-connect", "protocolMapper": m.Type, "config": config}
}

// MapperStep gives the step of a mapper of a client. It needs the client's step. Removing it deletes the mapper if it is still
// as we want it.
func (r *Realm) MapperStep(clientID string, m Mapper, needs ...engine.ID) engine.Step {
	models := func(ctx context.Context) (string, document, error) {
		holder, err := r.findClient(ctx, clientID)
		if err == nil && holder == nil {
			err = &engine.NotYetError{After: ClientStepID(clientID)}
		}
		return r.path("/clients/" + url.PathEscape(holder.text("id")) + "/protocol-mappers/models"), holder, err
	}
	one := func(ctx context.Context, seen document) (string, error) {
		path, _, err := models(ctx)
		return path + "/" + url.PathEscape(seen.text("id")), err
	}
	mapper := &removable{
		object: object{
			prefix: "mapper " + m.Name + ": ",
			fixed:  "protocolMapper",
			read: func(ctx context.Context) (document, error) {
				_, holder, err := models(ctx)
				return find(holder.list("protocolMappers"), "name", m.Name), err
			},
			want: always(m.document()),
			create: func(ctx context.Context, want document) error {
				path, _, err := models(ctx)
				if err != nil {
					return err
				}
				_, err = r.admin.create(ctx, path, want.over(document{"name": m.Name}))
				return err
			},
			update: func(ctx context.Context, seen, want document) error {
				path, err := one(ctx, seen)
				if err != nil {
					return err
				}
				return r.admin.put(ctx, path, want.over(seen))
			},
			forget: r.clients.Forget,
			drop: func(ctx context.Context, seen document) error {
				path, err := one(ctx, seen)
				if err != nil {
					return err
				}
				return r.admin.remove(ctx, path)
			},
			hindrance: func(ctx context.Context) (hindrance, error) {
				if !m.Sole {
					return hindrance{}, nil
				}
				holder, err := r.findClient(ctx, clientID)
				if err != nil {
					return hindrance{}, err
				}
				return r.rival(ctx, holder, m)
			},
		},
		ours: func(s sight) bool { return len(s.want.differences("", s.seen)) == 0 },
		why:  "mapper " + m.Name + " was changed by somebody else",
	}
	return engine.New(engine.ID("mapper.keycloak/"+clientID+"."+m.Name), mapper, append(needs, ClientStepID(clientID))...)
}
