package keycloak

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
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

// List of a claim that may be one text or several, as "aud" may (RFC 7519 section 4.1.3).
func (c Claims) List(name string) []string {
	if one, ok := c[name].(string); ok {
		return []string{one}
	}
	return stringList(c[name])
}

// Lifetime is from "iat" to "exp".
func (c Claims) Lifetime() time.Duration {
	issued, _ := c["iat"].(float64)
	expires, _ := c["exp"].(float64)
	return time.Duration(expires-issued) * time.Second
}

// realmRoles and clientRoles are where Keycloak puts the roles of an administrator.
func (c Claims) realmRoles() []string { return stringList(child(c["realm_access"])["roles"]) }

func (c Claims) clientRoles(client string) []string {
	return stringList(child(child(c["resource_access"])[client])["roles"])
}

// ClaimsWanted is what the parts of a datalab ask of a token.
type ClaimsWanted struct {
	Issuer string
	// Audience that must be there; empty for any.
	Audience string
	// UsernameClaim must be text and fit the username rule. GroupsClaim may be missing, and is a list if it is there.
	UsernameClaim, GroupsClaim string
	// MaxUsername is the longest name that fits a namespace.
	MaxUsername int
}

// CheckClaims says what is wrong with the claims of a token of any issuer, in sentences that say what to do there.
func CheckClaims(c Claims, want ClaimsWanted) []string {
	var wrong []string
	tell := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if c.Text("iss") != want.Issuer {
		tell("iss is %q and has to be %q, letter by letter", c.Text("iss"), want.Issuer)
	}
	if want.Audience != "" && !slices.Contains(c.List("aud"), want.Audience) {
		tell("aud is %s and lacks %q (azp is %q): add an audience mapper for it to the client", text(c.List("aud")), want.Audience, c.Text("azp"))
	}
	wrong = append(wrong, c.checkUsername(want)...)
	if groups, there := c[want.GroupsClaim]; there && want.GroupsClaim != "" {
		if _, isList := groups.([]any); !isList {
			tell("claim %s is not a list: make the mapper multivalued", want.GroupsClaim)
		}
	}
	return wrong
}

func (c Claims) checkUsername(want ClaimsWanted) []string {
	name := c.Text(want.UsernameClaim)
	switch {
	case name == "":
		return []string{fmt.Sprintf("claim %s is missing: add a mapper for it, or name another one as auth.usernameClaim", want.UsernameClaim)}
	case !validUsername(name):
		return []string{fmt.Sprintf("claim %s is %q, which no namespace can be called: lower-case letters, digits and dashes only", want.UsernameClaim, name)}
	case want.MaxUsername > 0 && len(name) > want.MaxUsername:
		return []string{fmt.Sprintf("claim %s has %d characters, and %d fit into a namespace", want.UsernameClaim, len(name), want.MaxUsername)}
	}
	return nil
}
