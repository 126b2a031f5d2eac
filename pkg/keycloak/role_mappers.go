package keycloak

// HardcodedRoleMapper gives everybody a role of a client, as far as tokens of the mapper's client go. It works before the
// mappers that write roles into claims, whatever their order (seen on 20.0.5, 21.1.2, 24.0.5 and 26.5.6).
func HardcodedRoleMapper(name, clientID, role string) Mapper {
	return Mapper{Name: name, Type: "oidc-hardcoded-role-mapper", Config: map[string]string{"role": clientID + "." + role}}
}

// ClientRolesMapper writes the user's roles of a client into a claim of access tokens, as a list.
func ClientRolesMapper(name, clientID, claim string) Mapper {
	return Mapper{Name: name, Type: "oidc-usermodel-client-role-mapper", Config: map[string]string{
		"usermodel.clientRoleMapping.clientId": clientID, "claim.name": claim, "jsonType.label": "String", "multivalued": "true",
		"access.token.claim": "true", "id.token.claim": "false", "userinfo.token.claim": "false",
	}}
}
