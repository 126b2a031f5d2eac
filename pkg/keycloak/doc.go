// Package keycloak drives Keycloak by its admin REST API, with merge semantics: it compares and writes the fields that are
// ours and leaves everything else as an admin made it.
//
// An Admin is a connection to a server, a Realm is one of its realms with the reads that many steps share, and every
// ...Step method gives one engine step: realm settings, user profile, required action, group, role, client scope, client,
// mapper, service account. What differs between server versions stands in versions.go and nowhere else.
//
// Requests are sent again in one place, retry.go, and an Admin has patience with its server once, however many steps there are
// (outage.go).
//
// Four things about the API decide how the package writes. All were seen on 20.0.5, 21.1.2, 24.0.5 and 26.5.6.
//
//   - PUT of a realm keeps the fields that are left out, but replaces "attributes" and "smtpServer" as a whole. Before 26
//     it then also forgets what Keycloak itself keeps in attributes, such as the browser's security headers and (before 24)
//     the brute-force limits. Before 24, leaving attributes out resets the user profile. So attributes only travel with the
//     whole representation, and before 24 always.
//   - PUT of a client keeps the attributes that are left out, but 26 makes up web origins where none are sent. So it gets the
//     whole client but for protocolMappers: sent ones replace those that are there. Each mapper is a step.
//   - PUT of a mapper with another type answers 204 and the mapper is gone. Such a mapper is deleted and made anew.
//   - Whoever creates a realm gets all rights on it, but only with the next token.
package keycloak
