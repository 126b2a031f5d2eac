package onyxia

// values4 are the values of charts 4.1 to 4.4, as far as we set them. The service account is that of web and API both.
type values4 struct {
	ServiceAccount *serviceAccount `json:"serviceAccount,omitempty"`
	Ingress        ingress         `json:"ingress"`
	Web            web             `json:"web"`
	API            api             `json:"api"`
}

// newValues4 names Keycloak to web and API alike: with one of the two alone the web shows an invented user or an error
// that blames the API (P1, P2).
func newValues4(in Input) (values4, error) {
	p := in.Platform
	w, err := newWeb(in)
	if err != nil {
		return values4{}, err
	}
	a, err := newAPI(in)
	if err != nil {
		return values4{}, err
	}
	v := values4{Ingress: newIngress(p), Web: w, API: a}
	if !in.Auth {
		return v, nil
	}
	v.ServiceAccount = &serviceAccount{ClusterAdmin: true}
	v.API.Env = map[string]string{
		"authentication.mode":      "openidconnect",
		"keycloak.auth-server-url": p.KeycloakURL(),
		"keycloak.realm":           p.Auth.Realm,
		"keycloak.resource":        p.Auth.ClientID,
		"oidc.username-claim":      p.Auth.UsernameClaim,
	}
	v.Web.Env = map[string]string{
		"KEYCLOAK_URL":       p.KeycloakURL(),
		"KEYCLOAK_REALM":     p.Auth.Realm,
		"KEYCLOAK_CLIENT_ID": p.Auth.ClientID,
	}
	if len(p.Auth.Terms) > 0 {
		v.Web.Env["TERMS_OF_SERVICES"], err = terms(p)
	}
	return v, err
}
