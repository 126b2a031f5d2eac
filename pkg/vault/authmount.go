package vault

import (
	"context"
	"fmt"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// AuthMount is an auth method of the issuer: jwt takes its tokens, oidc sends a browser to it.
type AuthMount struct {
	Access Access
	// Path of the method; Onyxia's region calls it authPath.
	Path string
	// Type is "jwt" or "oidc", two names of one plugin.
	Type string
	// Listed shows the method on the login page of Vault's UI.
	Listed bool
	// Accessor is made known by this step. Vault gives each mount a random one, and templated policies name it.
	Accessor *engine.Output[string]
}

// AuthSeen is what sys/auth says of a method.
type AuthSeen struct {
	Type        string `json:"type"`
	Accessor    string `json:"accessor"`
	Description string `json:"description"`
	Config      struct {
		ListingVisibility string `json:"listing_visibility"`
	} `json:"config"`
}

// authDescription marks the method as ours.
const authDescription = "users of Onyxia"

func (m AuthMount) visibility() string {
	if m.Listed {
		return "unauth"
	}
	return "hidden"
}

// Observe reads the methods; nil means it is not there.
func (m AuthMount) Observe(ctx context.Context) (*AuthSeen, error) {
	c, err := m.Access(ctx)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data map[string]AuthSeen `json:"data"`
	}
	if err := c.Read(ctx, "sys/auth", &answer); err != nil {
		return nil, err
	}
	seen, found := answer.Data[m.Path+"/"]
	if !found {
		return nil, nil
	}
	// Vault leaves the field out when it is hidden, which is its default.
	if seen.Config.ListingVisibility == "" {
		seen.Config.ListingVisibility = "hidden"
	}
	m.Accessor.Set(seen.Accessor)
	return &seen, nil
}

// Plan compares.
func (m AuthMount) Plan(seen *AuthSeen) engine.Change {
	if seen == nil {
		return engine.Change{Action: engine.Create}
	}
	if seen.Type != "jwt" && seen.Type != "oidc" {
		return engine.Change{Action: engine.Blocked, Why: fmt.Sprintf("auth/%s is of type %s", m.Path, seen.Type),
			Fix: "choose another path for Onyxia's login, or disable that method if nobody uses it"}
	}
	var d differences
	d.text("config.listing_visibility", seen.Config.ListingVisibility, m.visibility())
	return d.change()
}

// Apply enables or tunes it.
func (m AuthMount) Apply(ctx context.Context, seen *AuthSeen) error {
	c, err := m.Access(ctx)
	if err != nil {
		return err
	}
	config := map[string]string{"listing_visibility": m.visibility()}
	if seen == nil {
		return c.Write(ctx, "sys/auth/"+m.Path, map[string]any{"type": m.Type, "description": authDescription, "config": config}, nil)
	}
	return c.Write(ctx, "sys/auth/"+m.Path+"/tune", config, nil)
}

// RefuseRemoval keeps a method that somebody else enabled: it may serve more than Onyxia.
func (m AuthMount) RefuseRemoval(ctx context.Context) string {
	if seen, err := m.Observe(ctx); err == nil && seen != nil && seen.Description != authDescription {
		return "enabled by somebody else"
	}
	return ""
}

// Remove disables it. Every token that it gave ends; the users' secrets stay.
func (m AuthMount) Remove(ctx context.Context) error {
	c, err := m.Access(ctx)
	if err != nil {
		return err
	}
	return c.Delete(ctx, "sys/auth/"+m.Path)
}
