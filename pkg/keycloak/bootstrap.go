package keycloak

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// defaultAdministrator is the name that every guide gives the first administrator, and that everybody tries first.
const defaultAdministrator = "admin"

// ErrLastAdministrator is matched when the bootstrap administrator must not be retired: nobody else could log in to realm
// master, and the server has no way of making another administrator.
var ErrLastAdministrator = errors.New("no other administrator of realm master")

// ErrAccountNeeded is matched when the bootstrap administrator must not be retired because the service account does not stand.
var ErrAccountNeeded = errors.New("the service account does not stand yet")

// Doubts tells which administrators of realm master are enabled that need not be: one named "admin", and the one that the
// server was started with (BootstrapUser), if the service account stands. One line each with its fix.
//
// The service account may not see realm master. So this logs in with Bootstrap (one request, and one more for the list). A
// login that is refused (ErrCredentials) counts as a failed one in realm master, and too many of them lock the account: do not
// ask again before the credentials have changed.
func (s ServiceAccount) Doubts(ctx context.Context, own *Admin) ([]string, error) {
	if err := s.stands(ctx, own); err != nil {
		if errors.Is(err, ErrAccountNeeded) {
			return nil, nil
		}
		return nil, err
	}
	administrators, err := s.administrators(ctx)
	if gone(err) {
		return nil, nil
	}
	var doubts []string
	for _, u := range administrators {
		switch {
		case !u.Enabled:
		case s.BootstrapUser != "" && u.Username == s.BootstrapUser:
			doubts = append(doubts, "administrator "+u.Username+" of realm master is enabled and not needed any more: `kubectl onyxia auth retire-bootstrap` disables it")
		case u.Username == defaultAdministrator:
			doubts = append(doubts, "administrator "+u.Username+" of realm master has the name that everybody tries first: "+
				"give a person's own account the role admin, then disable "+u.Username)
		}
	}
	return doubts, err
}

// RetireBootstrap disables BootstrapUser over the Bootstrap connection, which is of no use from then on if that is its own
// login. One that is disabled already is no error.
//
// It refuses when the service account does not stand (ErrAccountNeeded): only an administrator can make it. It also refuses
// (ErrLastAdministrator) when no other enabled user has the role admin and the server is older than 26, which has
// `kc.sh bootstrap-admin` to make one. A server that is started again with the same environment does not enable the user
// (seen on 20.0.5, 21.1.2, 24.0.5 and 26.5.6).
func (s ServiceAccount) RetireBootstrap(ctx context.Context, own *Admin) error {
	if s.BootstrapUser == "" {
		return errors.New("the administrator of this Keycloak is not ours to retire")
	}
	if err := s.stands(ctx, own); err != nil {
		return fmt.Errorf("administrator %s stays: %w", s.BootstrapUser, err)
	}
	administrators, err := s.administrators(ctx)
	if err != nil {
		return s.disabledAlready(ctx, err)
	}
	if err := s.replaceable(ctx, administrators); err != nil {
		return err
	}
	at := slices.IndexFunc(administrators, func(u User) bool { return u.Username == s.BootstrapUser })
	if at < 0 || !administrators[at].Enabled {
		return nil
	}
	path := "/realms/master/users/" + administrators[at].ID
	var user document
	if err := s.Bootstrap.get(ctx, path, &user); err != nil {
		return err
	}
	defer s.Bootstrap.Reauthenticate()
	return s.Bootstrap.put(ctx, path, document{"enabled": false}.over(user))
}

// stands tells whether the account can log in and holds its rights.
func (s ServiceAccount) stands(ctx context.Context, own *Admin) error {
	err := own.Login(ctx)
	if errors.Is(err, ErrCredentials) || gone(err) {
		return fmt.Errorf("%w (%w): run `kubectl onyxia auth install` first", ErrAccountNeeded, err)
	}
	if err != nil {
		return err
	}
	lacking, err := (&account{ServiceAccount: s, own: own}).lacking(ctx)
	if err == nil && len(lacking) > 0 {
		return fmt.Errorf("%w (it lacks %s): run `kubectl onyxia auth install` first", ErrAccountNeeded, strings.Join(lacking, ", "))
	}
	return err
}

// administrators are the users who have the role admin themselves; those who have it by a group are not among them.
func (s ServiceAccount) administrators(ctx context.Context) ([]User, error) {
	if err := s.Bootstrap.Login(ctx); err != nil {
		return nil, err
	}
	var users []User
	return users, s.Bootstrap.get(ctx, "/realms/master/roles/admin/users?max="+strconv.Itoa(all), &users)
}

// disabledAlready takes the refusal of a user who is disabled for success. Keycloak says so only if the password is right.
func (s ServiceAccount) disabledAlready(ctx context.Context, refusal error) error {
	var said *Error
	if !errors.Is(refusal, ErrCredentials) || !errors.As(refusal, &said) || !strings.Contains(said.Message, accountDisabled) {
		return refusal
	}
	if c, err := s.Bootstrap.credentials(ctx); err != nil || c.Username != s.BootstrapUser {
		return errors.Join(refusal, err)
	}
	return nil
}

// accountDisabled is what the token endpoint says to a disabled user.
const accountDisabled = "Account disabled"

// replaceable refuses if nobody could do what the bootstrap administrator can.
func (s ServiceAccount) replaceable(ctx context.Context, administrators []User) error {
	others := slices.ContainsFunc(administrators, func(u User) bool {
		return u.Enabled && u.Username != s.BootstrapUser && !strings.HasPrefix(u.Username, serviceAccountPrefix)
	})
	if others {
		return nil
	}
	info, err := s.Bootstrap.ServerInfo(ctx)
	if err != nil {
		return err
	}
	if info.Version != (Version{}) && info.Features.BootstrapAdmin {
		return nil
	}
	return fmt.Errorf("%w but %s, and Keycloak %s cannot make one when it is stopped: give a person's own account the role admin first, in the console",
		ErrLastAdministrator, s.BootstrapUser, info.Version)
}

// serviceAccountPrefix begins the username of a client's own user.
const serviceAccountPrefix = "service-account-"
