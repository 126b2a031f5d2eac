package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// key is one key of onyxia.yaml.
type key struct {
	path, kind, description, standard string
	values                            []string
}

// node is the part of a JSON schema that is read.
type node struct {
	Type                 []string        `json:"type"`
	Description          string          `json:"description"`
	Enum                 []*string       `json:"enum"`
	Properties           map[string]node `json:"properties"`
	Items                *node           `json:"items"`
	AdditionalProperties json.RawMessage `json:"additionalProperties"`
}

// configurationPage documents every key.
func configurationPage() (string, error) {
	all, err := allKeys()
	if err != nil {
		return "", err
	}
	var out strings.Builder
	out.WriteString("# onyxia.yaml\n\nWritten by `make docs` from the program; do not edit. Only `domain` has no default; a certificate also\n" +
		"takes `tls.dns.provider`, or `tls import`. `kubectl onyxia config schema` prints the JSON Schema for an editor, `config\n" +
		"validate` checks a file, `config view` shows what is in force. [Charts and images](#what-the-profiles-install) are below.\n\n" +
		"| key | type | default | meaning |\n|---|---|---|---|\n")
	for _, k := range all {
		description := k.description
		if unsaid := func(value string) bool { return !strings.Contains(k.description, `"`+value+`"`) }; slices.ContainsFunc(k.values, unsaid) {
			description += " One of `" + strings.Join(k.values, "`, `") + "`."
		}
		standard := ""
		if k.standard != "" {
			standard = "`" + k.standard + "`"
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s |\n", k.path, k.kind, standard, cell(description))
	}
	installed, err := profilesSection()
	return out.String() + installed, err
}

// cell is text as it may stand in a table.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}

// allKeys reads the schema in the order of the Go types, with the defaults of a file that says only its domain.
func allKeys() ([]key, error) {
	raw, err := platform.Schema()
	if err != nil {
		return nil, err
	}
	var schema node
	if err := json.Unmarshal(raw, &schema); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	complete, err := platform.Complete(platform.Config{Domain: "example.org"})
	if err != nil {
		return nil, fmt.Errorf("defaults: %w", err)
	}
	complete.Domain = ""
	if raw, err = json.Marshal(complete.Config); err != nil {
		return nil, fmt.Errorf("defaults: %w", err)
	}
	var defaults map[string]any
	if err := json.Unmarshal(raw, &defaults); err != nil {
		return nil, fmt.Errorf("defaults: %w", err)
	}
	return keysOf(reflect.TypeFor[platform.Config](), schema, defaults, "")
}

// keysOf walks a type, its schema and its defaults side by side.
func keysOf(t reflect.Type, schema node, defaults map[string]any, prefix string) ([]key, error) {
	var out []key
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		n, ok := schema.Properties[name]
		if !ok {
			return nil, fmt.Errorf("the schema lacks %s%s", prefix, name)
		}
		path := prefix + name
		if n.Properties != nil {
			section, _ := defaults[name].(map[string]any)
			below, err := keysOf(t.Field(i).Type, n, section, path+".")
			if err != nil {
				return nil, err
			}
			out = append(out, below...)
			continue
		}
		value := defaults[name]
		if value == nil && t.Field(i).Type.Kind() == reflect.Bool {
			value = false // left out by its tag
		}
		out = append(out, key{path: path, kind: n.kind(), description: plain(t.Field(i).Name, n.Description), standard: standard(value, n.Description), values: n.words()})
		var element node
		if len(n.AdditionalProperties) > 0 && json.Unmarshal(n.AdditionalProperties, &element) == nil && element.Properties != nil {
			below, err := keysOf(t.Field(i).Type.Elem(), element, nil, path+".NAME.")
			if err != nil {
				return nil, err
			}
			out = append(out, below...)
		}
	}
	return out, nil
}

// plain is the comment of a field for people who see its key beside it: without the field's name, or with the name in words
// where the sentence needs it.
func plain(field, comment string) string {
	rest, named := strings.CutPrefix(comment, field+" ")
	if !named {
		return comment
	}
	for _, verb := range []string{"is ", "are "} {
		if said, is := strings.CutPrefix(rest, verb); is {
			return capital(said)
		}
	}
	switch next, _, _ := strings.Cut(rest, " "); strings.TrimRight(next, ".:") {
	case "of", "for", "in", "at", "that", "under", "name":
		return capital(spelled(field)) + " " + rest
	}
	return capital(rest)
}

// spelled writes SecretName as "secret name", and RoleARN as "role ARN".
func spelled(field string) string {
	var out strings.Builder
	letters := []rune(field)
	upper := func(i int) bool { return i >= 0 && i < len(letters) && !unicode.IsLower(letters[i]) }
	for i, letter := range letters {
		begins := i > 0 && upper(i) && (!upper(i-1) || i+1 < len(letters) && !upper(i+1))
		if begins {
			out.WriteByte(' ')
		}
		if upper(i) && !upper(i+1) && !upper(i-1) || begins && !upper(i+1) {
			letter = unicode.ToLower(letter)
		}
		out.WriteRune(letter)
	}
	return out.String()
}

func capital(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}

// words are the values that a key takes; nothing stands for the default.
func (n node) words() []string {
	var words []string
	for _, word := range n.Enum {
		if word != nil {
			words = append(words, *word)
		}
	}
	return words
}

// kind is the type in words.
func (n node) kind() string {
	kind := ""
	if len(n.Type) > 0 {
		kind = n.Type[0]
	}
	switch kind {
	case "array":
		return "list"
	case "object":
		return "map"
	case "boolean":
		return "true or false"
	case "integer":
		return "number"
	default:
		return "text"
	}
}

// standard is a default as one writes it; empty for none. Where the program decides later, the comment may say it.
func standard(value any, comment string) string {
	switch v := value.(type) {
	case nil, map[string]any:
		if said := regexp.MustCompile(`Default ([\w-]+)[.;]`).FindStringSubmatch(comment); said != nil {
			return said[1]
		}
		return ""
	case []any:
		words := make([]string, len(v))
		for i := range v {
			words[i] = fmt.Sprint(v[i])
		}
		return "[" + strings.Join(words, ", ") + "]"
	default:
		return fmt.Sprint(v)
	}
}
