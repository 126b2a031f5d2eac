package keycloak

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
)

// Client is an OpenID Connect client: what is ours in it. Other fields, other attributes and other people's mappers stay.
type Client struct {
	// ID is the client_id.
	ID string
	// Name is shown to users; empty leaves it alone.
	Name string
	// Confidential clients have a secret, public ones (single-page applications) do not.
	Confidential bool
	// Secret of a confidential client. Nil lets Keycloak make one; Realm.ClientSecret reads it. Its error is given on.
	Secret func(context.Context) (string, error)
	// StandardFlow is the authorization code flow, DirectGrants the password grant, ServiceAccount the client's own login.
	StandardFlow, DirectGrants, ServiceAccount bool
	// PKCE asks for a code challenge by S256 (RFC 7636).
	PKCE bool
	// RedirectURIs, WebOrigins and PostLogoutRedirectURIs are exactly these: one too many is a hole. Empty post-logout
	// addresses are left alone.
	RedirectURIs, WebOrigins, PostLogoutRedirectURIs []string
	// Lifespans of the client; zero ones are left alone.
	Lifespans ClientLifespans
	// DefaultScopes that the client must have besides what the realm gives every client.
	DefaultScopes []string
	// WithoutScopes are scopes that the client must not have, neither always nor on request.
	WithoutScopes []string
	// FullScope puts every role of a user into the client's tokens, which mappers of roles need; false leaves it alone.
	FullScope bool
}

// ProfileScope is the client scope by which tokens have the user's name, in the claim preferred_username.
const ProfileScope = "profile"

// RolesAsGroupsScope is a client scope that every realm has, and by default every client on request: whoever logs in may ask for
// it. It writes the user's realm roles into the claim "groups", where they count as groups.
const RolesAsGroupsScope = "microprofile-jwt"

// PublicClient is a single-page application: authorization code flow with PKCE, served from the origins of its redirect URIs.
func PublicClient(id string, origins []string, redirectURIs ...string) Client {
	return Client{ID: id, StandardFlow: true, PKCE: true, RedirectURIs: redirectURIs, WebOrigins: origins}
}

// ClientStepID is the step of a client, for steps that need it.
func ClientStepID(id string) engine.ID { return engine.ID("client.keycloak/" + id) }

// ClientStep gives the step of a client. Removing it deletes the client if we made it.
func (r *Realm) ClientStep(c Client, needs ...engine.ID) engine.Step {
	r.mu.Lock()
	r.leaving[c.ID] = c.WithoutScopes
	r.mu.Unlock()
	client := &removable{
		object: object{
			prefix: "client.",
			read:   func(ctx context.Context) (document, error) { return r.findClient(ctx, c.ID) },
			want:   func(ctx context.Context, _ document) (document, error) { return r.wantedClient(ctx, c) },
			risk:   func(s sight) string { return r.takingClient(c.ID, s) },
			create: func(ctx context.Context, want document) error { return r.createClient(ctx, c, want) },
			update: r.updateClient,
			forget: r.clients.Forget,
			drop:   func(ctx context.Context, seen document) error { return r.admin.remove(ctx, r.clientPath(seen, "")) },
		},
		ours: func(s sight) bool { return ours(s.seen) },
		why:  "client " + c.ID + " was there before",
	}
	return engine.New(ClientStepID(c.ID), client, append(needs, r.ID())...)
}

// takingClient says what may end when a client of somebody else's becomes as we want it.
func (r *Realm) takingClient(id string, s sight) string {
	risk := "client " + id + " of realm " + r.name + " was made by somebody else: what logs in by it now may stop working"
	wanted, _ := s.want["redirectUris"].(set)
	stays := places(wanted)
	ends := slices.DeleteFunc(places(stringList(s.seen["redirectUris"])), func(host string) bool { return slices.Contains(stays, host) })
	if len(ends) > 0 {
		risk += "; nobody logs in to " + strings.Join(ends, ", ") + " by it any more"
	}
	if given, changes := s.want["secret"].(leaf); changes && !given.same(s.seen["secret"]) {
		risk += "; its secret becomes another"
	}
	return risk
}

