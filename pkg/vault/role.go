package vault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// loginRole says which tokens of the issuer may log in, as whom, and with which policies.
type loginRole struct {
	Access Access
	// Mount is the path of the auth method.
	Mount string
	Name  string
	// Type is "jwt" for a token in the request, "oidc" for the login page of Vault's UI.
	Type string
	// UserClaim names the user: the alias that the policies' folders are named after.
	UserClaim string
	// Audiences of which one must be in the token's aud.
	Audiences []string
	// BoundClaims must be in the token with these values.
	BoundClaims map[string]string
	// GroupsClaim and Groups map the first groups of a token to the alias's metadata group0, group1, .... A claim that is
	// missing maps nothing and refuses nobody: Keycloak leaves it out for a user of no group. Every role of a mount must
	// map the same, because each login replaces the metadata of the user.
	GroupsClaim string
	Groups      int
	Policies    []string
	// TTL and MaxTTL of the tokens.
	TTL, MaxTTL time.Duration
	// Batch gives tokens that Vault keeps no record of: making one writes nothing, and they end by their TTL alone.
	Batch bool
	// RedirectURIs for the type oidc.
	RedirectURIs []string
	// Scopes for the type oidc, beyond openid.
	Scopes []string
}

// roleSeen is what auth/MOUNT/role/NAME says.
type roleSeen struct {
	Type         string            `json:"role_type"`
	UserClaim    string            `json:"user_claim"`
	Audiences    []string          `json:"bound_audiences"`
	BoundClaims  map[string]any    `json:"bound_claims"`
	GroupsClaim  string            `json:"groups_claim"`
	Mappings     map[string]string `json:"claim_mappings"`
	Policies     []string          `json:"token_policies"`
	TTL          int64             `json:"token_ttl"`
	MaxTTL       int64             `json:"token_max_ttl"`
	RedirectURIs []string          `json:"allowed_redirect_uris"`
	Scopes       []string          `json:"oidc_scopes"`
	Verbose      bool              `json:"verbose_oidc_logging"`
	TokenType    string            `json:"token_type"`
}

func (r loginRole) path() string { return "auth/" + r.Mount + "/role/" + r.Name }

// Observe reads the role; nil means it is not there.
func (r loginRole) Observe(ctx context.Context) (*roleSeen, error) {
	c, err := r.Access(ctx)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data roleSeen `json:"data"`
	}
	err = c.Read(ctx, r.path(), &answer)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &answer.Data, nil
}

// Plan compares what decides who gets in. Other fields of the role are the admin's.
func (r loginRole) Plan(seen *roleSeen) engine.Change {
	if seen == nil {
		return engine.Change{Action: engine.Create}
	}
	var d differences
	d.text("role_type", seen.Type, r.Type)
	d.text("user_claim", seen.UserClaim, r.UserClaim)
	d.list("bound_audiences", seen.Audiences, r.Audiences)
	bound := map[string]string{}
	for name, value := range seen.BoundClaims {
		bound[name] = fmt.Sprint(value)
	}
	d.pairs("bound_claims", bound, r.BoundClaims)
	// With a groups_claim, a user of no group could not log in.
	d.text("groups_claim", seen.GroupsClaim, "")
	d.pairs("claim_mappings", seen.Mappings, r.mappings())
	d.list("token_policies", seen.Policies, r.Policies)
	d.text("token_ttl", seconds(seen.TTL), seconds(int64(r.TTL.Seconds())))
	d.text("token_max_ttl", seconds(seen.MaxTTL), seconds(int64(r.MaxTTL.Seconds())))
	if r.Batch {
		d.text("token_type", seen.TokenType, "batch")
	}
	d.list("allowed_redirect_uris", seen.RedirectURIs, r.RedirectURIs)
	d.list("oidc_scopes", seen.Scopes, r.Scopes)
	// It writes users' tokens to Vault's log.
	d.text("verbose_oidc_logging", fmt.Sprint(seen.Verbose), "false")
	return d.change()
}

func seconds(n int64) string { return (time.Duration(n) * time.Second).String() }

// mappings are JSON pointers into the token, each to one key of the alias's metadata. Claims of some issuers are addresses,
// whose slashes would lead deeper into the token.
func (r loginRole) mappings() map[string]string {
	m := map[string]string{}
	claim := strings.NewReplacer("~", "~0", "/", "~1").Replace(r.GroupsClaim)
	for i := range r.Groups {
		m[fmt.Sprintf("/%s/%d", claim, i)] = fmt.Sprintf("group%d", i)
	}
	return m
}

// Apply writes the fields that Plan compares.
func (r loginRole) Apply(ctx context.Context, _ *roleSeen) error {
	c, err := r.Access(ctx)
	if err != nil {
		return err
	}
	bound := r.BoundClaims
	if bound == nil {
		bound = map[string]string{}
	}
	in := map[string]any{
		"role_type": r.Type, "user_claim": r.UserClaim, "bound_audiences": r.Audiences, "bound_claims": bound, "groups_claim": "",
		"claim_mappings": r.mappings(), "token_policies": r.Policies, "token_ttl": int64(r.TTL.Seconds()), "token_max_ttl": int64(r.MaxTTL.Seconds()),
		"allowed_redirect_uris": append([]string{}, r.RedirectURIs...), "oidc_scopes": append([]string{}, r.Scopes...), "verbose_oidc_logging": false,
	}
	if r.Batch {
		in["token_type"] = "batch"
	}
	return c.Write(ctx, r.path(), in, nil)
}

// Remove deletes it.
func (r loginRole) Remove(ctx context.Context) error {
	c, err := r.Access(ctx)
	if err != nil {
		return err
	}
	return c.Delete(ctx, r.path())
}
