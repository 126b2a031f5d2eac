package keycloak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Credentials log in at the token endpoint: with a user name the password grant (RFC 6749 section 4.3), else the client
// credentials grant (section 4.4). They print as their public part only.
type Credentials struct {
	// Realm to log in at. Default "master".
	Realm string
	// ClientID, default "admin-cli", and its secret where it has one.
	ClientID, ClientSecret string
	// Username and Password of an administrator; empty for the client's own service account.
	Username, Password string
}

// String names the account without its secrets.
func (c Credentials) String() string {
	c = c.complete()
	if c.Username != "" {
		return fmt.Sprintf("user %s of realm %s", c.Username, c.Realm)
	}
	return fmt.Sprintf("client %s of realm %s", c.ClientID, c.Realm)
}

// GoString is String, so that %#v shows no secret either.
func (c Credentials) GoString() string { return c.String() }

func (c Credentials) complete() Credentials {
	if c.Realm == "" {
		c.Realm = "master"
	}
	if c.ClientID == "" {
		c.ClientID = "admin-cli"
	}
	return c
}

func (c Credentials) form() url.Values {
	form := url.Values{"client_id": {c.ClientID}, "grant_type": {"client_credentials"}}
	if c.ClientSecret != "" {
		form.Set("client_secret", c.ClientSecret)
	}
	if c.Username != "" {
		form.Set("grant_type", "password")
		form.Set("username", c.Username)
		form.Set("password", c.Password)
	}
	return form
}

// margin is how long before its end a token is no longer used. Administrators' tokens live 60 s unless somebody changed it.
const margin = 10 * time.Second

// token is an access token and when to stop using it, by our own clock: the server's may be off.
type token struct {
	access string
	until  time.Time
}

func (t token) usable(now time.Time) bool { return t.access != "" && now.Before(t.until) }

// accessToken gives the token in use, or a new one.
func (a *Admin) accessToken(ctx context.Context) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token.usable(time.Now()) {
		return a.token.access, nil
	}
	if a.refusal != nil {
		return "", a.refusal
	}
	credentials, err := a.credentials(ctx)
	if err != nil {
		return "", err
	}
	now := time.Now()
	got, err := a.grant(ctx, credentials.complete(), nil)
	if errors.Is(err, ErrCredentials) {
		a.refusal = err
	}
	if err != nil {
		return "", err
	}
	life := time.Duration(got.ExpiresIn) * time.Second
	a.token = token{access: got.AccessToken, until: now.Add(life - min(margin, life/3))}
	return a.token.access, nil
}

// Subject is the id of the user that this connection logs in as; empty where tokens do not tell. A client that is made anew, in
// a database that was made anew for instance, has another one.
func (a *Admin) Subject(ctx context.Context) (string, error) {
	token, err := a.accessToken(ctx)
	if err != nil {
		return "", err
	}
	claims, err := ParseClaims(token)
	return claims.Text("sub"), err
}

// Reauthenticate makes the next request log in again: a token does not learn of rights that were granted after it.
func (a *Admin) Reauthenticate() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.token, a.refusal = token{}, nil
}

// Login tries the credentials, also after a refusal. A refusal matches ErrCredentials; anything else means that the server cannot be asked.
func (a *Admin) Login(ctx context.Context) error {
	a.mu.Lock()
	a.refusal = nil
	a.mu.Unlock()
	return a.retrying(ctx, true, func(ctx context.Context) error {
		_, err := a.accessToken(ctx)
		return err
	})
}

// tokens is the token endpoint's answer (RFC 6749 section 5.1).
type tokens struct {
	AccessToken string `json:"access_token"`
	IDToken     string `json:"id_token"`
	ExpiresIn   int    `json:"expires_in"`
}

// grant asks the token endpoint at the address that the admin API has, so that it also works through a tunnel. With the
// hostname fixed on the server (hostname v2 in 26, as well as v1) the token's issuer is the public one, and the admin API
// takes it under any host; without, both are seen under the same host. Both were tried on 26.5.6.
func (a *Admin) grant(ctx context.Context, c Credentials, more url.Values) (tokens, error) {
	form := c.form()
	for key, values := range more {
		form[key] = values
	}
	path := "/realms/" + url.PathEscape(c.Realm) + "/protocol/openid-connect/token"
	response, body, err := a.roundTrip(ctx, http.MethodPost, path, "", "application/x-www-form-urlencoded", []byte(form.Encode()))
	if err != nil {
		return tokens{}, err
	}
	if response.StatusCode == http.StatusNotFound {
		return tokens{}, fmt.Errorf("POST %s: 404: there is no Keycloak with a realm %s at this address; is its relative path (such as /auth) missing?", path, c.Realm)
	}
	if response.StatusCode != http.StatusOK {
		err = answer(http.MethodPost, path, response.StatusCode, body)
	}
	if refused(err) {
		return tokens{}, fmt.Errorf("%w of %s: %w", ErrCredentials, c, err)
	}
	if err != nil {
		return tokens{}, err
	}
	var got tokens
	if json.Unmarshal(body, &got) != nil || strings.Count(got.AccessToken, ".") != 2 {
		return tokens{}, fmt.Errorf("POST %s: the answer holds no access token; is this address a Keycloak with its relative path?", path)
	}
	return got, nil
}

// refused tells a login that was turned down from a server that is in trouble.
func refused(err error) bool {
	return IsStatus(err, http.StatusUnauthorized) || IsStatus(err, http.StatusBadRequest)
}
