package vault

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// kvMount is the secrets engine KV, version 2, that holds the users' secrets.
type kvMount struct {
	Access Access
	// Path of the engine; Onyxia's region calls it kvEngine.
	Path string
	// Mark is the description by which we know the engine for ours.
	Mark string
	// Shared says that others use this Vault as well, perhaps for another datalab.
	Shared bool
	// Login is what our login is known by, for engines that bear kvDescription alone. Only Shared asks for it.
	Login ourLogin
}

// ourLogin is where a datalab's users log in to a Vault, by what mark, and with whose tokens.
type ourLogin struct{ Path, Mark, Issuer string }

// mountSeen is what sys/mounts says of an engine.
type mountSeen struct {
	Type        string            `json:"type"`
	Description string            `json:"description"`
	Options     map[string]string `json:"options"`
	// Unnamed says that kvDescription alone does not tell whose the engine is, and that our login says it is ours.
	Unnamed bool `json:"-"`
}

// kvDescription marks the engine as a datalab's. In a Vault that others use as well the issuer of its users follows, because
// the same name at another issuer is another person.
const kvDescription = "secrets of Onyxia's users and groups"

// Observe reads the engines; nil means it is not there.
func (k kvMount) Observe(ctx context.Context) (*mountSeen, error) {
	c, err := k.Access(ctx)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data map[string]mountSeen `json:"data"`
	}
	if err = c.Read(ctx, "sys/mounts", &answer); err != nil {
		return nil, err
	}
	seen, found := answer.Data[k.Path+"/"]
	if !found {
		return nil, nil
	}
	if k.Shared && seen.Description == kvDescription {
		seen.Unnamed, err = c.ours(ctx, k.Login)
	}
	return &seen, err
}

// ours tells whether the only datalab in this Vault is the one with that login.
func (c *Client) ours(ctx context.Context, login ourLogin) (bool, error) {
	var answer struct {
		Data map[string]authSeen `json:"data"`
	}
	if err := c.Read(ctx, "sys/auth", &answer); err != nil {
		return false, err
	}
	for _, method := range answer.Data {
		if strings.HasPrefix(method.Description, usersMark+" at ") && method.Description != login.Mark {
			return false, nil
		}
	}
	method, found := answer.Data[login.Path+"/"]
	if !found || method.Description == login.Mark {
		return found, nil
	}
	config, err := c.authConfig(ctx, login.Path)
	return config != nil && (configSeen{Values: config}).trusts(login.Issuer) == "", err
}

// theirs says whose the engine is, where that is not us.
func (k kvMount) theirs(seen *mountSeen) (why string, datalab bool) {
	switch {
	case seen.Description == k.Mark, seen.Unnamed:
		return "", false
	case !strings.HasPrefix(seen.Description, kvDescription):
		return "enabled by somebody else", false
	case k.Shared:
		return "holds the secrets of another datalab's users", true
	}
	return "", false
}

// Plan compares. Of an engine that is there nothing but its description is changed, because it may hold secrets.
func (k kvMount) Plan(seen *mountSeen) engine.Change {
	switch {
	case seen == nil:
		return engine.Change{Action: engine.Create}
	case seen.Type != "kv" && seen.Type != "generic":
		return engine.Change{Action: engine.Blocked, Why: fmt.Sprintf("%s is an engine of type %s", k.Path, seen.Type), Fix: "choose another path for Onyxia's secrets"}
	case seen.Options["version"] != "2":
		return engine.Change{Action: engine.Blocked, Why: fmt.Sprintf("%s is KV version 1, and Onyxia speaks version 2 only", k.Path),
			Fix: fmt.Sprintf("upgrade it, which cannot be undone: vault kv enable-versioning %s", k.Path)}
	}
	why, datalab := k.theirs(seen)
	if datalab {
		return engine.Change{Action: engine.Blocked, Why: fmt.Sprintf("%s %s (it is called %q)", k.Path, why, seen.Description),
			Fix: fmt.Sprintf("choose another path by vault.kvEngine; or, if it is this datalab's, name it so: vault secrets tune -description=%q %s/", k.Mark, k.Path)}
	}
	if seen.Unnamed {
		return engine.Change{Action: engine.Configure, Fields: []engine.Field{{Path: "description", From: seen.Description, To: k.Mark}}}
	}
	return engine.Change{Action: engine.Unchanged, Why: why}
}

// Apply enables it, or says by its description whose it is.
func (k kvMount) Apply(ctx context.Context, seen *mountSeen) error {
	c, err := k.Access(ctx)
	if err != nil {
		return err
	}
	if seen != nil {
		return c.Write(ctx, "sys/mounts/"+k.Path+"/tune", map[string]string{"description": k.Mark}, nil)
	}
	return c.Write(ctx, "sys/mounts/"+k.Path, map[string]any{
		"type": "kv", "description": k.Mark, "options": map[string]string{"version": "2"},
	}, nil)
}

// Ready asks for its configuration: a new engine refuses requests for a moment while it sets itself up.
func (k kvMount) Ready(ctx context.Context) (engine.Health, error) {
	c, err := k.Access(ctx)
	if err != nil {
		return engine.Health{}, err
	}
	err = c.Read(ctx, k.Path+"/config", nil)
	var refused *APIError
	if errors.As(err, &refused) && refused.Status == 400 {
		return engine.Health{Reason: refused.Error()}, nil
	}
	return engine.Health{Ready: err == nil}, err
}

// RefuseRemoval keeps an engine that somebody else enabled, or another datalab, or that nobody can look at.
func (k kvMount) RefuseRemoval(ctx context.Context) string {
	if k.Shared {
		if why := k.Access.missing(ctx); why != "" {
			return why
		}
	}
	seen, err := k.Observe(ctx)
	if err != nil || seen == nil {
		return ""
	}
	why, _ := k.theirs(seen)
	return why
}

// Remove disables it, with every secret in it.
func (k kvMount) Remove(ctx context.Context) error {
	c, err := k.Access(ctx)
	if err != nil {
		return err
	}
	return c.Delete(ctx, "sys/mounts/"+k.Path)
}
