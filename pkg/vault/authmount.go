package vault

import (
	"context"
	"fmt"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// authMount is an auth method of the issuer: jwt takes its tokens, oidc sends a browser to it.
type authMount struct {
	Access Access
	// Path of the method; Onyxia's region calls it authPath.
	Path string
	// Type is "jwt" or "oidc", two names of one plugin.
	Type string
	// Listed shows the method on the login page of Vault's UI.
	Listed bool
	// Mark is the description by which we know the method for ours.
	Mark string
	// Accessor is made known by this step. Vault gives each mount a random one, and templated policies name it.
	Accessor *engine.Output[string]
}

// authSeen is what sys/auth says of a method.
type authSeen struct {
	Type        string `json:"type"`
	Accessor    string `json:"accessor"`
	Description string `json:"description"`
	Config      struct {
		ListingVisibility string `json:"listing_visibility"`
	} `json:"config"`
}

func (m authMount) visibility() string {
	if m.Listed {
		return "unauth"
	}
	return "hidden"
}

// Observe reads the methods; nil means it is not there.
func (m authMount) Observe(ctx context.Context) (*authSeen, error) {
	c, err := m.Access(ctx)
	if err != nil {
		return nil, err
	}
	seen, err := c.authMethod(ctx, m.Path)
	if seen != nil {
		m.Accessor.Set(seen.Accessor)
	}
	return seen, err
}

// authMethod reads what is enabled at a path; nil means nothing.
func (c *Client) authMethod(ctx context.Context, path string) (*authSeen, error) {
	var answer struct {
		Data map[string]authSeen `json:"data"`
	}
	if err := c.Read(ctx, "sys/auth", &answer); err != nil {
		return nil, err
	}
	seen, found := answer.Data[path+"/"]
	if !found {
		return nil, nil
	}
	// Vault leaves the field out when it is hidden, which is its default.
	if seen.Config.ListingVisibility == "" {
		seen.Config.ListingVisibility = "hidden"
	}
	return &seen, nil
}

// Plan compares. Whether a method that somebody else enabled is shown to everybody is theirs to say.
func (m authMount) Plan(seen *authSeen) engine.Change {
	if seen == nil {
		return engine.Change{Action: engine.Create}
	}
	if seen.Type != "jwt" && seen.Type != "oidc" {
		return engine.Change{Action: engine.Blocked, Why: fmt.Sprintf("auth/%s is of type %s", m.Path, seen.Type),
			Fix: "choose another path for Onyxia's login, or disable that method if nobody uses it"}
	}
	if seen.Description != m.Mark {
		return engine.Change{Action: engine.Unchanged, Why: "enabled by somebody else"}
	}
	var d differences
	d.text("config.listing_visibility", seen.Config.ListingVisibility, m.visibility())
	return d.change()
}

// Apply enables or tunes it.
func (m authMount) Apply(ctx context.Context, seen *authSeen) error {
	c, err := m.Access(ctx)
	if err != nil {
		return err
	}
	config := map[string]string{"listing_visibility": m.visibility()}
	if seen == nil {
		return c.Write(ctx, "sys/auth/"+m.Path, map[string]any{"type": m.Type, "description": m.Mark, "config": config}, nil)
	}
	return c.Write(ctx, "sys/auth/"+m.Path+"/tune", config, nil)
}

// RefuseRemoval keeps a method that somebody else enabled: it may serve more than Onyxia.
func (m authMount) RefuseRemoval(ctx context.Context) string {
	if seen, err := m.Observe(ctx); err == nil && seen != nil && seen.Description != m.Mark {
		return "enabled by somebody else"
	}
	return ""
}

// Remove disables it. Every token that it gave ends; the users' secrets stay.
func (m authMount) Remove(ctx context.Context) error {
	c, err := m.Access(ctx)
	if err != nil {
		return err
	}
	return c.Delete(ctx, "sys/auth/"+m.Path)
}
