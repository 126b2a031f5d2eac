package keycloak

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
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

// AddProofUser adds a user who can log in at once: the password stands, and what every new user is asked for (terms, profile)
// is taken away again. Delete the user when the proof is over; one that a killed run left behind is made anew.
func (r *Realm) AddProofUser(ctx context.Context, u NewUser) (password string, err error) {
	password, err = newPassword()
	if err != nil {
		return "", err
	}
	u.EmailVerified = true
	if err := r.DeleteUser(ctx, u.Name); err != nil {
		return "", err
	}
	if err := r.addUser(ctx, u, document{"type": "password", "value": password, "temporary": false}); err != nil {
		return "", err
	}
	made, err := r.FindUser(ctx, u.Name)
	if err != nil {
		return "", err
	}
	// default actions are added at creation, whatever the request says
	return password, r.admin.put(ctx, r.path("/users/"+made.ID), document{
		"username": u.Name, "email": u.Email, "firstName": u.FirstName, "lastName": u.LastName, "enabled": true, "emailVerified": true,
		"requiredActions": []string{},
	})
}

// AddProofClient makes a client, with its mappers, that is not a step: it is gone when the proof is over. One that a killed
// run left behind is made anew. Its secret, if it has one, is read by ClientSecret.
func (r *Realm) AddProofClient(ctx context.Context, c Client, mappers ...Mapper) error {
	if err := r.DeleteProofClient(ctx, c.ID); err != nil {
		return err
	}
	want, err := r.wantedClient(ctx, c)
	if err != nil {
		return err
	}
	whole := want.without(defaultScopes).over(document{"clientId": c.ID})
	list := make([]document, 0, len(mappers))
	for _, m := range mappers {
		list = append(list, m.document().over(document{"name": m.Name}))
	}
	whole["protocolMappers"] = list
	_, err = r.admin.create(ctx, r.path("/clients"), whole)
	r.clients.Forget()
	return err
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
	return sent
}
