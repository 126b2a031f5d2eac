package keycloak

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
)

// ServiceAccount is a confidential client of ours in realm master that does everything from then on. As long as the realm is not
// there it may create realms, and Keycloak gives whoever creates a realm all rights on that realm and on no other. On a realm
// that was there before it gets manage-realm, manage-clients and manage-users, and may not create others.
type ServiceAccount struct {
	// ID is the client_id. Each realm has its own, so that two datalabs on one server do not take each other's account.
	ID string
	// Realm that it is for.
	Realm string
	// Secret of the client, generated once and kept by the caller. Its error is given on.
	Secret func(context.Context) (string, error)
	// Bootstrap is a connection with the rights of an administrator of realm master. It is used only to make the account or to
	// give it a right that it lacks.
	Bootstrap *Admin
	// BootstrapUser is the administrator that a server of ours was started with; empty for a server that was there before, whose
	// administrators are not ours to judge.
	BootstrapUser string
}

// Credentials log the service account in.
func (s ServiceAccount) Credentials(ctx context.Context) (Credentials, error) {
	secret, err := s.Secret(ctx)
	if err != nil {
		return Credentials{}, err
	}
	return Credentials{ClientID: s.ID, ClientSecret: secret}, nil
}

// StepID is the step of the account, for steps that need it.
func (s ServiceAccount) StepID() engine.ID { return engine.ID("serviceaccount.keycloak/" + s.ID) }

// Step gives the account's step. The connection is one with the account's own Credentials: an account that can log in and
// whose token holds the rights is seen with the login that is needed anyway. On a server that was there before it is removed on
// uninstall; on one of ours it stays, as the database does that it is in.
func (s ServiceAccount) Step(own *Admin, needs ...engine.ID) engine.Step {
	a := &account{ServiceAccount: s, own: own}
	if s.BootstrapUser == "" {
		return engine.New(s.StepID(), &guest{account: a}, needs...)
	}
	return engine.New(s.StepID(), a, needs...)
}

// rights on a realm that was there before. The first three are what every step of this package needs; tried on all versions.
func rights() []string { return []string{"manage-clients", "manage-realm", "manage-users"} }

type account struct {
	ServiceAccount
	own *Admin
}

// accountSeen is what was seen of the account.
type accountSeen struct {
	// there says that it can log in.
	there bool
	// lacking are the rights that its token does not hold.
	lacking []string
	// locked says that the client is there, made by us, and does not take our secret.
	locked bool
	// blocked says why it cannot be made, and fix what to do; empty if it can.
	blocked, fix string
}

func (a *account) Observe(ctx context.Context) (accountSeen, error) {
	err := a.own.Login(ctx)
	switch {
	case errors.Is(err, ErrCredentials):
		s := accountSeen{}
		return s, a.canBeMade(ctx, &s)
	case err != nil:
		return accountSeen{}, err
	}
	s := accountSeen{there: true}
	if s.lacking, err = a.lacking(ctx); err != nil || len(s.lacking) == 0 {
		return s, err
	}
	return s, a.canBeMade(ctx, &s)
}

// lacking compares the rights in the account's token with what it needs: either those of a realm's creator, or, as long as
// there is no realm, the right to create one.
func (a *account) lacking(ctx context.Context) ([]string, error) {
	held, err := a.held(ctx)
	if err != nil {
		return nil, err
	}
	var lacking []string
	for _, role := range rights() {
		if !slices.Contains(held.clientRoles(a.adminClient()), role) {
			lacking = append(lacking, role)
		}
	}
	if len(lacking) == 0 {
		return nil, nil
	}
	there, err := a.realmThere(ctx)
	switch {
	case err != nil:
		return nil, err
	case there:
		return lacking, nil
	case slices.Contains(held.realmRoles(), createRealm):
		return nil, nil
	}
	return []string{createRealm}, nil
}

// createRealm is the role of realm master that lets one create realms.
const createRealm = "create-realm"

// adminClient is the client of realm master whose roles are the rights on the realm.
func (a *account) adminClient() string { return a.Realm + "-realm" }

func (a *account) held(ctx context.Context) (Claims, error) {
	token, err := a.own.accessToken(ctx)
	if err != nil {
		return nil, err
	}
	return ParseClaims(token)
}

// realmThere tells whether the realm is there. An account without rights on it may ask that too: 404 is no, all else is yes.
func (a *account) realmThere(ctx context.Context) (bool, error) {
	err := a.own.get(ctx, "/realms/"+url.PathEscape(a.Realm), nil)
	if IsStatus(err, http.StatusNotFound) {
		return false, nil
	}
	if IsStatus(err, http.StatusForbidden) {
		return true, nil
	}
	return err == nil, err
}

