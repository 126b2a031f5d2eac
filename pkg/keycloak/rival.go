package keycloak

import (
	"context"
	"fmt"
	"strings"
)

// rival finds a mapper that writes the claim of another one into the access tokens of the same client: among the client's own
// mappers, and those of its default scopes.
func (r *Realm) rival(ctx context.Context, client document, m Mapper) (hindrance, error) {
	claim := m.Config["claim.name"]
	found := func(name, where string) hindrance {
		return hindrance{
			why: fmt.Sprintf("mapper %q of %s writes the claim %q too, and which of the two a token gets is not defined", name, where, claim),
			fix: fmt.Sprintf("delete it in Keycloak's console: realm %s, %s, mapper %q", r.name, where, name),
		}
	}
	for _, each := range client.list("protocolMappers") {
		if each.text("name") != m.Name && each.writes(claim) {
			return found(each.text("name"), "client "+client.text("clientId")+" (Clients, Client scopes, "+client.text("clientId")+"-dedicated)"), nil
		}
	}
	for _, name := range stringList(client[defaultScopes]) {
		scope, err := r.findScope(ctx, name)
		if err != nil {
			return hindrance{}, err
		}
		for _, each := range scope.list("protocolMappers") {
			if each.writes(claim) {
				return found(each.text("name"), "client scope "+name+" (Client scopes, "+name+", Mappers)"), nil
			}
		}
	}
	return hindrance{}, nil
}

// writes tells whether a mapper writes a claim, or a part of it, into access tokens.
func (d document) writes(claim string) bool {
	config := child(d["config"])
	name := config.text("claim.name")
	return config.text("access.token.claim") == "true" && (name == claim || strings.HasPrefix(name, claim+"."))
}
