package keycloak

import "maps"

// inTokens are the switches of a mapper that writes into access token, ID token and the user info answer.
func inTokens(config map[string]string) map[string]string {
	all := map[string]string{"access.token.claim": "true", "id.token.claim": "true", "userinfo.token.claim": "true"}
	maps.Copy(all, config)
	return all
}

// AudienceMapper adds a client of the realm to the audience of access tokens. Keycloak itself never puts the client that asks
// for a token there, only into "azp".
func AudienceMapper(name, clientID string) Mapper {
	return Mapper{Name: name, Type: "oidc-audience-mapper", Config: map[string]string{
		"included.client.audience": clientID, "access.token.claim": "true", "id.token.claim": "false",
	}}
}

// CustomAudienceMapper adds an audience that is no client of the realm.
func CustomAudienceMapper(name, audience string) Mapper {
	return Mapper{Name: name, Type: "oidc-audience-mapper", Config: map[string]string{
		"included.custom.audience": audience, "access.token.claim": "true", "id.token.claim": "false",
	}}
}

// HardcodedClaim adds a claim with one value for everybody, as text.
func HardcodedClaim(name, claim, value string) Mapper {
	return Mapper{Name: name, Type: "oidc-hardcoded-claim-mapper", Config: inTokens(map[string]string{
		"claim.name": claim, "claim.value": value, "jsonType.label": "String",
	})}
}

// GroupsMapper adds the names of a user's groups, without the path above them. Keycloak leaves the claim out for a user of no
// group.
func GroupsMapper(claim string) Mapper {
	return Mapper{Name: claim, Type: "oidc-group-membership-mapper", Config: inTokens(map[string]string{
		"claim.name": claim, "full.path": "false",
	})}
}

// RealmRolesMapper adds the names of a user's realm roles as a list.
func RealmRolesMapper(claim string) Mapper {
	return Mapper{Name: claim, Type: "oidc-usermodel-realm-role-mapper", Config: inTokens(map[string]string{
		"claim.name": claim, "jsonType.label": "String", "multivalued": "true",
	})}
}

// UserAttributeMapper adds an attribute of the user as text.
func UserAttributeMapper(name, attribute, claim string) Mapper {
	return Mapper{Name: name, Type: "oidc-usermodel-attribute-mapper", Config: inTokens(map[string]string{
		"user.attribute": attribute, "claim.name": claim, "jsonType.label": "String",
	})}
}

// NonceMappers bring back what Features.NoNonce took out of access tokens, for the web application of Onyxia charts below 5
// (keycloak-js 21). Keycloak's changes-25_0_0.adoc names both providers.
func NonceMappers() []Mapper {
	return []Mapper{
		{Name: "nonce", Type: "oidc-nonce-backwards-compatible-mapper", Config: map[string]string{}},
		{Name: "session state", Type: "oidc-session-state-mapper", Config: map[string]string{
			"access.token.claim": "true", "id.token.claim": "true",
		}},
	}
}
