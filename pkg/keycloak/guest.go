package keycloak

import (
	"context"
	"fmt"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// guest is the service account on a server of somebody else's: it is taken away when the datalab is.
type guest struct{ *account }

var (
	_ engine.Remover  = (*guest)(nil)
	_ engine.Refuser  = (*guest)(nil)
	_ engine.Presence = (*guest)(nil)
)

// Stays says why the account outlives an uninstall; empty if it does not. It does where a realm is left that we made, because
// nobody else of ours could remove that one later, and where no administrator of realm master can be had to delete it.
func (s ServiceAccount) Stays(ctx context.Context, own *Admin) string {
	self, err := own.Realm(s.Realm).readSelf(ctx)
	if err == nil && self != nil && ours(self) {
		return fmt.Sprintf("realm %s is kept with it; without that realm, delete client %s of realm master in the console", s.Realm, s.ID)
	}
	client, err := s.client(ctx)
	switch {
	case err != nil:
		return "only an administrator of realm master can delete its client " + s.ID + ": " + err.Error()
	case client != nil && !ours(client):
		return s.foreign()
	}
	return ""
}

// client is the account's in realm master, nil for none.
func (s ServiceAccount) client(ctx context.Context) (document, error) {
	return s.Bootstrap.Realm("master").findClient(ctx, s.ID)
}

// RefuseRemoval says why it stays.
func (g *guest) RefuseRemoval(ctx context.Context) string { return g.Stays(ctx, g.own) }

// Present tells whether the client is there.
func (g *guest) Present(ctx context.Context) (bool, error) {
	client, err := g.client(ctx)
	return client != nil, err
}

// Remove deletes the client, and with it its rights.
func (g *guest) Remove(ctx context.Context) error {
	client, err := g.client(ctx)
	if err != nil || client == nil || !ours(client) {
		return err
	}
	defer g.own.Reauthenticate()
	return g.Bootstrap.remove(ctx, g.Bootstrap.Realm("master").clientPath(client, ""))
}
