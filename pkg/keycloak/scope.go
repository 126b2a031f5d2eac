package keycloak

import (
	"context"
	"net/url"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// ClientScope is a named bundle of mappers that clients share.
type ClientScope struct {
	Name, Description string
	// Attributes, for instance "include.in.token.scope"; those not named are left alone.
	Attributes map[string]string
}

// ScopeStepID is the step of a client scope, for steps that need it.
func ScopeStepID(name string) engine.ID { return engine.ID("clientscope.keycloak/" + name) }

// ClientScopeStep gives the step of a client scope. A scope is never removed: clients that are not ours may use it.
func (r *Realm) ClientScopeStep(s ClientScope, needs ...engine.ID) engine.Step {
	want := document{"protocol": "openid-connect"}
	if s.Description != "" {
		want["description"] = s.Description
	}
	attributes := document{}
	for key, value := range s.Attributes {
		attributes[key] = value
	}
	want["attributes"] = attributes
	scope := &object{
		prefix: "clientscope " + s.Name + ": ",
		read:   func(ctx context.Context) (document, error) { return r.findScope(ctx, s.Name) },
		want:   always(want),
		create: func(ctx context.Context, want document) error {
			_, err := r.admin.create(ctx, r.path("/client-scopes"), want.over(document{"name": s.Name}))
			return err
		},
		update: func(ctx context.Context, seen, want document) error {
			return r.admin.put(ctx, r.path("/client-scopes/"+url.PathEscape(seen.text("id"))), want.over(seen).without("protocolMappers"))
		},
		forget: r.scopes.Forget,
	}
	return engine.New(ScopeStepID(s.Name), scope, append(needs, r.ID())...)
}

func (r *Realm) findScope(ctx context.Context, name string) (document, error) {
	list, err := r.scopes.Get(ctx)
	if err != nil {
		return nil, err
	}
	return find(list, "name", name), nil
}
