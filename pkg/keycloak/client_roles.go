package keycloak

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// ClientRoles are the roles of one client and the groups that have them. Steps made from the same one share one request for
// the roles; the groups are those that all steps of the realm share.
type ClientRoles struct {
	realm  *Realm
	client string
	roles  *engine.Shared[[]document]
}

// ClientRole is a role of a client.
type ClientRole struct {
	Name, Description string
}

// GroupRoles is a group with the roles of the client that it has itself; what it inherits is not among them.
type GroupRoles struct {
	// Name is the last part of Path, which has no slash in front.
	Name, Path string
	Roles      []string

	id string
}

// ClientRoles gives the roles of a client, there or not.
func (r *Realm) ClientRoles(clientID string) *ClientRoles {
	c := &ClientRoles{realm: r, client: clientID}
	c.roles = engine.NewShared(c.readRoles)
	return c
}

// ClientRoleStepID is the step of a client's role, for steps that need it.
func ClientRoleStepID(clientID, role string) engine.ID {
	return engine.ID("role.keycloak/" + clientID + "." + role)
}

// Step gives the step of a role. It needs the client's step. Removing it takes the role from everybody, if its description
// is still the one that we gave it.
func (c *ClientRoles) Step(name, description string, needs ...engine.ID) engine.Step {
	role := &removable{
		object: object{
			prefix: "role " + name + ": ",
			read: func(ctx context.Context) (document, error) {
				list, err := c.roles.Get(ctx)
				return find(list, "name", name), err
			},
			want:   always(document{"description": description}),
			create: func(ctx context.Context, _ document) error { return c.Add(ctx, name, description) },
			update: func(ctx context.Context, seen, want document) error {
				path, err := c.path(ctx, "/roles/"+url.PathEscape(name))
				if err != nil {
					return err
				}
				return c.realm.admin.put(ctx, path, want.over(seen))
			},
			forget: c.forget,
			drop:   func(ctx context.Context, _ document) error { return c.Remove(ctx, name) },
		},
		ours: func(s sight) bool { return s.seen.text("description") == description },
		why:  "role " + name + " of client " + c.client + " was changed by somebody else",
	}
	return engine.New(ClientRoleStepID(c.client, name), role, append(needs, ClientStepID(c.client))...)
}

// GrantStep gives the step by which a group, named by its path, has a role. It needs the steps of both. It is not removed by
// itself: it goes with the role.
func (c *ClientRoles) GrantStep(group, role string, needs ...engine.ID) engine.Step {
	group = strings.Trim(group, "/")
	grant := &object{
		prefix: "group " + group + ": ",
		read: func(ctx context.Context) (document, error) {
			found, err := c.group(ctx, group)
			if err != nil || !slices.Contains(found.Roles, role) {
				return nil, err
			}
			return document{}, nil
		},
		want:   always(document{}),
		create: func(ctx context.Context, _ document) error { return c.Grant(ctx, group, role) },
		forget: c.forget,
	}
	id := engine.ID("rolemapping.keycloak/" + group + "." + c.client + "." + role)
	return engine.New(id, grant, append(needs, GroupStepID(group), ClientRoleStepID(c.client, role))...)
}

// List gives the roles. Its error is *engine.NotYetError if there is no such client.
func (c *ClientRoles) List(ctx context.Context) ([]ClientRole, error) {
	list, err := c.roles.Get(ctx)
	if err != nil {
		return nil, err
	}
	roles := make([]ClientRole, len(list))
	for i, each := range list {
		roles[i] = ClientRole{Name: each.text("name"), Description: each.text("description")}
	}
	return roles, nil
}

// Add makes a role. One that is there already is no error.
func (c *ClientRoles) Add(ctx context.Context, name, description string) error {
	defer c.forget()
	path, err := c.path(ctx, "/roles")
	if err != nil {
		return err
	}
	_, err = c.realm.admin.create(ctx, path, document{"name": name, "description": description})
	if IsStatus(err, http.StatusConflict) {
		return nil
	}
	return err
}

// Remove deletes a role; whoever had it has it no longer. One that is not there is no error.
func (c *ClientRoles) Remove(ctx context.Context, name string) error {
	defer c.forget()
	path, err := c.path(ctx, "/roles/"+url.PathEscape(name))
	if err != nil {
		return err
	}
	return c.realm.admin.remove(ctx, path)
}

// Grant gives a group, named by its path, a role. A role that it has is no error.
func (c *ClientRoles) Grant(ctx context.Context, group, role string) error {
	defer c.forget()
	found, err := c.group(ctx, strings.Trim(group, "/"))
	if err != nil {
		return err
	}
	client, err := c.holder(ctx)
	if err != nil {
		return err
	}
	path, err := c.path(ctx, "/roles/"+url.PathEscape(role))
	if err != nil {
		return err
	}
	var representation document
	if err := c.realm.admin.get(ctx, path, &representation); err != nil {
		return err
	}
	// adding what is there already changes nothing, so the request may be sent twice
	return c.realm.admin.do(ctx, request{method: http.MethodPost, repeatable: true, body: []document{representation},
		path: c.realm.path("/groups/" + found.id + "/role-mappings/clients/" + client.text("id"))})
}

// group finds a group by its path.
func (c *ClientRoles) group(ctx context.Context, path string) (GroupRoles, error) {
	list, err := c.Groups(ctx)
	if err != nil {
		return GroupRoles{}, err
	}
	at := slices.IndexFunc(list, func(g GroupRoles) bool { return g.Path == path })
	if at < 0 {
		return GroupRoles{}, &engine.NotYetError{After: GroupStepID(path)}
	}
	return list[at], nil
}

func (c *ClientRoles) holder(ctx context.Context) (document, error) {
	client, err := c.realm.findClient(ctx, c.client)
	if err == nil && client == nil {
		err = &engine.NotYetError{After: ClientStepID(c.client)}
	}
	return client, err
}

// path of something below the client.
func (c *ClientRoles) path(ctx context.Context, below string) (string, error) {
	client, err := c.holder(ctx)
	return c.realm.clientPath(client, below), err
}

func (c *ClientRoles) forget() {
	c.roles.Forget()
	c.realm.forgetGroups()
}

func (c *ClientRoles) readRoles(ctx context.Context) (list []document, err error) {
	path, err := c.path(ctx, "/roles")
	if err != nil {
		return nil, err
	}
	return list, c.realm.admin.get(ctx, path, &list)
}

// Groups gives all groups of the realm with the roles of the client that they have.
func (c *ClientRoles) Groups(ctx context.Context) ([]GroupRoles, error) {
	level, err := c.realm.groups.Get(ctx)
	if err != nil {
		return nil, err
	}
	var groups []GroupRoles
	for len(level) > 0 {
		var below []document
		for _, each := range level {
			groups = append(groups, GroupRoles{
				Name: each.text("name"), Path: strings.Trim(each.text("path"), "/"), id: each.text("id"),
				Roles: stringList(child(each["clientRoles"])[c.client]),
			})
			children, err := c.realm.subgroups(ctx, each)
			if err != nil {
				return nil, err
			}
			below = append(below, children...)
		}
		level = below
	}
	return groups, nil
}
