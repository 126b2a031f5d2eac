package auth

import (
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
)

// dialect is what differs between the servers in how they are told what we want of them.
type dialect struct {
	// hostname is the variable that takes the public address with its path, without which the issuer follows the request.
	hostname string
	// adminName and adminPassword are the variables for the first administrator.
	adminName, adminPassword string
	// proxyMode is the chart's proxy.mode. Ingress controllers send X-Forwarded-*; with "forwarded" a client could choose
	// its own address.
	proxyMode string
	// features to switch on; empty for none.
	features string
	// health is the name of the port that answers probes.
	health string
}

// dialects is the table, oldest first: what holds from a major version on. Seen on 21.1.2 (with chart keycloakx 2.2.2) and
// 26.7.3 (with 7.1.11); between them Keycloak's release notes: hostname v2, the management port and --proxy-headers alone from
// 25 on (changes-25_0_0.adoc), the names of the administrator's variables in 26, the user profile without a switch in 24.
func dialects() []struct {
	from int
	set  func(*dialect)
} {
	return []struct {
		from int
		set  func(*dialect)
	}{
		{0, func(d *dialect) {
			*d = dialect{
				hostname: "KC_HOSTNAME_URL", adminName: "KEYCLOAK_ADMIN", adminPassword: "KEYCLOAK_ADMIN_PASSWORD",
				proxyMode: "edge", features: "declarative-user-profile", health: "http",
			}
		}},
		{24, func(d *dialect) { d.features = "" }},
		{25, func(d *dialect) { d.hostname, d.proxyMode, d.health = "KC_HOSTNAME", "xforwarded", "http-internal" }},
		{26, func(d *dialect) {
			d.adminName, d.adminPassword = "KC_BOOTSTRAP_ADMIN_USERNAME", "KC_BOOTSTRAP_ADMIN_PASSWORD"
		}},
	}
}

// dialectOf a server; an unknown version counts as the newest.
func dialectOf(v keycloak.Version) dialect {
	var d dialect
	for _, one := range dialects() {
		if v == (keycloak.Version{}) || v.Major >= one.from {
			one.set(&d)
		}
	}
	return d
}

// serverVersion is what the image's tag says. One that says nothing ("ours", a digest alone) is taken for the newest.
func serverVersion(image string) keycloak.Version {
	parsed, err := profile.ParseImage(image)
	if err != nil {
		return keycloak.Version{}
	}
	v, err := keycloak.ParseVersion(parsed.Tag)
	if err != nil {
		return keycloak.Version{}
	}
	return v
}
