package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// HostileName is a user name that means something in a path, see UserPolicy.
type HostileName struct {
	Name string
	// Entity is the user's identity in Vault, as a person can lock it.
	Entity string
}

// HostileNames gives those of the users who have logged in by the auth mount with that accessor, and whose identity is not
// locked.
func (c *Client) HostileNames(ctx context.Context, accessor string) ([]HostileName, error) {
	var answer struct {
		Data struct {
			Info map[string]struct {
				Name     string `json:"name"`
				Accessor string `json:"mount_accessor"`
				Entity   string `json:"canonical_id"`
			} `json:"key_info"`
		} `json:"data"`
	}
	err := c.request(ctx, http.MethodGet, "identity/entity-alias/id?list=true", nil, &answer)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var hostile []HostileName
	for _, alias := range answer.Data.Info {
		if alias.Accessor != accessor || !strings.ContainsAny(alias.Name, "/+*") {
			continue
		}
		locked, err := c.locked(ctx, alias.Entity)
		if err != nil {
			return nil, err
		}
		if !locked {
			hostile = append(hostile, HostileName{alias.Name, alias.Entity})
		}
	}
	slices.SortFunc(hostile, func(a, b HostileName) int { return cmp.Compare(a.Name, b.Name) })
	return hostile, nil
}

// locked tells whether somebody disabled an identity.
func (c *Client) locked(ctx context.Context, entity string) (bool, error) {
	var answer struct {
		Data struct {
			Disabled bool `json:"disabled"`
		} `json:"data"`
	}
	err := c.Read(ctx, "identity/entity/id/"+entity, &answer)
	if errors.Is(err, ErrNotFound) {
		return true, nil
	}
	return answer.Data.Disabled, err
}

// doubt says what such a name is good for, and what to do; empty where it is good for nothing.
func (h HostileName) doubt() string {
	var does string
	switch owner, _, below := strings.Cut(h.Name, "/"); {
	case strings.Contains(h.Name, "+*"):
		does = "can use nothing"
	case below:
		does = fmt.Sprintf("reaches into the folder of user %q", owner)
	default:
		return ""
	}
	return fmt.Sprintf("user %q %s in Vault: give them another name at the issuer, or lock them out: %s", h.Name, does, h.lock())
}

// lock is the command that keeps the user out.
func (h HostileName) lock() string {
	return "vault write identity/entity/id/" + h.Entity + " disabled=true"
}

// UserNames is the step that looks for hostile names where nobody keeps them from an issuer's users. It writes nothing: a
// user is for a person to lock out.
type UserNames struct {
	Access Access
	// Accessor of the auth mount.
	Accessor *engine.Output[string]
	// UserPrefix as in UserPolicy. Without one, a wildcard in a name reaches everybody, and Plan is blocked.
	UserPrefix string
	// Tell is told of each such user.
	Tell func(doubt string)
}

// Observe looks, and tells.
func (u UserNames) Observe(ctx context.Context) ([]HostileName, error) {
	accessor, err := u.Accessor.Get()
	if err != nil {
		return nil, err
	}
	c, err := u.Access(ctx)
	if err != nil {
		return nil, err
	}
	hostile, err := c.HostileNames(ctx, accessor)
	for _, h := range hostile {
		if doubt := h.doubt(); doubt != "" {
			u.Tell(doubt)
		}
	}
	return hostile, err
}

// Plan stops where a user reaches everybody's secrets.
func (u UserNames) Plan(seen []HostileName) engine.Change {
	for _, h := range seen {
		if u.UserPrefix == "" && strings.ContainsAny(h.Name, "+*") {
			return engine.Change{Action: engine.Blocked, Why: fmt.Sprintf("user %q reaches everybody's secrets, because a user's folder has no prefix", h.Name),
				Fix: h.lock()}
		}
	}
	return engine.Change{Action: engine.Unchanged}
}

// Apply has nothing to write.
func (u UserNames) Apply(context.Context, []HostileName) error { return nil }
