package keycloak

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// Terms is the required action for terms and conditions. Its alias differs by server version; any spelling will do.
const Terms = "TERMS_AND_CONDITIONS"

// RequiredAction is something that users have to do before they may go on.
type RequiredAction struct {
	// Alias in any case.
	Alias string
	// On says that every new user is asked for it, and that it may be asked for at all.
	On bool
}

// RequiredActionStep gives the step of a required action.
func (r *Realm) RequiredActionStep(a RequiredAction, needs ...engine.ID) engine.Step {
	action := &object{
		prefix: "requiredaction " + strings.ToLower(a.Alias) + ": ",
		read: func(ctx context.Context) (document, error) {
			list, err := r.actions.Get(ctx)
			if err != nil {
				return nil, err
			}
			alias, err := r.alias(ctx, a.Alias)
			return findAction(list, alias), err
		},
		want:   always(document{"enabled": a.On, "defaultAction": a.On}),
		create: func(ctx context.Context, want document) error { return r.registerAction(ctx, a.Alias, want) },
		update: func(ctx context.Context, seen, want document) error {
			return r.admin.put(ctx, r.path("/authentication/required-actions/"+url.PathEscape(seen.text("alias"))), want.over(seen))
		},
		forget: r.actions.Forget,
	}
	return engine.New(engine.ID("requiredaction.keycloak/"+strings.ToLower(a.Alias)), action, append(needs, r.ID())...)
}

// alias is the action's name as this server spells it.
func (r *Realm) alias(ctx context.Context, alias string) (string, error) {
	if !strings.EqualFold(alias, Terms) {
		return alias, nil
	}
	info, err := r.admin.ServerInfo(ctx)
	return info.Features.TermsAlias, err
}

// findAction prefers the exact alias: a realm that was made before 21 may show the action twice (keycloak#17277).
func findAction(list []document, alias string) document {
	if exact := find(list, "alias", alias); exact != nil {
		return exact
	}
	for _, each := range list {
		if strings.EqualFold(each.text("alias"), alias) {
			return each
		}
	}
	return nil
}

// registerAction brings back an action that somebody removed from the realm.
func (r *Realm) registerAction(ctx context.Context, wanted string, want document) error {
	alias, err := r.alias(ctx, wanted)
	if err != nil {
		return err
	}
	register := request{method: http.MethodPost, path: r.path("/authentication/register-required-action"),
		body: document{"providerId": alias, "name": alias}}
	if err := r.admin.do(ctx, register); err != nil {
		return err
	}
	made := document{"alias": alias, "providerId": alias, "name": alias, "priority": 20, "config": document{}}
	return r.admin.put(ctx, r.path("/authentication/required-actions/"+url.PathEscape(alias)), want.over(made))
}
