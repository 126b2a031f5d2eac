package platform

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
)

// checkAuth says what cannot work, or would let strangers in, of the realm and its names.
func checkAuth(c Config) error {
	a := c.Auth
	ours := a.InstallsKeycloak() || a.Mode == AuthKeycloak
	var errs []error
	if ours {
		errs = append(errs, checkRealm(a.Realm), checkClaims(a))
	}
	if t := a.Theme; a.InstallsKeycloak() && t.URL != "" && t.URL != NoTheme && t.SHA256 == "" {
		errs = append(errs, errors.New("auth.theme.sha256: a theme from an address of yours runs inside the login server, so it needs its checksum"))
	}
	for _, group := range a.Groups {
		if err := (Platform{Config: c}).CheckGroup(group); err != nil {
			errs = append(errs, fmt.Errorf("auth.groups: %w", err))
		}
	}
	session, wrong := time.ParseDuration(a.Session)
	remembered, bad := time.ParseDuration(a.Lifespans.RememberMe)
	if wrong == nil && bad == nil && remembered < session {
		errs = append(errs, fmt.Errorf("auth.lifespans.rememberMe: %s is shorter than auth.session, and whoever asks to be remembered would be forgotten before the others", a.Lifespans.RememberMe))
	}
	if token, err := time.ParseDuration(a.Lifespans.AccessToken); err == nil && wrong == nil && token > session {
		errs = append(errs, fmt.Errorf("auth.lifespans.accessToken: %s is longer than auth.session, which ends it", a.Lifespans.AccessToken))
	}
	if len(a.Locales) > 0 && !slices.Contains(a.Locales, a.DefaultLocale) {
		errs = append(errs, fmt.Errorf("auth.defaultLocale: %q is not among auth.locales: %s", a.DefaultLocale, strings.Join(a.Locales, ", ")))
	}
	for _, name := range sortedKeys(a.Attributes) {
		if taken := []string{"username", "email", "firstName", "lastName"}; slices.Contains(taken, name) || !attributeName().MatchString(name) {
			errs = append(errs, fmt.Errorf("auth.attributes: %q cannot be the name of one more attribute: letters, digits, dots, dashes and underscores, and none of %s", name, strings.Join(taken, ", ")))
		}
	}
	return errors.Join(errs...)
}

// checkRealm: realm master holds the administrators, so whoever could sign up there would be next to them. Other signs would
// be written as %20 in one place and not in another, and the issuer has to be the same letter by letter.
func checkRealm(realm string) error {
	switch {
	case strings.EqualFold(realm, "master"):
		return errors.New("auth.realm: realm master is that of Keycloak's administrators, and no user of a datalab may sign up there: take another name")
	case !regexp.MustCompile(`^[A-Za-z0-9._-]+$`).MatchString(realm) || strings.Trim(realm, ".") == "":
		return fmt.Errorf("auth.realm: %q: letters, digits, dots, dashes and underscores only, because it is part of the issuer's address", realm)
	}
	return nil
}

// checkClaims: MinIO takes a claim that a token lacks from the request's own address, so in a realm of ours the username comes
// in the claim that every token has. The claims that Keycloak or we write already cannot hold the groups as well.
func checkClaims(a Auth) error {
	var errs []error
	if a.UsernameClaim != usernameClaim {
		errs = append(errs, fmt.Errorf("auth.usernameClaim: %q: in a Keycloak that is configured for you the username is in the claim %s; another claim is for auth.mode oidc", a.UsernameClaim, usernameClaim))
	}
	taken := []string{usernameClaim, "roles", "policy", "iss", "sub", "aud", "azp", "exp", "iat", "jti", "typ", "sid", "scope", "name", "email", "realm_access", "resource_access"}
	if slices.Contains(taken, a.GroupsClaim) {
		errs = append(errs, fmt.Errorf("auth.groupsClaim: %q is written by something else already: take a name of its own, such as groups", a.GroupsClaim))
	}
	return errors.Join(errs...)
}

// usernameClaim is the claim in which Keycloak gives the username (scope "profile" of every realm).
const usernameClaim = "preferred_username"

func attributeName() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]*$`) }

// CheckGroup says why no namespace can be called after a group, named by its path. Tokens give the last part of the path.
func (p Platform) CheckGroup(path string) error {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	name := parts[len(parts)-1]
	switch {
	case slices.Contains(parts, ""):
		return fmt.Errorf("group %q: a part of the path is empty", path)
	case len(validation.IsDNS1123Label(p.Prefixes.Group+name)) > 0 && len(name) <= p.MaxGroup() || strings.HasPrefix(name, "-"):
		return fmt.Errorf("group %q: no namespace can be called %s%s: lower-case letters, digits and dashes only, no dash at either end", path, p.Prefixes.Group, name)
	case len(name) > p.MaxGroup():
		return fmt.Errorf("group %q: %d characters are too many for the host of a service in namespace %s%s: at most %d", path, len(name), p.Prefixes.Group, name, p.MaxGroup())
	}
	return nil
}

// GroupName is the last part of a group's path: tokens give it alone, and namespace, bucket and secrets are called after it.
func GroupName(path string) string { return path[strings.LastIndex(path, "/")+1:] }

// SameNames are the groups whose paths end in one name, such as "a/x" and "b/x": they share namespace, bucket and secrets.
// Each entry is the paths of one name.
func SameNames(paths []string) [][]string {
	byName := map[string][]string{}
	for _, path := range paths {
		path = strings.Trim(path, "/")
		name := GroupName(path)
		if !slices.Contains(byName[name], path) {
			byName[name] = append(byName[name], path)
		}
	}
	var same [][]string
	for _, name := range sortedKeys(byName) {
		if len(byName[name]) > 1 {
			same = append(same, byName[name])
		}
	}
	return same
}
