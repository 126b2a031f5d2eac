package keycloak

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/keycloaktest"
)

// proofToken logs a user in through a client that is made for it, as a copy of another, and gives the claims of the access token.
func (l *lab) proofToken(ctx context.Context, t *testing.T, user, password, original string, more ...Mapper) Claims {
	t.Helper()
	must(t, l.realm.AddProofClient(ctx, "proof", original, more...))
	secret, err := l.realm.ClientSecret(ctx, "proof")
	must(t, err)
	got, err := l.realm.UserTokens(ctx, Credentials{ClientID: "proof", ClientSecret: secret, Username: user, Password: password})
	must(t, err)
	claims, err := ParseClaims(got.Access)
	must(t, err)
	must(t, l.realm.DeleteProofClient(ctx, "proof"))
	return claims
}

func tokensOfUsers(ctx context.Context, t *testing.T, server *keycloaktest.Server) {
	l := newLab(server, "tokens")
	l.mustUp(ctx, t)
	password, err := l.realm.AddProofUser(ctx, "alice", "example.org", "group1", "parent/child")
	if err != nil {
		t.Fatal(err)
	}
	claims := l.proofToken(ctx, t, "alice", password, "onyxia-minio")
	groups := claims.List("groups")
	slices.Sort(groups)
	if !slices.Equal(groups, []string{"child", "group1"}) || claims.Text("preferred_username") != "alice" || claims.Text("policy") != "stsonly" || claims.Text("sub") == "" ||
		claims.Text("iss") != server.URL+"/realms/tokens" || !slices.Contains(claims.List("aud"), "minio") {
		t.Errorf("claims: %v", claims)
	}
	if _, err := l.realm.UserTokens(ctx, Credentials{ClientID: "onyxia", Username: "alice", Password: password}); err == nil || strings.Contains(err.Error(), password) {
		t.Errorf("login by password at client onyxia: %v", err)
	}
}

// scopesOnRequest: no scope that a user asks for at the login makes realm roles groups.
func scopesOnRequest(ctx context.Context, t *testing.T, server *keycloaktest.Server) {
	l := newLab(server, "scopes")
	l.mustUp(ctx, t)
	password, err := l.realm.AddProofUser(ctx, "alice", "example.org", "group1")
	must(t, err)
	l.byHand(ctx, t, http.MethodPost, "/roles", document{"name": "group2"})
	var role document
	l.look(ctx, t, "/roles/group2", &role)
	alice, err := l.realm.FindUser(ctx, "alice")
	must(t, err)
	l.byHand(ctx, t, http.MethodPost, "/users/"+alice.ID+"/role-mappings/realm", []document{role})
	asked := func() []string {
		t.Helper()
		must(t, l.realm.AddProofClient(ctx, "proof", "onyxia"))
		secret, err := l.realm.ClientSecret(ctx, "proof")
		must(t, err)
		response, err := http.PostForm(server.URL+"/realms/scopes/protocol/openid-connect/token", url.Values{"grant_type": {"password"}, "client_id": {"proof"},
			"client_secret": {secret}, "username": {"alice"}, "password": {password}, "scope": {"openid " + RolesAsGroupsScope}})
		must(t, err)
		defer response.Body.Close()
		var got struct {
			tokens
			Error string `json:"error"`
		}
		must(t, json.NewDecoder(response.Body).Decode(&got))
		must(t, l.realm.DeleteProofClient(ctx, "proof"))
		if got.Error == "invalid_scope" {
			return nil
		}
		claims, err := ParseClaims(got.AccessToken)
		must(t, err)
		return claims.List("groups")
	}
	groups := asked()
	expect(t, groups == nil || slices.Equal(groups, []string{"group1"}), "groups of a token asked with the scope: %q", groups)

	// somebody gives it back by hand, and another scope that does no harm
	onyxia, err := l.theirs.Realm("scopes").findClient(ctx, "onyxia")
	must(t, err)
	scope, err := l.theirs.Realm("scopes").findScope(ctx, RolesAsGroupsScope)
	must(t, err)
	l.byHand(ctx, t, http.MethodPost, "/client-scopes", document{"name": "theirs", "protocol": "openid-connect"})
	theirs, err := l.theirs.Realm("scopes").findScope(ctx, "theirs")
	must(t, err)
	for _, id := range []string{scope.text("id"), theirs.text("id")} {
		l.byHand(ctx, t, http.MethodPut, "/clients/"+onyxia.text("id")+"/optional-client-scopes/"+id, nil)
	}
	groups = asked()
	expect(t, slices.Contains(groups, "group2"), "with the scope the token has no roles, so this test shows nothing: %q", groups)
	for _, below := range []string{"/optional-client-scopes/", "/default-client-scopes/"} {
		l.again()
		_, plan := l.plan(ctx, t)
		lines := differing(plan)
		expect(t, len(lines) == 1 && strings.HasPrefix(lines[0], "client.keycloak/onyxia configure [client."), "%s: %q", below, lines)
		must(t, plan.Err())
		l.mustUp(ctx, t)
		l.unchanged(ctx, t)
		now, err := l.theirs.Realm("scopes").findClient(ctx, "onyxia")
		must(t, err)
		for _, field := range []string{defaultScopes, optionalScopes} {
			expect(t, !slices.Contains(stringList(now[field]), RolesAsGroupsScope), "%s: %s", field, now.text(field))
		}
		expect(t, slices.Contains(stringList(now[optionalScopes]), "theirs"), "their scope is gone: %s", now.text(optionalScopes))
		groups = asked()
		expect(t, groups == nil || slices.Equal(groups, []string{"group1"}), "groups after the repair: %q", groups)
		if below == "/optional-client-scopes/" {
			l.byHand(ctx, t, http.MethodPut, "/clients/"+onyxia.text("id")+"/default-client-scopes/"+scope.text("id"), nil)
		}
	}
}

