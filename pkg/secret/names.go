package secret

import (
	"slices"
	"strings"
)

// Named reports whether a key or a variable of that name has to do with a secret, so that its value is not to be shown. It is
// wide: a value that is hidden for nothing costs little.
func Named(name string) bool {
	name = plain(name)
	return slices.ContainsFunc(words(), func(word string) bool { return strings.Contains(name, word) })
}

// Holds reports whether a key of that name holds the secret itself, and does not name a Secret or say something about one
// (existingSecret, secretName, tokenTTL). It is narrow, because what it finds is refused.
func Holds(name string) bool {
	name = plain(name)
	if strings.Contains(name, "existing") {
		return false
	}
	return slices.ContainsFunc(endings(), func(end string) bool { return strings.HasSuffix(name, end) })
}

func words() []string {
	return []string{"passw", "passphrase", "secret", "token", "credential", "privatekey", "apikey", "accesskey", "hmac", "authorization"}
}

func endings() []string {
	return []string{"password", "passwd", "passphrase", "token", "credential", "credentials", "clientsecret", "secretkey", "secretaccesskey", "secretid",
		"privatekey", "apikey", "hmac", "hmackey", "authorization"}
}

// plain is a name without what different spellings differ in.
func plain(name string) string {
	return strings.NewReplacer("-", "", "_", "", ".", "").Replace(strings.ToLower(name))
}
