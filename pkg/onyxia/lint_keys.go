package onyxia

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/spelling"
)

// object holds the keys of a map against those of its type.
func (l *linter) object(path, typ string, m map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		value := m[name]
		if value == nil {
			continue
		}
		v, ok := l.at(typ, name)
		if !ok {
			l.unknown(join(path, name), typ, name)
			continue
		}
		l.value(join(path, name), v, value)
	}
}

// unknown says whether the key is of another version, or of none.
func (l *linter) unknown(path, typ, name string) {
	variants, rest := l.types[typ][name], l.types[typ]["*"]
	last := len(variants) - 1
	switch {
	case last >= 0 && variants[last].Until != nil && !l.version.LessThan(variants[last].Until):
		l.outdated(path, variants[last])
	case last >= 0:
		l.warn(path, fmt.Sprintf("known from chart %s on%s: %s drops it without a word", variants[0].Since, because(variants[0]), l.chart), "take it out, or take that chart")
	default:
		near := l.near(typ, name)
		if near == "" && rest != nil {
			return
		}
		fix := "take it out"
		if near != "" {
			fix = fmt.Sprintf("did you mean %q?", near)
		}
		l.warn(path, fmt.Sprintf("chart %s has no such key and drops it without a word", l.chart), fix)
	}
}

func (l *linter) outdated(path string, v variant) {
	message := "removed in chart " + v.Until.String()
	switch {
	case v.Until.Major() == 0:
		message = "never was a key"
	case v.Instead != "":
		message = "replaced in chart " + v.Until.String()
	}
	fix := "take it out"
	if v.Instead != "" {
		fix = "write " + v.Instead
	}
	if v.Fatal {
		l.fail(path, message+", and the API does not start with it"+because(v), fix)
		return
	}
	l.warn(path, message+": dropped without a word"+because(v), fix)
}

func because(v variant) string {
	if v.Why == "" {
		return ""
	}
	return " (" + v.Why + ")"
}

// near is the nearest key that this chart version has. Where keys that are not listed are welcome, only a slip in the
// case or of one letter is worth a word.
func (l *linter) near(typ, name string) string {
	var candidates []string
	for _, c := range slices.Sorted(maps.Keys(l.types[typ])) {
		if _, ok := l.at(typ, c); ok && c != "*" {
			candidates = append(candidates, c)
		}
	}
	if stripped := withoutPrefix(name); slices.Contains(candidates, stripped) {
		return stripped
	}
	near := spelling.Nearest(name, candidates)
	if len(near) == 0 || l.types[typ]["*"] != nil && spelling.Slips(near[0], name) > 1 {
		return ""
	}
	return near[0]
}

// withoutPrefix: web/.env has had these before each name, the chart's values never (P2).
func withoutPrefix(name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, "REACT_APP_"), "VITE_")
}

// value holds one value against its type.
func (l *linter) value(path string, v variant, value any) {
	if value == nil || v.Type == "any" {
		return
	}
	if one, ok := oneOrList(v.Type); ok {
		v = variant{Type: one}
		if _, isList := value.([]any); isList {
			v.Type = "[" + one + "]"
		}
	}
	if element, ok := listOf(v.Type); ok {
		l.list(path, variant{Type: element}, value)
	} else if element, ok := mapOf(v.Type); ok {
		l.entries(path, variant{Type: element}, value)
	} else if !l.isObject(v.Type) {
		l.scalar(path, v, value)
	} else if m, isMap := value.(map[string]any); isMap {
		l.object(path, v.Type, m)
	} else {
		l.mismatch(path, "a map", value)
	}
}

func (l *linter) list(path string, element variant, value any) {
	elements, ok := value.([]any)
	if !ok {
		l.mismatch(path, "a list", value)
	}
	for i := range elements {
		l.value(at(path, i), element, elements[i])
	}
}

func (l *linter) entries(path string, element variant, value any) {
	m, ok := value.(map[string]any)
	if !ok {
		l.mismatch(path, "a map", value)
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		l.value(join(path, name), element, m[name])
	}
}

// scalar: the API turns "true" into true and 5 into "5" by itself, but no word into a number.
func (l *linter) scalar(path string, v variant, value any) {
	text, ok := scalarText(value)
	if !ok {
		l.mismatch(path, named(v.Type), value)
		return
	}
	var err error
	switch v.Type {
	case "bool":
		if !slices.Contains([]string{"true", "false"}, strings.ToLower(text)) {
			err = strconv.ErrSyntax
		}
	case "int":
		_, err = strconv.ParseInt(text, 10, 64)
	case "number":
		_, err = strconv.ParseFloat(text, 64)
	}
	if err != nil {
		l.mismatch(path, named(v.Type), value)
		return
	}
	if len(v.Enum) > 0 && text != "" && v.canonical(text) == "" {
		l.fail(path, fmt.Sprintf("%q is none of %s: the API does not start with it", text, strings.Join(v.Enum, ", ")), "write one of these")
	}
}

func (l *linter) mismatch(path, wanted string, value any) {
	l.fail(path, fmt.Sprintf("%s stands where %s is expected", kindOf(value), wanted), "write "+wanted)
}

// canonical is a value of an enumeration as the API serves it; empty for one that it has not.
func (v variant) canonical(text string) string {
	for _, e := range v.Enum {
		if strings.EqualFold(e, text) {
			return e
		}
	}
	for alias, e := range v.Aliases {
		if strings.EqualFold(alias, text) {
			return e
		}
	}
	return ""
}

func scalarText(value any) (string, bool) {
	switch value := value.(type) {
	case string:
		return value, true
	case bool:
		return strconv.FormatBool(value), true
	case json.Number:
		return value.String(), true
	default:
		return "", false
	}
}

func named(typ string) string {
	switch typ {
	case "bool":
		return "true or false"
	case "int":
		return "a whole number"
	case "number":
		return "a number"
	default:
		return "one value"
	}
}

func kindOf(value any) string {
	switch value.(type) {
	case map[string]any:
		return "a map"
	case []any:
		return "a list"
	case string:
		return "text"
	case bool:
		return "true or false"
	default:
		return "a number"
	}
}