// browser is an HTTP client with cookies that are also kept when they are "secure": browsers do so on loopback.
type browser struct {
	cookies map[string]string
	client  *http.Client
}

func newBrowser() *browser {
	stop := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &browser{cookies: map[string]string{}, client: &http.Client{CheckRedirect: stop}}
}

// open goes to an address, follows redirects on the server, and gives the page and where it ended.
func (b *browser) open(ctx context.Context, server, address string, form url.Values) (page, at string, err error) {
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	for range 10 {
		request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
		if err != nil {
			return "", "", err
		}
		if form != nil {
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		for name, value := range b.cookies {
			request.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		response, err := b.client.Do(request)
		if err != nil {
			return "", "", err
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			return "", "", err
		}
		for _, cookie := range response.Cookies() {
			b.cookies[cookie.Name] = cookie.Value
		}
		where, err := response.Location()
		if err != nil {
			return string(body), address, nil
		}
		if address = where.String(); !strings.HasPrefix(address, server) {
			return "", address, nil
		}
		method, form = http.MethodGet, nil
	}
	return "", address, fmt.Errorf("too many redirects")
}

func action(t *testing.T, page string) string {
	t.Helper()
	found := regexp.MustCompile(`<form[^>]* action="([^"]*)"`).FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("no form on the page:\n%s", page)
	}
	return html.UnescapeString(found[1])
}

// registration drives the pages of the realm the way a new user does, without a browser's own checks.
func registration(ctx context.Context, t *testing.T, server *keycloaktest.Server) {
	l := newLab(server, "register")
	l.mustUp(ctx, t)
	b := newBrowser()
	verifier := rand.Text() + rand.Text() // RFC 7636 asks for 43 characters
	challenge := sha256.Sum256([]byte(verifier))
	query := url.Values{"client_id": {"onyxia"}, "response_type": {"code"}, "scope": {"openid"}, "redirect_uri": {"https://onyxia.demo.test/"},
		"code_challenge_method": {"S256"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}}
	page, _, err := b.open(ctx, server.URL, server.URL+"/realms/register/protocol/openid-connect/registrations?"+query.Encode(), nil)
	must(t, err)
	page = l.refusals(ctx, t, b, page)
	page, at, err := b.open(ctx, server.URL, action(t, page), newcomer("bob", "bob@mail.example.org"))
	must(t, err)
	expect(t, strings.Contains(strings.ToLower(page), "terms"), "not the terms page: %s", page)
	for at != "" && !strings.HasPrefix(at, "https://onyxia.demo.test/") {
		page, at, err = b.open(ctx, server.URL, action(t, page), url.Values{"accept": {"Accept"}})
		must(t, err)
	}
	back, err := url.Parse(at)
	must(t, err)
	claims := exchange(ctx, t, server, url.Values{"grant_type": {"authorization_code"}, "client_id": {"onyxia"}, "code": {back.Query().Get("code")},
		"redirect_uri": {"https://onyxia.demo.test/"}, "code_verifier": {verifier}})
	for claim, want := range map[string]string{"iss": server.URL + "/realms/register", "aud": "account", "preferred_username": "bob", "azp": "onyxia", "site": "demo"} {
		expect(t, claims.Text(claim) == want, "claim %s is %q", claim, claims.Text(claim))
	}
	u, err := l.realm.FindUser(ctx, "bob")
	expect(t, err == nil && u.Email == "bob@mail.example.org", "user: %+v %v", u, err)
}

// newcomer fills the registration form.
func newcomer(name, address string) url.Values {
	return url.Values{"username": {name}, "email": {address}, "firstName": {"New"}, "lastName": {"User"}, "password": {"Pass-word-12345"}, "password-confirm": {"Pass-word-12345"}}
}

// refusals fills the form in ways that must not do, and gives the page that is shown at the end.
func (l *lab) refusals(ctx context.Context, t *testing.T, b *browser, page string) string {
	t.Helper()
	info, err := l.own.ServerInfo(ctx)
	must(t, err)
	refused := []struct{ name, address, words string }{
		{"bob.smith", "bob@example.org", usernameMessage},
		{"-bob", "bob@example.org", usernameMessage},
		{strings.Repeat("b", 59), "bob@example.org", ""},
		{"bob", "bob@evil.org", ""},
		{"bob", "bob@notexample.org", ""},
	}
	expect(t, strings.Contains(html.UnescapeString(page), usernameMessage), "the form does not say which names will do: %s", page)
	if info.Features.FoldsUsernames {
		// the server takes "Robert" for "robert"; the page of Onyxia's theme refuses it by this pattern
		expect(t, strings.Contains(html.UnescapeString(page), `pattern="`+usernameInput+`"`), "the form has no pattern by which a theme refuses capitals")
	} else {
		refused = append(refused, struct{ name, address, words string }{"Robert", "robert@example.org", usernameMessage})
	}
	for _, each := range refused {
		var at string
		page, at, err = b.open(ctx, l.server.URL, action(t, page), newcomer(each.name, each.address))
		must(t, err)
		if page == "" {
			t.Fatalf("%s with %s was not refused: at %s", each.name, each.address, at)
		}
		expect(t, strings.Contains(page, each.words), "%s refused, but not in our words", each.name)
	}
	return page
}

func exchange(ctx context.Context, t *testing.T, server *keycloaktest.Server, form url.Values) Claims {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/realms/register/protocol/openid-connect/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var got tokens
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("code exchange: %s %v", response.Status, err)
	}
	claims, err := ParseClaims(got.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	return claims
}