// canBeMade looks whether an administrator can log in to make the account, and whether its name is free. It tries the login
// twice: a new server may answer a moment before it has made its administrator (seen on 23.0.7).
func (a *account) canBeMade(ctx context.Context, s *accountSeen) error {
	err := a.Bootstrap.Login(ctx)
	if errors.Is(err, ErrCredentials) {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(administratorPause):
			err = a.Bootstrap.Login(ctx)
		}
	}
	if errors.Is(err, ErrCredentials) {
		s.blocked = "the service account " + a.ID + " is not there or lacks rights, and " + err.Error()
		s.fix = "give the name and password of an administrator of realm master (auth.credentialsSecret); " +
			"from Keycloak 26 on, `kc.sh bootstrap-admin user` makes one"
		return nil
	}
	if err != nil || s.there {
		return err
	}
	client, err := a.client(ctx)
	switch {
	case err != nil || client == nil:
		return err
	case !ours(client):
		s.blocked, s.fix = a.foreign(), "give that client of somebody else's another name, or take another realm for this datalab (auth.realm)"
	default:
		s.locked = true
	}
	return nil
}

// ours tells a realm or a client that we made.
func ours(d document) bool { return child(d["attributes"]).text(mark) == maker }

func (s ServiceAccount) foreign() string {
	return "realm master has a client " + s.ID + " that this program did not make (it lacks the attribute " + mark + ")"
}

// administratorPause is how long a new server is given to make its administrator.
const administratorPause = 2 * time.Second

func (a *account) Plan(s accountSeen) engine.Change {
	var fields []engine.Field
	for _, role := range s.lacking {
		fields = append(fields, engine.Field{Path: "serviceaccount.roles", To: role})
	}
	sort.Slice(fields, func(i, j int) bool { return fields[i].To < fields[j].To })
	switch {
	case s.blocked != "":
		return engine.Change{Action: engine.Blocked, Fields: fields, Why: s.blocked, Fix: s.fix}
	case s.locked:
		return a.unlock()
	case !s.there:
		return engine.Change{Action: engine.Create}
	case len(fields) > 0:
		return engine.Change{Action: engine.Configure, Fields: fields}
	}
	return engine.Change{Action: engine.Unchanged}
}

// unlock gives the client that is there our secret. On a server of somebody else's it may be the account of another datalab.
func (a *account) unlock() engine.Change {
	change := engine.Change{Action: engine.Configure, Fields: []engine.Field{{Path: "serviceaccount.secret", Secret: true}},
		Why: "the client is there with another secret, and gets ours"}
	if a.BootstrapUser == "" {
		change.Risk = "another datalab on realm " + a.Realm + " loses its login; if there is one, take another auth.realm"
	}
	return change
}

func (a *account) Apply(ctx context.Context, s accountSeen) error {
	defer a.own.Reauthenticate()
	master := a.Bootstrap.Realm("master")
	if !s.there {
		if err := a.makeClient(ctx, master); err != nil {
			return fmt.Errorf("service account %s: %w", a.ID, err)
		}
	}
	if err := a.giveRights(ctx, master); err != nil {
		return fmt.Errorf("rights of service account %s: %w", a.ID, err)
	}
	return nil
}

// makeClient makes the client or mends what keeps it from logging in.
func (a *account) makeClient(ctx context.Context, master *Realm) error {
	given, err := a.Secret(ctx)
	if err != nil {
		return err
	}
	want := document{
		"enabled": true, "publicClient": false, "serviceAccountsEnabled": true, "standardFlowEnabled": false,
		"directAccessGrantsEnabled": false, "clientAuthenticatorType": "client-secret", "fullScopeAllowed": true, "secret": hidden{secret.New(given)},
		"description": "Configures realm " + a.Realm + "; made by kubectl-onyxia",
	}
	client, err := master.findClient(ctx, a.ID)
	if err != nil {
		return err
	}
	if client != nil {
		if !ours(client) {
			return errors.New(a.foreign())
		}
		changed := want.over(document{"clientId": a.ID})
		return a.Bootstrap.put(ctx, master.clientPath(client, ""), changed)
	}
	_, err = a.Bootstrap.create(ctx, master.path("/clients"), want.over(document{"clientId": a.ID, "attributes": document{mark: maker}}))
	master.clients.Forget()
	if IsStatus(err, http.StatusConflict) {
		return a.makeClient(ctx, master)
	}
	return err
}

// giveRights adds roles to the account's user, those on the realm or else the one to create it; adding one that it has changes
// nothing.
func (a *account) giveRights(ctx context.Context, master *Realm) error {
	client, err := master.findClient(ctx, a.ID)
	if err != nil {
		return err
	}
	var user document
	if err := a.Bootstrap.get(ctx, master.clientPath(client, "/service-account-user"), &user); err != nil {
		return err
	}
	roles := master.path("/users/" + user.text("id") + "/role-mappings")
	realm, err := master.findClient(ctx, a.adminClient())
	if err != nil {
		return err
	}
	if realm == nil {
		var create document
		if err := a.Bootstrap.get(ctx, master.path("/roles/"+createRealm), &create); err != nil {
			return err
		}
		return a.give(ctx, roles+"/realm", create)
	}
	var given []document
	for _, name := range rights() {
		var role document
		if err := a.Bootstrap.get(ctx, master.clientPath(realm, "/roles/"+name), &role); err != nil {
			return err
		}
		given = append(given, role)
	}
	return a.give(ctx, roles+"/clients/"+realm.text("id"), given...)
}

func (a *account) give(ctx context.Context, path string, roles ...document) error {
	return a.Bootstrap.do(ctx, request{method: http.MethodPost, path: path, body: roles, repeatable: true})
}
