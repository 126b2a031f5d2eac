package keycloak

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
)

// Claims are the claims of a token, decoded and not verified: enough to see what an issuer puts in, never enough to trust it.
type Claims map[string]any

// ParseClaims decodes a JSON Web Token (RFC 7519). Its errors do not show the token.
func ParseClaims(token string) (Claims, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errors.New("not a JSON Web Token: want three parts with dots between; an opaque token cannot be used by MinIO or Vault")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, errors.New("not a JSON Web Token: its second part is no base64url")
	}
	var c Claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return nil, errors.New("not a JSON Web Token: its second part is no JSON object")
	}
	return c, nil
}

// Text of a claim; empty if it is not there or not text.
func (c Claims) Text(name string) string {
	value, _ := c[name].(string)
	return value
}

// realmRoles and clientRoles are where Keycloak puts the roles of an administrator.
func (c Claims) realmRoles() []string { return stringList(child(c["realm_access"])["roles"]) }

func (c Claims) clientRoles(client string) []string {
	return stringList(child(child(c["resource_access"])[client])["roles"])
}
