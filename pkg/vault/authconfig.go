package vault

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// authConfig tells the auth method whose tokens it takes. Writing it makes Vault fetch the issuer's discovery document,
// so pods must reach the issuer by its public name.
type authConfig struct {
	Access Access
	// Mount is the path of the method.
	Mount string
	// Issuer is the issuer string, exactly as it stands in tokens.
	Issuer string
	// CAPEM are the private authorities that sign the issuer's certificate; empty for the public ones.
	CAPEM string
	// DefaultRole is taken when a login names none.
	DefaultRole string
	// Mark is the description of a method that is ours. One that somebody else enabled and that takes another issuer's tokens
	// is left alone.
	Mark string
	// OIDC, if set, is the confidential client for the login page of Vault's own UI. A mount with one takes no tokens in a
	// login request any more ("unsupported config type", vault 1.14.1), so Onyxia's mount must have none.
	OIDC *OIDCClient
}

// OIDCClient is a confidential client at the issuer.
type OIDCClient struct {
	ID string
	// Secret gives the client's secret, which is written with every other change. Vault never shows it
	// (vault-plugin-auth-jwt 0.16.0), so a change of the secret alone is not seen.
	Secret func(context.Context) (Secret, error)
}

// configSeen is the configuration of a method.
type configSeen struct {
	// Values are what auth/MOUNT/config says; nil if there is none.
	Values map[string]any
	// Theirs says that somebody else enabled the method.
	Theirs bool
}

func (s configSeen) text(key string) string {
	value, _ := s.Values[key].(string)
	return value
}

// trusts says whose tokens are taken, where that is not the issuer; empty if it is, or if nobody's are.
func (s configSeen) trusts(issuer string) string {
	for _, key := range []string{"oidc_discovery_url", "bound_issuer", "jwks_url"} {
		if there := s.text(key); there != "" && strings.TrimRight(there, "/") != strings.TrimRight(issuer, "/") {
			return there
		}
	}
	if keys, _ := s.Values["jwt_validation_pubkeys"].([]any); len(keys) > 0 {
		return fmt.Sprintf("whoever has one of %d keys", len(keys))
	}
	return ""
}

// Observe reads the configuration, and whose the method is.
func (a authConfig) Observe(ctx context.Context) (configSeen, error) {
	c, err := a.Access(ctx)
	if err != nil {
		return configSeen{}, err
	}
	method, err := c.authMethod(ctx, a.Mount)
	if err != nil {
		return configSeen{}, err
	}
	values, err := c.authConfig(ctx, a.Mount)
	return configSeen{Values: values, Theirs: method != nil && method.Description != a.Mark}, err
}

// authConfig reads the configuration of an auth method; nil if there is none.
func (c *Client) authConfig(ctx context.Context, mount string) (map[string]any, error) {
	var answer struct {
		Data map[string]any `json:"data"`
	}
	err := c.Read(ctx, "auth/"+mount+"/config", &answer)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return answer.Data, err
}

// Plan compares. bound_issuer is set as well, because without it Vault checks a token's signature and not its issuer
// (vault-plugin-auth-jwt 0.16.0), and some issuers sign for many tenants with the same keys.
func (a authConfig) Plan(seen configSeen) engine.Change {
	if seen.Values == nil {
		return engine.Change{Action: engine.Create}
	}
	if trusted := seen.trusts(a.Issuer); seen.Theirs && trusted != "" {
		return engine.Change{Action: engine.Blocked,
			Why: fmt.Sprintf("auth/%s was enabled by somebody else and takes tokens of %s, and Onyxia's users have those of %s", a.Mount, trusted, a.Issuer),
			Fix: fmt.Sprintf("choose another path by vault.authPath, and for the secrets one by vault.kvEngine; or, if nobody uses that login, hand it over: vault auth tune -description=%q %s/", a.Mark, a.Mount)}
	}
	if a.OIDC == nil && seen.text("oidc_client_id") != "" {
		return engine.Change{Action: engine.Blocked,
			Why: fmt.Sprintf("auth/%s sends browsers to the issuer, as client %s, and such a mount takes no tokens of Onyxia's users", a.Mount, seen.text("oidc_client_id")),
			Fix: "choose another path for Onyxia's login"}
	}
	return a.differences(seen).change()
}

func (a authConfig) differences(seen configSeen) differences {
	var d differences
	d.text("oidc_discovery_url", seen.text("oidc_discovery_url"), a.Issuer)
	d.text("bound_issuer", seen.text("bound_issuer"), a.Issuer)
	if !seen.Theirs || seen.text("default_role") == "" {
		d.text("default_role", seen.text("default_role"), a.DefaultRole)
	}
	d.text("oidc_discovery_ca_pem", digest(seen.text("oidc_discovery_ca_pem")), digest(a.CAPEM))
	d.text("jwks_url", seen.text("jwks_url"), "")
	if keys, _ := seen.Values["jwt_validation_pubkeys"].([]any); len(keys) > 0 {
		d.text("jwt_validation_pubkeys", fmt.Sprintf("%d keys", len(keys)), "")
	}
	if a.OIDC != nil {
		d.text("oidc_client_id", seen.text("oidc_client_id"), a.OIDC.ID)
	}
	return d
}

// Apply writes it. Vault replaces the whole configuration, so what others set goes along.
func (a authConfig) Apply(ctx context.Context, seen configSeen) error {
	c, err := a.Access(ctx)
	if err != nil {
		return err
	}
	wanted := map[string]any{}
	for _, kept := range []string{"jwt_supported_algs", "oidc_response_mode", "oidc_response_types", "provider_config", "namespace_in_state"} {
		if value, found := seen.Values[kept]; found && value != nil {
			wanted[kept] = value
		}
	}
	wanted["oidc_discovery_url"], wanted["bound_issuer"] = a.Issuer, a.Issuer
	wanted["oidc_discovery_ca_pem"], wanted["default_role"] = a.CAPEM, a.DefaultRole
	if theirs := seen.text("default_role"); seen.Theirs && theirs != "" {
		wanted["default_role"] = theirs
	}
	if a.OIDC != nil {
		secret, err := a.OIDC.Secret(ctx)
		if err != nil {
			return fmt.Errorf("secret of the client %s: %w", a.OIDC.ID, err)
		}
		wanted["oidc_client_id"], wanted["oidc_client_secret"] = a.OIDC.ID, secret.Reveal()
	}
	err = c.Write(ctx, "auth/"+a.Mount+"/config", wanted, nil)
	var refused *APIError
	if errors.As(err, &refused) && refused.Says("error checking oidc discovery URL") {
		return fmt.Errorf("%w; Vault's pod could not fetch %s/.well-known/openid-configuration, or it names another issuer, or its certificate is not trusted: see Vault's log, try the address from a pod, and set trust.caBundle for a private authority", err, strings.TrimRight(a.Issuer, "/"))
	}
	return err
}

// digest stands for a PEM text in a diff. Line ends and space at the ends do not count.
func digest(pem string) string {
	pem = strings.TrimSpace(strings.ReplaceAll(pem, "\r\n", "\n"))
	if pem == "" {
		return ""
	}
	return fmt.Sprintf("sha256:%.12x", sha256.Sum256([]byte(pem)))
}
