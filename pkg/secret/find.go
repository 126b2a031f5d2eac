package secret

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

// Found is a place where a secret is written out, and why it is taken for one. It never holds the value.
type Found struct {
	Path, Why string
}

// Find looks for secrets in values: by the names of keys and variables, in addresses, and by the form of some that is known
// (keys in PEM, tokens of services that mark theirs). It looks into text that holds YAML or JSON, or settings line by line. The
// path is what the tree is called.
func Find(path string, tree any) []Found {
	f := &finder{}
	f.value(path, "", tree)
	return f.found
}

// FindInAddresses looks only for what no text may hold, whatever its key: logins in addresses, and secrets of a known form.
func FindInAddresses(path string, tree any) []Found {
	f := &finder{plainKeys: true}
	f.value(path, "", tree)
	return f.found
}

type finder struct {
	// plainKeys says that the names of keys do not count.
	plainKeys bool
	found     []Found
}

func (f *finder) add(path, why string) { f.found = append(f.found, Found{path, why}) }

func (f *finder) value(path, name string, v any) {
	switch v := v.(type) {
	case map[string]any:
		f.entries(path, v)
	case []any:
		for i, element := range v {
			f.value(path+"["+strconv.Itoa(i)+"]", name, element)
		}
	case string:
		f.text(path, name, v)
	case nil, bool:
	default:
		if f.holds(name) {
			f.add(path, "by its name it holds a secret")
		}
	}
}

func (f *finder) entries(path string, m map[string]any) {
	variable, _ := m["name"].(string)
	for _, key := range slices.Sorted(maps.Keys(m)) {
		name := key
		switch {
		case key == "value" && variable != "":
			// An element of a list of environment variables.
			name = variable
		case plain(key) == "secretkey" && m["secretName"] != nil:
			// The key within a Secret that is named beside it.
			name = ""
		}
		f.value(Join(path, key), name, m[key])
	}
}

func (f *finder) text(path, name, text string) {
	switch why := written(text); {
	case strings.TrimSpace(text) == "":
	case why != "":
		f.add(path, why)
	case f.holds(name):
		if !refers(text) {
			f.add(path, "by its name it holds a secret")
		}
	case strings.ContainsAny(text, ":=") && !f.plainKeys:
		f.inside(path, text)
	}
}

func (f *finder) holds(name string) bool { return !f.plainKeys && Holds(name) }

// inside looks into text that is YAML or JSON, as some charts take it, or settings one a line.
func (f *finder) inside(path, text string) {
	var tree any
	if yaml.Unmarshal([]byte(text), &tree) == nil {
		switch tree.(type) {
		case map[string]any, []any:
			f.value(path, "", tree)
			return
		}
	}
	for _, line := range regexp.MustCompile(`(?m)^\s*"?([\w.-]+)"?\s*[:=]\s*"?([^"\s]+)`).FindAllStringSubmatch(text, -1) {
		if Holds(line[1]) && !refers(line[2]) {
			f.add(path, fmt.Sprintf("its setting %s holds a secret", line[1]))
		}
	}
}

// refers reports whether a text stands for a value that comes from elsewhere: a variable, or a template.
func refers(text string) bool {
	return regexp.MustCompile(`^\s*(\$\(\w+\)|\$\{[^}]+\}|\$\w+|\{\{.*\}\})\s*$`).MatchString(text)
}

// written says why a text is or holds a secret whatever it is called; empty if it does not seem to.
func written(text string) string {
	for _, address := range regexp.MustCompile(`[a-zA-Z][a-zA-Z0-9+.-]*://[^\s"'<>]+`).FindAllString(text, -1) {
		if why := inAddress(address); why != "" {
			return why
		}
	}
	for _, form := range []struct{ pattern, why string }{
		{`-----BEGIN [A-Z ]*PRIVATE KEY`, "it is a private key"},
		{`\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*`, "it is a token (JWT)"},
		{`\b(hvs\.[\w-]{16,}|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abpr]-[\w-]{10,})`, "it is a token"},
		{`\bAGE-SECRET-KEY-1\w{20,}`, "it is a private key"},
	} {
		if regexp.MustCompile(form.pattern).MatchString(text) {
			return form.why
		}
	}
	return ""
}

// inAddress says what is secret in an address: a login, or a token among its parameters.
func inAddress(address string) string {
	// What cannot be parsed is cut by hand: a password with a % or a space in it is one all the same.
	_, rest, _ := strings.Cut(address, "://")
	authority, _, _ := strings.Cut(rest, "/")
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		user, password, both := strings.Cut(authority[:at], ":")
		web := strings.HasPrefix(strings.ToLower(address), "http")
		if (both && !refers(password) && password != "" || web && !both) && !refers(user) {
			return "there is a login in its address"
		}
	}
	_, query, _ := strings.Cut(rest, "?")
	query, _, _ = strings.Cut(query, "#")
	for _, pair := range strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' }) {
		name, value, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		if value != "" && !refers(value) && (Holds(name) || strings.EqualFold(name, "X-Amz-Signature") || strings.EqualFold(name, "sig")) {
			return "there is a secret among the parameters of its address"
		}
	}
	return ""
}

// Join makes the path of a key below a path. A key with dots or slashes of its own is quoted.
func Join(path, key string) string {
	switch {
	case strings.ContainsAny(key, "./[]\""):
		return path + "[" + strconv.Quote(key) + "]"
	case path == "":
		return key
	}
	return path + "." + key
}
