package keycloak

import (
	"context"
	"slices"
)

// Federations are the names of the directories (LDAP, Kerberos, others) that a realm takes users from, in order; none for a
// realm that is not there yet. Such users did not come by the realm's own sign-up.
func (r *Realm) Federations(ctx context.Context) ([]string, error) {
	var list []document
	if err := r.admin.get(ctx, r.path("/components?type=org.keycloak.storage.UserStorageProvider"), &list); err != nil {
		if err = r.missing(err); gone(err) {
			return nil, nil
		}
		return nil, err
	}
	var names []string
	for _, each := range list {
		if !slices.Contains(stringList(child(each["config"])["enabled"]), "false") {
			names = append(names, each.text("name"))
		}
	}
	slices.Sort(names)
	return names, nil
}
