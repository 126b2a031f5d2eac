package installation

import (
	"fmt"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// risk says what people lose when the datalab that stands gets this configuration; empty for nothing. What is in the
// record was complete once, so both sides get their defaults.
func (r record) risk(want string) string {
	stands := r.stages()
	if len(stands) == 0 {
		return ""
	}
	last, err := platform.Parse([]byte(r[configKey]))
	if err != nil {
		return ""
	}
	next, err := platform.Parse([]byte(want))
	if err != nil {
		return ""
	}
	return strings.Join(moves(platform.WithDefaults(last), platform.WithDefaults(next), stands), "; ")
}

// moves are the changes that take a datalab away from its users: its address, the names of what is theirs, the place of
// their accounts, files and secrets. Nothing is moved along with any of them.
func moves(last, next platform.Config, stands map[string]bool) []string {
	var list []string
	move := func(stage, key, from, to, consequence string) {
		if from != to && from != "" && to != "" && (stage == "" || stands[stage]) {
			list = append(list, fmt.Sprintf("%s is %s and becomes %s: %s", key, from, to, consequence))
		}
	}
	if last.Domain != next.Domain && last.Domain != "" {
		list = append(list, fmt.Sprintf("this datalab is at %s: every address, certificate and login changes to %s", last.Domain, next.Domain))
	}
	move("", "hosts.onyxia", last.Hosts.Onyxia, next.Hosts.Onyxia, "the address of the home page, its certificate and the login's redirects change")
	move("", "hosts.lab", last.Hosts.Lab, next.Hosts.Lab, "every address but the home page's, the certificate and the login change")
	names := "namespaces, buckets and secrets have the old name and are not found under the new one"
	move("app", "prefixes.user", last.Prefixes.User, next.Prefixes.User, names)
	move("app", "prefixes.group", last.Prefixes.Group, next.Prefixes.Group, names)
	accounts := "users, groups and their passwords stay behind, and nobody can log in with an old account"
	move("auth", "auth.realm", last.Auth.Realm, next.Auth.Realm, accounts)
	move("auth", "auth.mode", last.Auth.Mode, next.Auth.Mode, accounts)
	move("auth", "auth.url", address(last.Auth.URL), address(next.Auth.URL), accounts)
	move("auth", "auth.database.mode", database(last), database(next), accounts)
	move("auth", "auth.usernameClaim", last.Auth.UsernameClaim, next.Auth.UsernameClaim, "people get other names, and so other namespaces, buckets and secrets")
	files := "the files of users and groups stay where they are, and Onyxia does not find them"
	move("s3", "s3.mode", last.S3.Mode, next.S3.Mode, files)
	move("s3", "s3.url", address(last.S3.URL), address(next.S3.URL), files)
	secrets := "the secrets of users and groups stay where they are, and Onyxia does not find them"
	move("vault", "vault.mode", last.Vault.Mode, next.Vault.Mode, secrets)
	move("vault", "vault.flavor", flavor(last.Vault), flavor(next.Vault), secrets)
	move("vault", "vault.url", address(last.Vault.URL), address(next.Vault.URL), secrets)
	move("vault", "vault.kvEngine", last.Vault.KVEngine, next.Vault.KVEngine, secrets)
	twice := "another server is installed there, empty, and the old one stays with all its data"
	move("auth", "auth.namespace", last.Auth.Namespace, next.Auth.Namespace, twice)
	move("s3", "s3.namespace", last.S3.Namespace, next.S3.Namespace, twice)
	move("vault", "vault.namespace", last.Vault.Namespace, next.Vault.Namespace, twice)
	return list
}

// database is the mode of Keycloak's database; nothing where Keycloak is not ours.
func database(c platform.Config) string {
	switch {
	case !c.Auth.InstallsKeycloak():
		return ""
	case c.Auth.Database.Mode == "":
		return platform.DatabaseInstall
	}
	return c.Auth.Database.Mode
}

// address is a URL as far as it tells one server from another.
func address(url string) string { return strings.TrimRight(url, "/") }

// flavor is that of the Vault we install; nothing for one that is there.
func flavor(v platform.Vault) string {
	if v.External() {
		return ""
	}
	return v.Flavor
}
