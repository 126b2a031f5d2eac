package acme

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
)

// redactor takes secret values out of text. A value from the environment gives way to the variable's name, so that an
// error still says which one was meant.
type redactor struct {
	replace *strings.Replacer
}

// shortest is the length from which on a value is looked for in any text: shorter ones are "1", "true" and the like.
const shortest = 4

// longWord is the length from which on a word in a key file is taken for the key.
const longWord = 16

// newRedactor knows the values that a provider may have read: every variable in its name space, those that lego lists
// for it, and whatever is called a secret anywhere in the environment. More secrets may be given.
func newRedactor(provider string, secrets ...string) *redactor {
	words := map[string]string{}
	for _, s := range secrets {
		addSecret(words, s, "(secret)")
	}
	for _, setting := range os.Environ() {
		name, value, _ := strings.Cut(setting, "=")
		if !isSecret(provider, name) {
			continue
		}
		addSecret(words, value, "$"+name)
		// A pipe gives its content once, and not to us; what was in it is in a variable, see newProvider.
		if strings.HasSuffix(name, "_FILE") && secret.Regular(value) {
			// The file may be unreadable; then the provider read nothing from it either.
			content, _ := os.ReadFile(value)
			addSecret(words, strings.TrimSpace(string(content)), "$"+name)
			// Key files, such as those of tsig-keygen, hold more than the secret.
			for _, word := range strings.FieldsFunc(string(content), func(r rune) bool { return strings.ContainsRune(" \t\n\";", r) }) {
				if len(word) >= longWord {
					addSecret(words, word, "$"+name)
				}
			}
		}
	}
	return &redactor{replace: strings.NewReplacer(pairs(words)...)}
}

// addSecret adds a value in the forms in which it turns up in URLs, JSON and headers.
func addSecret(words map[string]string, value, instead string) {
	if len(value) < shortest {
		return
	}
	quoted, err := json.Marshal(value)
	if err == nil {
		words[strings.Trim(string(quoted), `"`)] = instead
	}
	words[value] = instead
	words[url.QueryEscape(value)] = instead
	words[url.PathEscape(value)] = instead
	words[base64.StdEncoding.EncodeToString([]byte(value))] = instead
	words[base64.RawURLEncoding.EncodeToString([]byte(value))] = instead
}

// pairs lists long values first, so that none is cut by another that it contains.
func pairs(words map[string]string) []string {
	values := make([]string, 0, len(words))
	for value := range words {
		values = append(values, value)
	}
	slices.SortFunc(values, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	out := make([]string, 0, 2*len(values))
	for _, value := range values {
		out = append(out, value, words[value])
	}
	return out
}

// isSecret tells whether a variable's value must not be shown. What only says where the service is stays readable.
func isSecret(provider, name string) bool {
	for _, plain := range []string{"NAMESERVER", "ENDPOINT", "REGION", "ALGORITHM", "TSIG_KEY", "ZONES", "TTL", "TIMEOUT", "INTERVAL"} {
		if strings.HasSuffix(name, plain) {
			return false
		}
	}
	if slices.Contains(credentials(provider), name) || inNameSpace(provider, name) {
		return true
	}
	return secret.Named(name)
}

func (r *redactor) redact(text string) string { return r.replace.Replace(text) }

// listener redacts lines before they are heard; nil hears nothing.
func (r *redactor) listener(hear func(string)) func(string) {
	return func(line string) {
		if hear != nil {
			hear(r.redact(line))
		}
	}
}

// wrap redacts an error. The original can still be matched, but no longer be printed.
func (r *redactor) wrap(err error) error {
	if err == nil {
		return nil
	}
	return &redactedError{text: r.redact(err.Error()), err: err}
}

type redactedError struct {
	text string
	err  error
}

func (e *redactedError) Error() string        { return e.text }
func (e *redactedError) Is(target error) bool { return errors.Is(e.err, target) }