// places are the hosts of redirect addresses, sorted, or the address itself where it names none.
func places(uris []string) []string {
	list := make([]string, 0, len(uris))
	for _, uri := range uris {
		if parsed, err := url.Parse(uri); err == nil && parsed.Host != "" {
			uri = parsed.Host
		}
		list = append(list, uri)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// ClientSecret reads the secret of a confidential client; *engine.NotYetError if there is no such client.
func (r *Realm) ClientSecret(ctx context.Context, clientID string) (string, error) {
	client, err := r.findClient(ctx, clientID)
	if err != nil {
		return "", err
	}
	if client == nil {
		return "", &engine.NotYetError{After: ClientStepID(clientID)}
	}
	var secret struct {
		Value string `json:"value"`
	}
	err = r.admin.get(ctx, r.clientPath(client, "/client-secret"), &secret)
	return secret.Value, err
}

func (r *Realm) findClient(ctx context.Context, id string) (document, error) {
	list, err := r.clients.Get(ctx)
	if err != nil {
		return nil, err
	}
	return find(list, "clientId", id), nil
}

func (r *Realm) clientPath(client document, below string) string {
	return r.path("/clients/" + url.PathEscape(client.text("id")) + below)
}

func (r *Realm) wantedClient(ctx context.Context, c Client) (document, error) {
	info, err := r.admin.ServerInfo(ctx)
	if err != nil {
		return nil, err
	}
	want := document{
		"enabled":                   true,
		"protocol":                  "openid-connect",
		"publicClient":              !c.Confidential,
		"standardFlowEnabled":       c.StandardFlow,
		"implicitFlowEnabled":       false,
		"directAccessGrantsEnabled": c.DirectGrants,
		"serviceAccountsEnabled":    c.ServiceAccount,
		"redirectUris":              set(c.RedirectURIs),
		"webOrigins":                set(c.WebOrigins),
		"attributes":                c.attributes(),
	}
	if c.Name != "" {
		want["name"] = c.Name
	}
	if c.FullScope {
		want["fullScopeAllowed"] = true
	}
	scopes := slices.Clone(c.DefaultScopes)
	if info.Features.BasicScope {
		// without it a token has no "sub"; clients from before an upgrade may lack it
		scopes = append(scopes, "basic")
	}
	want[defaultScopes] = members{in: scopes, out: c.WithoutScopes}
	if len(c.WithoutScopes) > 0 {
		want[optionalScopes] = members{out: c.WithoutScopes}
	}
	if c.Confidential && c.Secret != nil {
		given, err := c.Secret(ctx)
		if err != nil {
			return nil, fmt.Errorf("secret of client %s: %w", c.ID, err)
		}
		want["secret"] = hidden{secret.New(given)}
	}
	return want, nil
}

func (c Client) attributes() document {
	attributes := c.Lifespans.attributes()
	if c.PKCE {
		attributes["pkce.code.challenge.method"] = "S256"
	}
	if len(c.PostLogoutRedirectURIs) > 0 {
		attributes["post.logout.redirect.uris"] = strings.Join(c.PostLogoutRedirectURIs, "##")
	}
	return attributes
}

// The fields of scopes are shown with the client and written by endpoints of their own. Sent at creation, they would take the
// realm's own scopes away.
const (
	defaultScopes  = "defaultClientScopes"
	optionalScopes = "optionalClientScopes"
)

func (r *Realm) createClient(ctx context.Context, c Client, want document) error {
	attributes := child(want["attributes"]).without()
	attributes[mark] = maker
	whole := want.without(defaultScopes, optionalScopes).over(document{"clientId": c.ID})
	whole["attributes"] = attributes
	if _, err := r.admin.create(ctx, r.path("/clients"), whole); err != nil {
		return err
	}
	r.clients.Forget()
	made, err := r.findClient(ctx, c.ID)
	if err != nil || made == nil {
		return err
	}
	return r.settleScopes(ctx, made, want)
}

// updateClient sends the whole client as the console does: from 26 on, fields that are left out are made up anew, such as the
// web origins from the redirect URIs. Mappers are never among them: Keycloak would replace those that are there.
func (r *Realm) updateClient(ctx context.Context, seen, want document) error {
	if err := r.settleScopes(ctx, seen, want); err != nil {
		return err
	}
	if len(want.without(defaultScopes, optionalScopes).differences("", seen)) == 0 {
		return nil
	}
	return r.admin.put(ctx, r.clientPath(seen, ""), want.over(seen).without("protocolMappers", "access"))
}

// settleScopes gives a client the scopes that it lacks, and takes away those that it must not have.
func (r *Realm) settleScopes(ctx context.Context, seen, want document) error {
	for field, below := range map[string]string{defaultScopes: "/default-client-scopes/", optionalScopes: "/optional-client-scopes/"} {
		wanted, _ := want[field].(members)
		there := stringList(seen[field])
		for _, name := range wanted.in {
			if slices.Contains(there, name) {
				continue
			}
			path, err := r.scopePath(ctx, seen, below, name)
			if err != nil {
				return err
			}
			if err := r.admin.put(ctx, path, nil); err != nil {
				return err
			}
		}
		for _, name := range there {
			if !wanted.unwanted(name) {
				continue
			}
			path, err := r.scopePath(ctx, seen, below, name)
			if err != nil {
				return err
			}
			if err := r.admin.remove(ctx, path); err != nil {
				return err
			}
		}
	}
	return nil
}

// scopePath is where a scope is given to a client, or taken from it.
func (r *Realm) scopePath(ctx context.Context, client document, below, name string) (string, error) {
	scope, err := r.findScope(ctx, name)
	if err == nil && scope == nil {
		err = &Error{Method: http.MethodPut, Path: r.clientPath(client, below), Status: http.StatusNotFound, Message: "realm " + r.name + " has no client scope " + name}
	}
	return r.clientPath(client, below+scope.text("id")), err
}
