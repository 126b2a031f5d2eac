package keycloak

import (
	"context"
	"strings"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// asShown is a mapper as Keycloak shows it.
func asShown(name, claim, access string) map[string]any {
	return map[string]any{"id": "1", "name": name, "config": map[string]any{"claim.name": claim, "access.token.claim": access}}
}

// nameFrom is a mapper that writes the user's name out of an attribute.
func nameFrom(attribute string) map[string]any {
	return map[string]any{"name": attribute, "config": map[string]any{"claim.name": "preferred_username", "access.token.claim": "true", "user.attribute": attribute}}
}

func TestRival(t *testing.T) {
	r := &Realm{name: "datalab", leaving: map[string][]string{"onyxia-minio": {"leaves"}}}
	r.scopes = engine.NewShared(func(context.Context) ([]document, error) {
		return []document{
			{"name": "profile", "protocolMappers": []any{nameFrom("username")}},
			{"name": "wide", "protocolMappers": []any{asShown("guests", "policy", "true")}},
			{"name": "leaves", "protocolMappers": []any{asShown("roles", "policy", "true")}},
			{"name": "alike", "protocolMappers": []any{map[string]any(ClientRolesMapper("", "minio", "policy").document().over(document{"name": "theirs"}))}},
		}, nil
	})
	ours := ClientRolesMapper("s3 policy", "minio", "policy")
	for name, tc := range map[string]struct {
		mappers, scopes []any
		want            string
		optional        []any
	}{
		"in a scope on request":    {nil, []any{"profile"}, `mapper "guests" of client scope wide`, []any{"address", "wide"}},
		"in one that leaves":       {nil, []any{"leaves"}, "", []any{"leaves"}},
		"none":                     {[]any{asShown("s3 policy", "policy", "true"), asShown("groups", "groups", "true")}, []any{"profile"}, "", nil},
		"that of the guide":        {[]any{asShown("policy", "policy", "true")}, nil, `mapper "policy" of client onyxia-minio writes the claim "policy" too`, nil},
		"a part of the claim":      {[]any{asShown("x", "policy.more", "true")}, nil, `mapper "x"`, nil},
		"another that begins so":   {[]any{asShown("x", "policy_of", "true")}, nil, "", nil},
		"not into access tokens":   {[]any{asShown("x", "policy", "false")}, nil, "", nil},
		"in a default scope":       {nil, []any{"profile", "wide"}, `mapper "guests" of client scope wide`, nil},
		"the name, out of another": {[]any{nameFrom("nickname")}, []any{"profile"}, `mapper "nickname" of client onyxia-minio writes the claim "preferred_username" too`, nil},
		"the name, once more":      {[]any{nameFrom("username")}, []any{"profile"}, "", nil},
		"one that writes alike":    {nil, []any{"alike"}, "", nil},
		"a scope that is nowhere":  {nil, []any{"gone"}, "", nil},
	} {
		got, err := r.rival(t.Context(), document{"clientId": "onyxia-minio", "protocolMappers": tc.mappers, defaultScopes: tc.scopes, optionalScopes: tc.optional}, ours)
		if err != nil || !strings.HasPrefix(got.why, tc.want) || (got.why == "") != (tc.want == "") {
			t.Errorf("%s: %q, %v", name, got.why, err)
		}
		if got.why != "" && !strings.HasPrefix(got.fix, "in Keycloak's console, realm datalab, Clients, onyxia-minio, Client scopes: ") {
			t.Errorf("%s: %q", name, got.fix)
		}
	}
	change := (&object{}).Plan(sight{want: document{}, hindered: hindrance{"why", "fix"}})
	if change.Action != engine.Blocked || change.Why != "why" || change.Fix != "fix" {
		t.Errorf("%+v", change)
	}
}

func TestProofClientIsACopy(t *testing.T) {
	original := document{
		"id": "1", "clientId": "onyxia-minio", "publicClient": true, "standardFlowEnabled": true, "fullScopeAllowed": false, "redirectUris": []any{"https://onyxia.demo.test/*"},
		"webOrigins": []any{"https://onyxia.demo.test"}, "secret": "theirs", "rootUrl": "https://x", "enabled": true, defaultScopes: []any{"basic"},
		"attributes":      map[string]any{"access.token.lifespan": "60", "managed-by": "kubectl-onyxia", "post.logout.redirect.uris": "+"},
		"protocolMappers": []any{asShown("theirs", "policy", "true")},
	}
	got := proofClient("proof", original, []Mapper{HardcodedClaim("party", "azp", "onyxia-minio")})
	for field, want := range map[string]string{
		"clientId": "proof", "publicClient": "false", "standardFlowEnabled": "false", "directAccessGrantsEnabled": "true", "fullScopeAllowed": "false",
		"redirectUris": "", "webOrigins": "", "secret": "", "rootUrl": "", "id": "", "enabled": "true", defaultScopes: "basic", "optionalClientScopes": "",
		"attributes": `{"access.token.lifespan":"60"}`,
	} {
		if got.text(field) != want {
			t.Errorf("%s is %s", field, got.text(field))
		}
	}
	mappers, _ := got["protocolMappers"].([]document)
	if len(mappers) != 2 || mappers[0].text("name") != "theirs" || mappers[0]["id"] != nil || mappers[1].text("name") != "party" {
		t.Errorf("mappers %v", mappers)
	}
	if original.text("clientId") != "onyxia-minio" || child(original["attributes"]).text("managed-by") == "" {
		t.Errorf("the original was changed: %v", original)
	}
}
