package keycloak

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// UsernamePattern is what a username must be: an RFC 1123 label. The API of Onyxia silently drops a user whose namespace
// would not be one, and MinIO's policies and Vault's paths take the name in as it is.
const UsernamePattern = `^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`

func validUsername(name string) bool {
	ok, err := regexp.MatchString(UsernamePattern, name)
	return ok && err == nil
}

// usernameInput is the same for the browser's own check of a form field, which is anchored and wants the dash escaped. From 23
// on the server makes names lower case before it looks at them, so only a page could refuse capitals. That of Onyxia's theme
// does, by this pattern. Keycloak's own asks the browser to check nothing (novalidate; seen on 26.5.6), and Robert becomes
// robert there.
const usernameInput = `[a-z0-9]([a-z0-9\-]*[a-z0-9])?`

// usernameMessage is told to people. It stands here in words because the messages that themes bring differ by their version;
// the card of Onyxia's theme (11.5.1) is some 70 characters wide.
const usernameMessage = "Lower-case letters, digits and dashes; no dash at either end"

// The shape of the e-mail rule is the one that Onyxia's theme reads the allowed domains from, to show them
// (emailDomainAcceptListHelper.ts at v11.5.1). It is anchored at both ends and takes sub-domains in.
const (
	emailHead = `^[^@]+@([^.]+\.)*(`
	emailTail = `)$`
)

// domainName is a host name with at least one dot (RFC 1123 section 2.1), lower case.
const domainName = `^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]*[a-z0-9])?$`

// EmailPattern is the rule that lets only addresses of these domains and their sub-domains through.
func EmailPattern(domains []string) (string, error) {
	valid, err := regexp.Compile(domainName)
	if err != nil {
		return "", err
	}
	alternatives := make([]string, 0, len(domains))
	for _, domain := range domains {
		domain = strings.ToLower(strings.TrimSuffix(domain, "."))
		if !valid.MatchString(domain) {
			return "", fmt.Errorf("e-mail domain %q: want a name such as example.org, in ASCII", domain)
		}
		alternatives = append(alternatives, "("+regexp.QuoteMeta(domain)+")")
	}
	slices.Sort(alternatives)
	return emailHead + strings.Join(slices.Compact(alternatives), "|") + emailTail, nil
}

// wantedEmail is the e-mail attribute's part that is ours. With no domains asked for, a rule in our shape is one that we wrote
// and has to go; any other stays.
func wantedEmail(domains []string, seen document) (document, error) {
	if len(domains) > 0 {
		pattern, err := EmailPattern(domains)
		return document{"validations": document{"pattern": document{"pattern": pattern}}}, err
	}
	there := child(child(seen["validations"])["pattern"]).text("pattern")
	if strings.HasPrefix(there, emailHead) && strings.HasSuffix(there, emailTail) {
		return document{"validations": document{"pattern": absent{}}}, nil
	}
	return document{}, nil
}
