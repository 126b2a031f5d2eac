package keycloak

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// ErrNoUser is matched by errors about a user who is not there.
var ErrNoUser = errors.New("no such user")

// User is a person of the realm.
type User struct {
	ID            string `json:"id"`
	Username      string `json:"username"`
	Email         string `json:"email,omitempty"`
	FirstName     string `json:"firstName,omitempty"`
	LastName      string `json:"lastName,omitempty"`
	Enabled       bool   `json:"enabled"`
	EmailVerified bool   `json:"emailVerified"`
}

// NewUser is a person to add.
type NewUser struct {
	// Name has to fit UsernamePattern; older servers would take others from an administrator.
	Name, Email string
	// FirstName and LastName; the user is asked for empty ones at the first login.
	FirstName, LastName string
	// Groups by path; they have to be there.
	Groups []string
	// EmailVerified says that nobody needs to click in a mail.
	EmailVerified bool
}

// AddUser adds a person with a temporary password, which is given back once and has to be changed at the first login. A password
// beside an error (*NotInGroupsError) is that of a user who is there and lacks something.
func (r *Realm) AddUser(ctx context.Context, u NewUser) (password string, err error) {
	password, err = newPassword()
	if err != nil {
		return "", err
	}
	err = r.addUser(ctx, u, document{"type": "password", "value": password, "temporary": true})
	var incomplete *NotInGroupsError
	if err != nil && !errors.As(err, &incomplete) {
		return "", err
	}
	return password, err
}

// settle makes sure that a user who turned out to be there has the password that will be told.
func (r *Realm) settle(ctx context.Context, there User, wanted NewUser, credential document) error {
	if !strings.EqualFold(there.Email, wanted.Email) {
		return fmt.Errorf("somebody else has just added a user of that name, with the address %s", there.Email)
	}
	return r.setPassword(ctx, there, credential)
}

// ResetPassword gives a user a new temporary password, which is given back once and has to be changed at the next login.
func (r *Realm) ResetPassword(ctx context.Context, name string) (password string, err error) {
	u, err := r.FindUser(ctx, name)
	if err != nil {
		return "", err
	}
	if password, err = newPassword(); err != nil {
		return "", err
	}
	if err := r.setPassword(ctx, u, document{"type": "password", "value": password, "temporary": true}); err != nil {
		return "", err
	}
	return password, nil
}

func (r *Realm) setPassword(ctx context.Context, u User, credential document) error {
	if err := r.admin.put(ctx, r.path("/users/"+u.ID+"/reset-password"), credential); err != nil {
		return fmt.Errorf("password of user %s: %w; `kubectl onyxia auth user password %s` makes a new one", u.Username, err, u.Username)
	}
	return nil
}

// NotInGroupsError says that a user was added and is not yet in all groups.
type NotInGroupsError struct {
	Name string
	err  error
}

func (e *NotInGroupsError) Error() string {
	return fmt.Sprintf("user %s is there, but not yet in all groups (%v): name all of the user's groups by `kubectl onyxia auth group set %s GROUP...`", e.Name, e.err, e.Name)
}

// Unwrap gives what went wrong.
func (e *NotInGroupsError) Unwrap() error { return e.err }

// addUser adds a person with a password of one kind or the other.
func (r *Realm) addUser(ctx context.Context, u NewUser, credential document) error {
	if !validUsername(u.Name) {
		return fmt.Errorf("username %q: %s", u.Name, strings.ToLower(usernameMessage[:1])+usernameMessage[1:])
	}
	groups, err := r.groupIDs(ctx, u.Groups)
	if err != nil {
		return err
	}
	id, err := r.createUser(ctx, u, credential)
	if err != nil {
		return fmt.Errorf("user %s: %w", u.Name, err)
	}
	for _, group := range groups {
		if err := r.admin.put(ctx, r.path("/users/"+id+"/groups/"+group), nil); err != nil {
			return &NotInGroupsError{Name: u.Name, err: err}
		}
	}
	return nil
}

// createUser sends the user once and looks what became of it: when an answer is lost the user may be there, and a second try
// would only hear that the name is taken.
func (r *Realm) createUser(ctx context.Context, u NewUser, credential document) (id string, err error) {
	if there, err := r.FindUser(ctx, u.Name); !errors.Is(err, ErrNoUser) {
		if err == nil {
			err = &Error{Method: http.MethodPost, Path: "/admin" + r.path("/users"), Status: http.StatusConflict,
				Message: "there is a user " + there.Username + " already (`kubectl onyxia auth user password " + there.Username + "` makes a new password)"}
		}
		return "", err
	}
	first := true
	err = r.admin.retrying(ctx, true, func(ctx context.Context) error {
		if !first {
			if there, err := r.FindUser(ctx, u.Name); !errors.Is(err, ErrNoUser) {
				id = there.ID
				if err != nil {
					return err
				}
				return r.settle(ctx, there, u, credential)
			}
		}
		first = false
		return r.admin.do(ctx, request{method: http.MethodPost, path: r.path("/users"), created: &id, body: document{
			"username": u.Name, "email": u.Email, "firstName": u.FirstName, "lastName": u.LastName,
			"enabled": true, "emailVerified": u.EmailVerified, "credentials": []document{credential},
		}})
	})
	if err != nil && passing(err) {
		err = fmt.Errorf("%w; whether the user is there is not known: see `kubectl onyxia auth user list`, and make a new password by `kubectl onyxia auth user password %s`", err, u.Name)
	}
	return id, err
}

