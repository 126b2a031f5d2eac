package keycloak

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// UserTokens are what a user's login by the password grant gave. They are for the proofs of this program only, with a client
// and a user of its own that live as long as the proof.
type UserTokens struct {
	Access, ID string
}

// String keeps tokens out of logs.
func (UserTokens) String() string { return "tokens of a user" }

// GoString is String.
func (t UserTokens) GoString() string { return t.String() }

// UserTokens logs a user in by the password grant of a client that allows it (Client.DirectGrants).
func (r *Realm) UserTokens(ctx context.Context, c Credentials) (UserTokens, error) {
	c.Realm = r.name
	var got tokens
	err := r.admin.retrying(ctx, true, func(ctx context.Context) error {
		var err error
		got, err = r.admin.grant(ctx, c.complete(), url.Values{"scope": {"openid"}})
		return err
	})
	return UserTokens{Access: got.AccessToken, ID: got.IDToken}, err
}

// The names of every user of a proof. By them, and by the address, what a proof made is told from a person of the same name.
const (
	proofFirstName = "Onyxia"
	proofLastName  = "Proof"
)

// ofProof tells a user whom a proof has made.
func (u User) ofProof() bool {
	return u.FirstName == proofFirstName && u.LastName == proofLastName && strings.HasPrefix(u.Email, u.Username+"@")
}

// AddProofUser adds a user who can log in at once: the password stands, and what every new user is asked for (terms, profile)
// is taken away again. The address is below a mail domain that the realm takes, and the user is in the groups of those paths.
// One that a killed proof left behind is made anew; a person of that name is an error. Delete the user when the proof is over.
func (r *Realm) AddProofUser(ctx context.Context, name, mailDomain string, groups ...string) (password string, err error) {
	password, err = newPassword()
	if err != nil {
		return "", err
	}
	if err := r.DeleteProofUser(ctx, name); err != nil {
		return "", err
	}
	u := NewUser{Name: name, Email: name + "@" + mailDomain, FirstName: proofFirstName, LastName: proofLastName, Groups: groups, EmailVerified: true}
	if err := r.addUser(ctx, u, document{"type": "password", "value": password, "temporary": false}); err != nil {
		return "", err
	}
	made, err := r.FindUser(ctx, name)
	if err != nil {
		return "", err
	}
	// default actions are added at creation, whatever the request says
	return password, r.admin.put(ctx, r.path("/users/"+made.ID), document{
		"username": u.Name, "email": u.Email, "firstName": u.FirstName, "lastName": u.LastName, "enabled": true, "emailVerified": true,
		"requiredActions": []string{},
	})
}

// ProofUsers lists the users that proofs have made whose names contain a text. People whose names contain it are not among them.
func (r *Realm) ProofUsers(ctx context.Context, containing string) ([]User, error) {
	users, err := r.Users(ctx, containing)
	return slices.DeleteFunc(users, func(u User) bool { return !u.ofProof() }), err
}

// DeleteProofUser deletes a user whom a proof has made. One who is not there is no error; a person of that name stays, and is
// one.
func (r *Realm) DeleteProofUser(ctx context.Context, name string) error {
	u, err := r.FindUser(ctx, name)
	if errors.Is(err, ErrNoUser) {
		return nil
	}
	if err != nil {
		return err
	}
	if !u.ofProof() {
		return fmt.Errorf("user %s of realm %s has the name that a proof uses, and was made by somebody else: rename or delete that user", name, r.name)
	}
	return r.admin.remove(ctx, r.path("/users/"+u.ID))
}

// AddProofClient makes a client by which users of a proof log in with their password, and get the tokens that another client,
// the original, would give them: it is a copy of that one as it stands in the realm, whoever made it so, with its scopes, roles,
// lifespans and mappers. More mappers may be added. It has a secret (ClientSecret), no redirect address, and is gone when the
// proof is over. One that a killed run left behind is made anew.
func (r *Realm) AddProofClient(ctx context.Context, id, original string, more ...Mapper) error {
	if err := r.DeleteProofClient(ctx, id); err != nil {
		return err
	}
	seen, err := r.findClient(ctx, original)
	if err != nil {
		return err
	}
	if seen == nil {
		return &engine.NotYetError{After: ClientStepID(original)}
	}
	made, err := r.admin.create(ctx, r.path("/clients"), proofClient(id, seen, more))
	r.clients.Forget()
	if err != nil || seen["fullScopeAllowed"] == true {
		return err
	}
	return r.copyRoles(ctx, r.clientPath(seen, "/scope-mappings"), r.path("/clients/"+url.PathEscape(made)+"/scope-mappings"))
}

