package keycloak

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// nameClaim is the claim of a token that holds the user's name, by ProfileScope.
const nameClaim = "preferred_username"

// rival finds a mapper that writes the claim of another one into the access tokens of the same client: among the client's own
// mappers, and those of its scopes, also of those that a user may ask for, but for scopes that the client's step takes away. One
// that writes the same is none. One that writes the user's name out of anything but the name is a rival too: people may change
// their other attributes, and the name says whose things they reach.
func (r *Realm) rival(ctx context.Context, client document, m Mapper) (hindrance, error) {
	own, id, want := m.Config["claim.name"], client.text("clientId"), m.document()
	found := func(claim, name, where, fix string) hindrance {
		return hindrance{
			why: fmt.Sprintf("mapper %q of %s writes the claim %q too, and which of the two a token gets is not defined", name, where, claim),
			fix: fmt.Sprintf("in Keycloak's console, realm %s, Clients, %s, Client scopes: %s", r.name, id, fix),
		}
	}
	rivals := func(each document) (claim string) {
		switch {
		case each.writes(own) && len(want.differences("", each)) > 0:
			return own
		case each.writes(nameClaim) && child(each["config"]).text("user.attribute") != "username":
			return nameClaim
		}
		return ""
	}
	for _, each := range client.list("protocolMappers") {
		if name, claim := each.text("name"), rivals(each); name != m.Name && claim != "" {
			return found(claim, name, "client "+id, fmt.Sprintf("delete the mapper %q of %s-dedicated", name, id)), nil
		}
	}
	r.mu.Lock()
	leaving := r.leaving[id]
	r.mu.Unlock()
	for _, name := range slices.Concat(stringList(client[defaultScopes]), stringList(client[optionalScopes])) {
		if slices.Contains(leaving, name) {
			continue
		}
		scope, err := r.findScope(ctx, name)
		if err != nil {
			return hindrance{}, err
		}
		for _, each := range scope.list("protocolMappers") {
			if claim := rivals(each); claim != "" {
				return found(claim, each.text("name"), "client scope "+name, fmt.Sprintf("remove the scope %q from the client, or that mapper from the scope", name)), nil
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
