package vault

import (
	"context"
	"errors"
	"fmt"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// kvMount is the secrets engine KV, version 2, that holds the users' secrets.
type kvMount struct {
	Access Access
	// Path of the engine; Onyxia's region calls it kvEngine.
	Path string
}

// mountSeen is what sys/mounts says of an engine.
type mountSeen struct {
	Type        string            `json:"type"`
	Description string            `json:"description"`
	Options     map[string]string `json:"options"`
}

// kvDescription marks the engine as ours.
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
	if err := c.Read(ctx, "sys/mounts", &answer); err != nil {
		return nil, err
	}
	if seen, found := answer.Data[k.Path+"/"]; found {
		return &seen, nil
	}
	return nil, nil
}

// Plan compares. An engine that is there is never changed, because it may hold secrets.
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
	return engine.Change{Action: engine.Unchanged}
}

// Apply enables it.
func (k kvMount) Apply(ctx context.Context, _ *mountSeen) error {
	c, err := k.Access(ctx)
	if err != nil {
		return err
	}
	return c.Write(ctx, "sys/mounts/"+k.Path, map[string]any{
		"type": "kv", "description": kvDescription, "options": map[string]string{"version": "2"},
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

// RefuseRemoval keeps an engine that somebody else enabled.
func (k kvMount) RefuseRemoval(ctx context.Context) string {
	if seen, err := k.Observe(ctx); err == nil && seen != nil && seen.Description != kvDescription {
		return "enabled by somebody else"
	}
	return ""
}

// Remove disables it, with every secret in it.
func (k kvMount) Remove(ctx context.Context) error {
	c, err := k.Access(ctx)
	if err != nil {
		return err
	}
	return c.Delete(ctx, "sys/mounts/"+k.Path)
}