// proofClient is the copy of a client that takes passwords and nothing else.
func proofClient(id string, original document, more []Mapper) document {
	mappers := []document{}
	for _, each := range original.list("protocolMappers") {
		mappers = append(mappers, each.without("id"))
	}
	for _, m := range more {
		mappers = append(mappers, m.document().over(document{"name": m.Name}))
	}
	attributes := child(original["attributes"]).without(mark, "client.secret.creation.time", "post.logout.redirect.uris",
		"backchannel.logout.url", "frontchannel.logout.url")
	own := document{
		"clientId": id, "name": "A proof of " + maker, "description": "Lives as long as a proof of " + maker + ", as a copy of " + original.text("clientId"),
		"publicClient": false, "bearerOnly": false, "clientAuthenticatorType": "client-secret", "consentRequired": false,
		"standardFlowEnabled": false, "implicitFlowEnabled": false, "serviceAccountsEnabled": false, "directAccessGrantsEnabled": true,
		"redirectUris": []string{}, "webOrigins": []string{}, "protocolMappers": mappers,
	}
	whole := own.over(original.without("id", "secret", "registrationAccessToken", "access", "rootUrl", "adminUrl", "baseUrl",
		"authenticationFlowBindingOverrides", "authorizationServicesEnabled", "authorizationSettings", "attributes"))
	whole["attributes"] = attributes
	for _, scopes := range []string{defaultScopes, optionalScopes} {
		if whole[scopes] == nil {
			// without the field Keycloak gives the client those of the realm
			whole[scopes] = []string{}
		}
	}
	return whole
}

// copyRoles lets a client put the same roles into tokens as another one, both named by the path of their scope mappings.
func (r *Realm) copyRoles(ctx context.Context, from, to string) error {
	var seen struct {
		Realm   []document `json:"realmMappings"`
		Clients map[string]struct {
			ID    string     `json:"id"`
			Roles []document `json:"mappings"`
		} `json:"clientMappings"`
	}
	if err := r.admin.get(ctx, from, &seen); err != nil {
		return err
	}
	add := func(path string, roles []document) error {
		if len(roles) == 0 {
			return nil
		}
		return r.admin.do(ctx, request{method: http.MethodPost, path: path, body: roles, repeatable: true})
	}
	if err := add(to+"/realm", seen.Realm); err != nil {
		return err
	}
	for _, client := range seen.Clients {
		if err := add(to+"/clients/"+url.PathEscape(client.ID), client.Roles); err != nil {
			return err
		}
	}
	return nil
}

// DeleteProofClient deletes a client by its id. One that is not there is no error.
func (r *Realm) DeleteProofClient(ctx context.Context, id string) error {
	r.clients.Forget()
	defer r.clients.Forget()
	client, err := r.findClient(ctx, id)
	if err != nil || client == nil {
		return err
	}
	return r.admin.remove(ctx, r.clientPath(client, ""))
}

// SendTestMail makes Keycloak send a mail to an address with the realm's own settings, password included. Keycloak's own test
// writes only to administrators who have an address, which a service account has not; so a user is made, sent the mail
// that asks to confirm the address, and deleted. So the address must be one that a new user may have.
func (r *Realm) SendTestMail(ctx context.Context, address string) error {
	const name = "kubectl-onyxia-test-mail"
	if err := r.DeleteUser(ctx, name); err != nil {
		return err
	}
	id, err := r.admin.create(ctx, r.path("/users"), document{"username": name, "email": address, "firstName": "Test", "lastName": "Mail", "enabled": true})
	switch {
	case IsStatus(err, http.StatusConflict):
		return fmt.Errorf("%w; the test is sent to a user who lives as long as it, and %s is the address of somebody in realm %s: name a mailbox that no user has, "+
			"or the same with +test before the @ where the mail server allows that", err, address, r.name)
	case IsStatus(err, http.StatusBadRequest):
		return fmt.Errorf("%w; the test is sent to a user who lives as long as it, and the user profile of realm %s takes no such address: name one that may sign up (auth.emailDomains)", err, r.name)
	case err != nil:
		return err
	}
	mail := request{method: http.MethodPut, path: r.path("/users/" + id + "/execute-actions-email"), body: []string{"VERIFY_EMAIL"}, single: true}
	sent := r.admin.do(ctx, mail)
	if err := r.admin.remove(context.WithoutCancel(ctx), r.path("/users/"+id)); err != nil && sent == nil {
		return err
	}
	if IsStatus(sent, http.StatusInternalServerError) {
		return fmt.Errorf("%w; Keycloak could not hand the mail to the mail server, and its log says why", sent)
	}
	return sent
}
