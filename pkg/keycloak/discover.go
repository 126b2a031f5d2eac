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

// Discover fetches and checks the discovery document of any issuer, Keycloak or not. What cannot work is an error; what may is
// among the Doubts.
func Discover(ctx context.Context, client *http.Client, issuer string) (Discovery, error) {
	var d Discovery
	if err := fetchJSON(ctx, client, strings.TrimRight(issuer, "/")+wellKnown, &d); err != nil {
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
	if err := fetchJSON(ctx, client, d.JWKSURI, &keys); err != nil {
		return d, fmt.Errorf("signing keys of issuer %s: %w", issuer, err)
	}
	if d.Keys = len(keys.Keys); d.Keys == 0 {
		return d, fmt.Errorf("issuer %s publishes no signing keys at %s", issuer, d.JWKSURI)
	}
	d.Doubts = d.doubts()
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

// fetchJSON gets a public document.
func fetchJSON(ctx context.Context, client *http.Client, address string, out any) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("%w; it has to be reachable under this name, by people and by pods", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", address, response.Status)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(out); err != nil {
		return fmt.Errorf("GET %s: not the JSON that was to be there: %w", address, err)
	}
	return nil
}
