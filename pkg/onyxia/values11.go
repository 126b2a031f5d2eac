package onyxia

// values11 are the values of charts from 11.0 on, as far as we set them.
type values11 struct {
	Ingress ingress `json:"ingress"`
	Web     web     `json:"web"`
	API     api     `json:"api"`
}

// newValues11 tells the API alone where to log in: the web asks the API (since chart 5.0.0). Without login the API keeps
// to the rights that it has in its own namespace (D13).
func newValues11(in Input) (values11, error) {
	p := in.Platform
	w, err := newWeb(in)
	if err != nil {
		return values11{}, err
	}
	a, err := newAPI(in)
	if err != nil {
		return values11{}, err
	}
	if in.Auth {
		// One namespace per user: they are made, listed and bound to roles in the whole cluster.
		a.ServiceAccount = &serviceAccount{ClusterAdmin: true}
		a.Env = map[string]string{
			"authentication.mode": "openidconnect",
			"oidc.issuer-uri":     p.Issuer(),
			"oidc.clientID":       p.Auth.ClientID,
			"oidc.username-claim": p.Auth.UsernameClaim,
			"oidc.groups-claim":   p.Auth.GroupsClaim,
		}
		// Tokens that the realm gives to other applications are of no use at the API (RFC 9068 section 4). At an issuer that is
		// not ours the claim is whatever it is.
		if !p.Auth.OtherIssuer() {
			a.Env["oidc.audience"] = p.Auth.ClientID
		}
		if len(p.Auth.Terms) > 0 {
			if w.Env["TERMS_OF_SERVICES"], err = terms(p); err != nil {
				return values11{}, err
			}
		}
	}
	return values11{Ingress: newIngress(p), Web: w, API: a}, nil
}
