package keycloak

// List of a claim that may be one text or several, as "aud" may (RFC 7519 section 4.1.3).
func (c Claims) List(name string) []string {
	if one, ok := c[name].(string); ok {
		return []string{one}
	}
	return stringList(c[name])
}
