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

// userNames is the step that looks for users whose names, or whose groups' names, mean something in a path, see userPolicy.
// They get into Vault where nobody keeps such names from an issuer's users, or did not once. It writes nothing: a user is
// for a person to lock out.
type userNames struct {
	Access Access
	// Accessor of the auth mount.
	Accessor *engine.Output[string]
	// UserPrefix and GroupPrefix as in userPolicy. Without the former a wildcard in a name reaches everybody, a name that
	// begins like a group's folder owns that folder, and Plan is blocked.
	UserPrefix, GroupPrefix string
	// Groups also looks at the names of users' groups, which takes a request for each user.
	Groups bool
	// Tell is told of each such user.
	Tell func(doubt string)
}

// hostileName is a user who reaches what is not theirs, or nothing at all.
type hostileName struct {
	Name string
	// Entity is the user's identity in Vault, as a person can lock it.
	Entity string
	// Does says what the name is good for; empty where it is good for nothing.
	Does string
	// Reaches says that it opens other people's secrets now, so that nothing goes on before they are locked out.
	Reaches bool
}

// Observe looks at those users who have logged in by the mount and are not locked out, and tells.
func (u userNames) Observe(ctx context.Context) ([]hostileName, error) {
	accessor, err := u.Accessor.Get()
	if err != nil {
		return nil, err
	}
	c, err := u.Access(ctx)
	if err != nil {
		return nil, err
	}
	names, err := c.aliases(ctx, accessor)
	if err != nil {
		return nil, err
	}
	var hostile []hostileName
	for entity, name := range names {
		found := u.user(name)
		if len(found) == 0 && !u.Groups {
			continue
		}
		groups, locked, err := c.identity(ctx, entity, accessor)
		if err != nil {
			return nil, err
		}
		if locked {
			continue
		}
		if u.Groups {
			found = append(found, memberships(groups)...)
		}
		for _, h := range found {
			h.Name, h.Entity = name, entity
			hostile = append(hostile, h)
		}
	}
	slices.SortFunc(hostile, func(a, b hostileName) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Does, b.Does)) })
	for _, h := range hostile {
		if h.Does != "" {
			u.Tell(fmt.Sprintf("user %q %s in Vault: give them another name at the issuer, or lock the user out: %s", h.Name, h.Does, h.lock()))
		}
	}
	return hostile, nil
}

// user tells what a user's own name is good for.
func (u userNames) user(name string) []hostileName {
	var found []hostileName
	if group, like := strings.CutPrefix(name, u.GroupPrefix); like && u.UserPrefix == "" && u.GroupPrefix != "" {
		found = append(found, hostileName{Does: fmt.Sprintf("owns the folder of group %q", group), Reaches: true})
	}
	switch owner, _, below := strings.Cut(name, "/"); {
	case strings.Contains(name, "+*"):
		found = append(found, hostileName{Does: "can use nothing"})
	case below && owner != "":
		found = append(found, hostileName{Does: fmt.Sprintf("reaches into the folder of user %q", owner)})
	}
	if u.UserPrefix == "" && strings.ContainsAny(name, "+*") {
		found = append(found, hostileName{Reaches: true})
	}
	return found
}

// memberships tells what the names of a user's groups are good for.
func memberships(groups []string) []hostileName {
	var found []hostileName
	for _, group := range groups {
		switch owner, _, below := strings.Cut(group, "/"); {
		case strings.Contains(group, "+*"):
			found = append(found, hostileName{Does: fmt.Sprintf("as a member of group %q can use nothing", group)})
		case below && owner != "":
			found = append(found, hostileName{Does: fmt.Sprintf("as a member of group %q reaches into the folder of group %q", group, owner)})
		}
	}
	return found
}

// Plan stops where a user reaches somebody else's secrets because a user's folder has no prefix.
func (u userNames) Plan(seen []hostileName) engine.Change {
	for _, h := range seen {
		if h.Reaches {
			return engine.Change{Action: engine.Blocked, Why: fmt.Sprintf("user %q %s, because a user's folder has no prefix", h.Name, cmp.Or(h.Does, "reaches everybody's secrets")),
				Fix: h.lock()}
		}
	}
	return engine.Change{Action: engine.Unchanged}
}

// Apply has nothing to write.
func (u userNames) Apply(context.Context, []hostileName) error { return nil }

// lock is the command that keeps the user out.
func (h hostileName) lock() string {
	return "vault write identity/entity/id/" + h.Entity + " disabled=true"
}

// aliases are the names of the users who have logged in by the auth mount with that accessor, by their identity.
func (c *Client) aliases(ctx context.Context, accessor string) (map[string]string, error) {
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
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	names := map[string]string{}
	for _, alias := range answer.Data.Info {
		if alias.Accessor == accessor {
			names[alias.Entity] = alias.Name
		}
	}
	return names, nil
}

// identity gives the groups that a user had at the last login by a mount, and whether somebody disabled the user.
func (c *Client) identity(ctx context.Context, entity, accessor string) (groups []string, locked bool, err error) {
	var answer struct {
		Data struct {
			Disabled bool `json:"disabled"`
			Aliases  []struct {
				Accessor string            `json:"mount_accessor"`
				Metadata map[string]string `json:"metadata"`
			} `json:"aliases"`
		} `json:"data"`
	}
	err = c.Read(ctx, "identity/entity/id/"+entity, &answer)
	if errors.Is(err, ErrNotFound) {
		return nil, true, nil
	}
	for _, alias := range answer.Data.Aliases {
		for key, group := range alias.Metadata {
			if alias.Accessor == accessor && strings.HasPrefix(key, "group") {
				groups = append(groups, group)
			}
		}
	}
	return groups, answer.Data.Disabled, err
}
