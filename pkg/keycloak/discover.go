package keycloak

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// Discovery is what an issuer publishes about itself (OpenID Connect Discovery 1.0 section 3), as far as a datalab needs it.
type Discovery struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	EndSessionEndpoint    string   `json:"end_session_endpoint"`
	JWKSURI               string   `json:"jwks_uri"`
	CodeChallengeMethods  []string `json:"code_challenge_methods_supported"`
	Claims                []string `json:"claims_supported"`
	// Keys is how many signing keys the issuer publishes.
	Keys int `json:"-"`
	// Doubts are things that may be all right, each with what it means.
	Doubts []string `json:"-"`
}

const wellKnown = "/.well-known/openid-configuration"

// Discover fetches and checks the discovery document of any issuer, Keycloak or not, as a page of that origin does. What cannot
// work is an error; what may is among the Doubts.
func Discover(ctx context.Context, client *http.Client, issuer, origin string) (Discovery, error) {
	var d Discovery
	header, err := fetchJSON(ctx, client, strings.TrimRight(issuer, "/")+wellKnown, origin, &d)
	if err != nil {
		return d, fmt.Errorf("issuer %s: %w", issuer, err)
	}
	if d.Issuer != issuer {
		return d, fmt.Errorf("issuer %s calls itself %q: both have to be the same letter by letter (a slash at the end, http or https, "+
			"the relative path); set the server's public address, or auth.url", issuer, d.Issuer)
	}
	for name, endpoint := range map[string]string{"authorization_endpoint": d.AuthorizationEndpoint, "token_endpoint": d.TokenEndpoint, "jwks_uri": d.JWKSURI} {
		if endpoint == "" {
			return d, fmt.Errorf("issuer %s names no %s", issuer, name)
		}
	}
	var keys struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if _, err := fetchJSON(ctx, client, d.JWKSURI, "", &keys); err != nil {
		return d, fmt.Errorf("signing keys of issuer %s: %w", issuer, err)
	}
	if d.Keys = len(keys.Keys); d.Keys == 0 {
		return d, fmt.Errorf("issuer %s publishes no signing keys at %s", issuer, d.JWKSURI)
	}
	d.Doubts = append(d.doubts(), unreadable(header, origin)...)
	return d, nil
}

func (d Discovery) doubts() []string {
	var doubts []string
	if !slices.Contains(d.CodeChallengeMethods, "S256") {
		doubts = append(doubts, "it does not say that it supports PKCE with S256, which Onyxia's public client uses")
	}
	if !strings.HasPrefix(d.Issuer, "https://") {
		doubts = append(doubts, "its address is not https: browsers give no login to pages without it")
	}
	if d.EndSessionEndpoint == "" {
		doubts = append(doubts, "it has no end_session_endpoint: logging out of Onyxia leaves the session there open")
	}
	return doubts
}

// unreadable doubts that a page of that origin may read the answers of the issuer (the CORS protocol of the Fetch standard).
func unreadable(header http.Header, origin string) []string {
	if allowed := header.Get("Access-Control-Allow-Origin"); allowed == "*" || allowed == origin {
		return nil
	}
	return []string{"it does not let pages of " + origin + " read its answers (the header Access-Control-Allow-Origin is neither * nor that origin), so nobody can log in there: " +
		"register " + origin + " at the issuer as a web origin (CORS) of Onyxia's client, and see that its token endpoint takes it as well"}
}

// fetchJSON gets a public document, as a page of an origin does unless that is empty.
func fetchJSON(ctx context.Context, client *http.Client, address, origin string, out any) (http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	if origin != "" {
		request.Header.Set("Origin", origin)
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w; it has to be reachable under this name, by people and by pods", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s", address, response.Status)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(out); err != nil {
		return nil, fmt.Errorf("GET %s: not the JSON that was to be there: %w", address, err)
	}
	return response.Header, nil
}
