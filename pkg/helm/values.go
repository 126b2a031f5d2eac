package helm

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
)

// plainValues gives a deep copy of values in the form that they have after Helm stored them: JSON's own types only.
// Helm and its charts may change what they are given, so each call gets its own copy.
func plainValues(values map[string]any) (map[string]any, error) {
	text, err := json.Marshal(values)
	if err != nil {
		return nil, fmt.Errorf("values are not JSON: %w", err)
	}
	plain := map[string]any{}
	if err := json.Unmarshal(text, &plain); err != nil {
		return nil, fmt.Errorf("values are not JSON: %w", err)
	}
	if plain == nil {
		plain = map[string]any{}
	}
	return plain, nil
}

// valueFields lists the differences between stored and wanted values, leaf by leaf, sorted by path.
func valueFields(from, to map[string]any) []engine.Field {
	d := &valueDiff{}
	d.maps("values", false, from, to)
	slices.SortFunc(d.fields, func(a, b engine.Field) int { return strings.Compare(a.Path, b.Path) })
	return d.fields
}

// lostValues are the paths of what is stored and will be no more, sorted.
func lostValues(from, to map[string]any) []string {
	d := &valueDiff{}
	d.maps("values", false, from, to)
	slices.Sort(d.lost)
	return d.lost
}

type valueDiff struct {
	fields []engine.Field
	// lost are the paths of stored values that differ from what is wanted.
	lost []string
}

// absent stands for a value that is not there; null is a value, which takes a chart's default away.
type absent struct{}

func (d *valueDiff) value(path string, hidden bool, from, to any) {
	if reflect.DeepEqual(from, to) {
		return
	}
	fromMap, fromIsMap := asMap(from)
	toMap, toIsMap := asMap(to)
	if fromIsMap && toIsMap && len(fromMap)+len(toMap) > 0 {
		d.maps(path, hidden, fromMap, toMap)
		return
	}
	fromList, fromIsList := asList(from)
	toList, toIsList := asList(to)
	if fromIsList && toIsList && len(fromList)+len(toList) > 0 {
		d.lists(path, hidden, fromList, toList)
		return
	}
	if d.embedded(path, hidden, from, to) {
		return
	}
	if from != (absent{}) {
		d.lost = append(d.lost, path)
	}
	if hidden {
		d.fields = append(d.fields, engine.Field{Path: path, Secret: true})
		return
	}
	d.fields = append(d.fields, engine.Field{Path: path, From: show(from), To: show(to)})
}

func (d *valueDiff) maps(path string, hidden bool, from, to map[string]any) {
	keys := map[string]bool{}
	for key := range from {
		keys[key] = true
	}
	for key := range to {
		keys[key] = true
	}
	named := secretName(from["name"]) || secretName(to["name"])
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		below := hidden || secretName(key) || named && key == "value"
		d.value(path+step(key), below, at(from, key), at(to, key))
	}
}

func (d *valueDiff) lists(path string, hidden bool, from, to []any) {
	for i := range max(len(from), len(to)) {
		d.value(fmt.Sprintf("%s[%d]", path, i), hidden, element(from, i), element(to, i))
	}
}

// embedded looks into strings that hold JSON, as Onyxia's regions do. It says no if there is nothing to be seen inside.
func (d *valueDiff) embedded(path string, hidden bool, from, to any) bool {
	a, b := parseJSON(from), parseJSON(to)
	if a == nil || b == nil || reflect.DeepEqual(a, b) {
		return false
	}
	before := len(d.fields)
	d.value(path, hidden, a, b)
	return len(d.fields) > before
}

func parseJSON(v any) any {
	s, ok := v.(string)
	if !ok || !strings.HasPrefix(strings.TrimSpace(s), "{") && !strings.HasPrefix(strings.TrimSpace(s), "[") {
		return nil
	}
	var parsed any
	if json.Unmarshal([]byte(s), &parsed) != nil {
		return nil
	}
	return parsed
}

// asMap takes a missing value for an empty map, so that whole branches are shown leaf by leaf.
func asMap(v any) (map[string]any, bool) {
	if v == (absent{}) {
		return nil, true
	}
	m, ok := v.(map[string]any)
	return m, ok
}

func asList(v any) ([]any, bool) {
	if v == (absent{}) {
		return nil, true
	}
	l, ok := v.([]any)
	return l, ok
}

func at(m map[string]any, key string) any {
	if v, ok := m[key]; ok {
		return v
	}
	return absent{}
}

func element(l []any, i int) any {
	if i < len(l) {
		return l[i]
	}
	return absent{}
}

// step writes a key as the next step of a path. Keys with dots, such as annotations, stand in brackets, as in the paths
// of package kube.
func step(key string) string {
	if strings.ContainsAny(key, "./") {
		return "[" + key + "]"
	}
	return "." + key
}

func show(v any) string {
	switch v := v.(type) {
	case absent:
		return ""
	case string:
		if v == "" {
			return `""`
		}
		return v
	case nil:
		return "null"
	case map[string]any:
		return composite("{}", "a map of", len(v))
	case []any:
		return composite("[]", "a list of", len(v))
	}
	return fmt.Sprint(v)
}

// composite says what stands there without showing what is inside, where a key may hold a secret.
func composite(empty, what string, n int) string {
	if n == 0 {
		return empty
	}
	return fmt.Sprintf("(%s %d)", what, n)
}

// secretName reports whether a key is one of a secret, whose value is never shown. No secret should be in values, but users' own
// may hold some.
func secretName(v any) bool {
	name, ok := v.(string)
	return ok && secret.Named(name)
}
