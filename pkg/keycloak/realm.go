package keycloak

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// mark is the attribute that says that a realm or a client was made by us. It is set at creation and never later, so that
// uninstall keeps what was there before.
const mark = "managed-by"

// maker is the value of mark.
const maker = "kubectl-onyxia"

// Realm is one realm of a server, with the reads that its steps share: one request each in an observation round, however
// many steps there are.
type Realm struct {
	admin *Admin
	name  string

	self    *engine.Shared[document]
	clients *engine.Shared[[]document]
	scopes  *engine.Shared[[]document]
	roles   *engine.Shared[[]document]
	groups  *engine.Shared[[]document]
	actions *engine.Shared[[]document]
	profile *engine.Shared[document]
	// people are the first users.
	people *engine.Shared[[]document]

	mu       sync.Mutex
	children map[string]*engine.Shared[[]document]
	// leaving are the scopes that the step of a client takes from it (Client.WithoutScopes).
	leaving map[string][]string
}

// Realm gives a realm of the server, there or not. Steps that are to share their reads have to come from the same Realm.
func (a *Admin) Realm(name string) *Realm {
	r := &Realm{admin: a, name: name, children: map[string]*engine.Shared[[]document]{}, leaving: map[string][]string{}}
	r.self = engine.NewShared(r.readSelf)
	r.clients = r.listing("/clients")
	r.scopes = r.listing("/client-scopes")
	r.roles = r.listing("/roles")
	r.groups = r.listing("/groups?" + wholeGroups)
	r.actions = r.listing("/authentication/required-actions")
	r.people = r.listing("/users?briefRepresentation=true&max=" + strconv.Itoa(namesRead))
	r.profile = engine.NewShared(r.readProfile)
	return r
}

// ID of the realm's step.
func (r *Realm) ID() engine.ID { return engine.ID("realm.keycloak/" + r.name) }

// path below the realm, for the admin API.
func (r *Realm) path(below string) string { return "/realms/" + url.PathEscape(r.name) + below }

// listing is a shared read of a whole list. Without a "max" these endpoints give everything.
func (r *Realm) listing(below string) *engine.Shared[[]document] {
	return engine.NewShared(func(ctx context.Context) ([]document, error) {
		var list []document
		if err := r.admin.get(ctx, r.path(below), &list); err != nil {
			return nil, r.missing(err)
		}
		return list, nil
	})
}

// missing turns "no such realm" into an input that is not there yet.
func (r *Realm) missing(err error) error {
	if IsStatus(err, http.StatusNotFound) {
		return &engine.NotYetError{After: r.ID()}
	}
	return err
}

// gone tells an observation that failed because what holds the thing is not there.
func gone(err error) bool {
	var notYet *engine.NotYetError
	return errors.As(err, &notYet)
}

// readSelf gives the realm's representation, nil when there is no such realm. Keycloak answers 200 with a few public fields
// to an account without rights (from 21 on; 20 says 403), which would look as if everything had changed.
func (r *Realm) readSelf(ctx context.Context) (document, error) {
	var self document
	err := r.admin.get(ctx, r.path(""), &self)
	switch {
	case IsStatus(err, http.StatusNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case self["id"] == nil:
		return nil, &Error{Method: http.MethodGet, Path: "/admin" + r.path(""), Status: http.StatusForbidden,
			Message: fmt.Sprintf("realm %s is there, but only its public fields are shown", r.name)}
	}
	return self, nil
}

// find gives the document of a list whose field has a value, nil for none.
func find(list []document, key, value string) document {
	for _, each := range list {
		if each.text(key) == value {
			return each
		}
	}
	return nil
}
