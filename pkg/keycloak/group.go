package keycloak

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// all is a limit that no list reaches, for the endpoints that give ten things unless asked for more.
const all = 1 << 30

// wholeGroups asks for groups with their roles, so that one listing serves the steps of groups and those of their roles.
const wholeGroups = "briefRepresentation=false"

// GroupStep gives the step of a group by its path, "a" or "a/b"; groups above it are made as well. Groups are never removed:
// users are in them.
func (r *Realm) GroupStep(path string, needs ...engine.ID) engine.Step {
	path = strings.Trim(path, "/")
	group := &object{
		prefix: "group " + path + ": ",
		read: func(ctx context.Context) (document, error) {
			found, _, err := r.findGroup(ctx, path)
			return found, err
		},
		want: always(document{}),
		create: func(ctx context.Context, _ document) error {
			err := r.makeGroup(ctx, path)
			if IsStatus(err, http.StatusConflict) {
				// another step has just made a group on the way
				r.forgetGroups()
				err = r.makeGroup(ctx, path)
			}
			return err
		},
		forget: r.forgetGroups,
	}
	return engine.New(engine.ID("group.keycloak/"+path), group, append(needs, r.ID())...)
}

// findGroup walks down a path. It gives the group, nil if there is none, and the deepest one on the way to it.
func (r *Realm) findGroup(ctx context.Context, path string) (found, deepest document, err error) {
	level, err := r.groups.Get(ctx)
	if err != nil {
		return nil, nil, err
	}
	names := strings.Split(path, "/")
	for i, name := range names {
		here := find(level, "name", name)
		if here == nil {
			return nil, deepest, nil
		}
		deepest = here
		if i == len(names)-1 {
			break
		}
		if level, err = r.subgroups(ctx, here); err != nil {
			return nil, nil, err
		}
	}
	return deepest, deepest, nil
}

// subgroups of a group. From 23 on a listing tells only how many there are.
func (r *Realm) subgroups(ctx context.Context, group document) ([]document, error) {
	there := group.list("subGroups")
	if count := group.text("subGroupCount"); len(there) > 0 || count == "" || count == "0" {
		return there, nil
	}
	return r.childrenOf(group.text("id")).Get(ctx)
}

// childrenOf is the shared read of the groups below one.
func (r *Realm) childrenOf(id string) *engine.Shared[[]document] {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.children[id] == nil {
		r.children[id] = r.listing("/groups/" + id + "/children?" + wholeGroups + "&max=" + strconv.Itoa(all))
	}
	return r.children[id]
}

// forgetGroups drops all reads of groups.
func (r *Realm) forgetGroups() {
	r.mu.Lock()
	clear(r.children)
	r.mu.Unlock()
	r.groups.Forget()
}

func (r *Realm) makeGroup(ctx context.Context, path string) error {
	_, above, err := r.findGroup(ctx, path)
	if err != nil {
		return err
	}
	names := strings.Split(path, "/")
	under, depth := "", 0
	if above != nil {
		under = above.text("id")
		depth = strings.Count(strings.Trim(above.text("path"), "/"), "/") + 1
	}
	for _, name := range names[depth:] {
		where := r.path("/groups")
		if under != "" {
			where = r.path("/groups/" + under + "/children")
		}
		if under, err = r.admin.create(ctx, where, document{"name": name}); err != nil {
			return fmt.Errorf("group %s of %s: %w", name, path, err)
		}
	}
	return nil
}
