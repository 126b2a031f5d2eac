package keycloak

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
)

// leaf is a wanted value with rules of its own. A plain value in a document is wanted exactly so.
type leaf interface {
	// same tells whether what was seen will do.
	same(seen any) bool
	// value is what to write where this was seen.
	value(seen any) any
	// field shows the difference.
	field(path string, seen any) engine.Field
}

// set is a list whose order does not matter.
type set []string

func (s set) same(seen any) bool {
	a, b := slices.Sorted(slices.Values(s)), slices.Sorted(slices.Values(stringList(seen)))
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

// value is never null: Keycloak would take that for "nothing said" and make up web origins from the redirect URIs.
func (s set) value(any) any { return append([]string{}, s...) }

func (s set) field(path string, seen any) engine.Field {
	return engine.Field{Path: path, From: text(stringList(seen)), To: text([]string(s))}
}

// including is a list that may hold more than what we want in it.
type including []string

func (s including) same(seen any) bool {
	there := stringList(seen)
	return !slices.ContainsFunc(s, func(each string) bool { return !slices.Contains(there, each) })
}
func (s including) value(seen any) any {
	all := slices.Clone(stringList(seen))
	for _, each := range s {
		if !slices.Contains(all, each) {
			all = append(all, each)
		}
	}
	return all
}
func (s including) field(path string, seen any) engine.Field {
	return engine.Field{Path: path, From: text(stringList(seen)), To: text(s.value(seen))}
}

// members is a list that holds some things, lacks others, and may hold more.
type members struct{ in, out []string }

func (m members) same(seen any) bool {
	return including(m.in).same(seen) && !slices.ContainsFunc(stringList(seen), m.unwanted)
}
func (m members) value(seen any) any {
	return slices.DeleteFunc(slices.Clone(stringList(including(m.in).value(seen))), m.unwanted)
}
func (m members) field(path string, seen any) engine.Field {
	return engine.Field{Path: path, From: text(stringList(seen)), To: text(m.value(seen))}
}
func (m members) unwanted(name string) bool { return slices.Contains(m.out, name) }

// hidden is a value that is compared and never shown.
type hidden struct{ secret.Text }

func (h hidden) same(seen any) bool { return text(seen) == h.Reveal() }
func (h hidden) value(any) any      { return h.Reveal() }
func (h hidden) field(path string, _ any) engine.Field {
	return engine.Field{Path: path, Secret: true}
}

// absent is a value of ours that has to go.
type absent struct{}

func (absent) same(seen any) bool { return seen == nil }
func (absent) value(any) any      { return nil }
func (absent) field(path string, seen any) engine.Field {
	return engine.Field{Path: path, From: text(seen)}
}

// not is a text that has to go; any other stays.
type not string

func (n not) same(seen any) bool { return text(seen) != string(n) }
func (n not) value(seen any) any {
	if n.same(seen) {
		return seen
	}
	return ""
}
func (n not) field(path string, seen any) engine.Field {
	return engine.Field{Path: path, From: text(seen)}
}

// stringList reads a list of a JSON document; anything else is an empty one.
func stringList(v any) []string {
	switch list := v.(type) {
	case []string:
		return list
	case []any:
		out := make([]string, 0, len(list))
		for _, each := range list {
			out = append(out, text(each))
		}
		return out
	}
	return nil
}

// text is a JSON value on one line: strings bare, lists sorted and with commas. It serves to compare and to show.
func text(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case []string, []any:
		return strings.Join(slices.SortedFunc(slices.Values(stringList(x)), cmp.Compare), ",")
	case bool, int, int64, json.Number:
		return fmt.Sprint(x)
	}
	encoded, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(encoded)
}