// newPassword is 26 letters and digits, 130 bits, and three signs for realms whose policy asks for other kinds.
func newPassword() (string, error) {
	random := rand.Text()
	if len(random) < 26 {
		return "", errors.New("no random numbers")
	}
	return strings.ToLower(random[:13]) + "-" + random[13:] + "-7a", nil
}

// FindUser gives the user of exactly that name; the error matches ErrNoUser if there is none.
func (r *Realm) FindUser(ctx context.Context, name string) (User, error) {
	var found []User
	query := url.Values{"username": {name}, "exact": {"true"}}
	if err := r.admin.get(ctx, r.path("/users?"+query.Encode()), &found); err != nil {
		return User{}, r.missing(err)
	}
	for _, u := range found {
		if strings.EqualFold(u.Username, name) {
			return u, nil
		}
	}
	return User{}, fmt.Errorf("user %s of realm %s: %w", name, r.name, ErrNoUser)
}

// Users lists people whose name, address or names contain a text; empty for everybody. It asks a hundred at a time.
func (r *Realm) Users(ctx context.Context, containing string) ([]User, error) {
	const page = 100
	var users []User
	for {
		query := url.Values{"first": {strconv.Itoa(len(users))}, "max": {strconv.Itoa(page)}, "briefRepresentation": {"true"}}
		if containing != "" {
			query.Set("search", containing)
		}
		var some []User
		if err := r.admin.get(ctx, r.path("/users?"+query.Encode()), &some); err != nil {
			return nil, r.missing(err)
		}
		users = append(users, some...)
		if len(some) < page {
			return users, nil
		}
	}
}

// DeleteUser deletes a user. One who is not there is no error.
func (r *Realm) DeleteUser(ctx context.Context, name string) error {
	u, err := r.FindUser(ctx, name)
	if errors.Is(err, ErrNoUser) {
		return nil
	}
	if err != nil {
		return err
	}
	return r.admin.remove(ctx, r.path("/users/"+u.ID))
}

// SetGroups puts a user into exactly these groups, by path. It writes only what differs.
func (r *Realm) SetGroups(ctx context.Context, name string, paths []string) error {
	u, now, err := r.memberships(ctx, name)
	if err != nil {
		return err
	}
	wanted, err := r.groupIDs(ctx, paths)
	if err != nil {
		return err
	}
	for path, id := range wanted {
		if _, in := now[path]; in {
			continue
		}
		if err := r.admin.put(ctx, r.path("/users/"+u.ID+"/groups/"+id), nil); err != nil {
			return fmt.Errorf("user %s into group %s: %w", name, path, err)
		}
	}
	for path, id := range now {
		if _, stays := wanted[path]; stays {
			continue
		}
		if err := r.admin.remove(ctx, r.path("/users/"+u.ID+"/groups/"+id)); err != nil {
			return fmt.Errorf("user %s out of group %s: %w", name, path, err)
		}
	}
	return nil
}

// memberships gives a user and the ids of the user's groups by path.
func (r *Realm) memberships(ctx context.Context, name string) (User, map[string]string, error) {
	u, err := r.FindUser(ctx, name)
	if err != nil {
		return User{}, nil, err
	}
	var groups []document
	if err := r.admin.get(ctx, r.path("/users/"+u.ID+"/groups?max="+strconv.Itoa(all)), &groups); err != nil {
		return User{}, nil, err
	}
	ids := map[string]string{}
	for _, group := range groups {
		ids[strings.Trim(group.text("path"), "/")] = group.text("id")
	}
	return u, ids, nil
}

// groupIDs gives the ids of groups by path. It reads the groups anew.
func (r *Realm) groupIDs(ctx context.Context, paths []string) (map[string]string, error) {
	ids := map[string]string{}
	if len(paths) == 0 {
		return ids, nil
	}
	r.forgetGroups()
	for _, path := range paths {
		path = strings.Trim(path, "/")
		group, _, err := r.findGroup(ctx, path)
		if err != nil {
			return nil, err
		}
		if group == nil {
			return nil, &Error{Method: http.MethodGet, Path: r.path("/groups"), Status: http.StatusNotFound,
				Message: fmt.Sprintf("realm %s has no group %s", r.name, path)}
		}
		ids[path] = group.text("id")
	}
	return ids, nil
}

// Groups lists the paths of all groups, sorted, without the slash in front.
func (r *Realm) Groups(ctx context.Context) ([]string, error) {
	r.forgetGroups()
	level, err := r.groups.Get(ctx)
	if err != nil {
		return nil, err
	}
	var paths []string
	for len(level) > 0 {
		var below []document
		for _, group := range level {
			paths = append(paths, strings.Trim(group.text("path"), "/"))
			children, err := r.subgroups(ctx, group)
			if err != nil {
				return nil, err
			}
			below = append(below, children...)
		}
		level = below
	}
	slices.Sort(paths)
	return paths, nil
}

// AddGroup makes a group by its path, and those above it. It tells whether it did: one that is there is no error.
func (r *Realm) AddGroup(ctx context.Context, path string) (made bool, err error) {
	r.forgetGroups()
	defer r.forgetGroups()
	path = strings.Trim(path, "/")
	found, _, err := r.findGroup(ctx, path)
	if err != nil || found != nil {
		return false, err
	}
	err = r.makeGroup(ctx, path)
	return err == nil, err
}
