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

// HardcodedClaim adds a claim with one value for everybody, as text.
func HardcodedClaim(name, claim, value string) Mapper {
	return Mapper{Name: name, Type: "oidc-hardcoded-claim-mapper", Config: inTokens(map[string]string{
		"claim.name": claim, "claim.value": value, "jsonType.label": "String",
	})}
}

// GroupsMapper adds the names of a user's groups, without the path above them. Keycloak leaves the claim out for a user of no
// group. Its name does not follow the claim: another claim changes the mapper that is there.
func GroupsMapper(claim string) Mapper {
	return Mapper{Name: "groups", Type: "oidc-group-membership-mapper", Config: inTokens(map[string]string{
		"claim.name": claim, "full.path": "false",
	})}
}

// SoleGroupsMapper is GroupsMapper for a client whose groups decide what people may do.
func SoleGroupsMapper(claim string) Mapper {
	m := GroupsMapper(claim)
	m.Sole = true
	return m
}

// RealmRolesMapper adds the names of a user's realm roles as a list.
func RealmRolesMapper(claim string) Mapper {
	return Mapper{Name: claim, Type: "oidc-usermodel-realm-role-mapper", Config: inTokens(map[string]string{
		"claim.name": claim, "jsonType.label": "String", "multivalued": "true",
	})}
}
