package platform

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// checkVaultPaths: a path inside Vault must mean nothing in a policy, and be free. Vault has engines of its own at some, and
// the login of its own pages is at auth/oidc.
func checkVaultPaths(v Vault) error {
	name := regexp.MustCompile(`^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$`)
	var errs []error
	for key, c := range map[string]struct {
		path  string
		taken []string
	}{
		"vault.authPath": {v.AuthPath, []string{"oidc", "token"}},
		"vault.kvEngine": {v.KVEngine, []string{"auth", "cubbyhole", "identity", "sys"}},
	} {
		first, _, _ := strings.Cut(c.path, "/")
		switch {
		case !name.MatchString(c.path):
			errs = append(errs, fmt.Errorf("%s: %q is not a path of letters, digits, dashes and underscores", key, c.path))
		case slices.Contains(c.taken, first):
			errs = append(errs, fmt.Errorf("%s: %q is taken by Vault itself: choose another path", key, c.path))
		}
	}
	return errors.Join(errs...)
}
