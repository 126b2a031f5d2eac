package kube

import (
	"fmt"
	"strings"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// field is the place below a map's key. Keys that are names of their own (a label, a file) stand in brackets.
func (p at) field(key string) at {
	next := at{path: key, key: key, parent: p.key, owned: p.owned, secret: p.secret, atomic: p.atomic}
	switch {
	case strings.ContainsAny(key, "./"):
		next.path = p.path + "[" + key + "]"
	case p.path != "":
		next.path = p.path + "." + key
	}
	if p.atomic {
		return next
	}
	element := fieldpath.PathElement{FieldName: &key}
	next.owned = append(p.owned[:len(p.owned):len(p.owned)], element)
	next.layout = below(p.layout, element)
	return next
}

// element is the place of a list's element, named by its name where it has one.
func (p at) element(element any, position int) at {
	label := fmt.Sprint(position)
	if name, ok := mapOf(element)["name"].(string); ok && name != "" {
		label = name
	}
	return at{path: p.path + "[" + label + "]", key: p.key, parent: p.parent, owned: p.owned, layout: p.layout, secret: p.secret, atomic: p.atomic}
}

// keyedBy gives the element's place the path that field managers know it by.
func (p at) keyedBy(list at, names []string, live any) at {
	keys := value.FieldList{}
	for _, name := range names {
		keys = append(keys, value.Field{Name: name, Value: value.NewValueInterface(mapOf(live)[name])})
	}
	keys.Sort()
	element := fieldpath.PathElement{Key: &keys}
	p.owned = append(list.owned[:len(list.owned):len(list.owned)], element)
	p.layout = below(list.layout, element)
	return p
}

// keyNames are the fields by which field managers tell the elements of the list at this place from each other.
func (p at) keyNames() (names []string) {
	if p.layout == nil {
		return nil
	}
	p.layout.Children.Iterate(func(e fieldpath.PathElement) { names = keysOf(e, names) })
	p.layout.Members.Iterate(func(e fieldpath.PathElement) { names = keysOf(e, names) })
	return names
}

func keysOf(e fieldpath.PathElement, names []string) []string {
	if names != nil || e.Key == nil {
		return names
	}
	for _, f := range *e.Key {
		names = append(names, f.Name)
	}
	return names
}

// isSet tells whether field managers see the list at this place as a set of values.
func (p at) isSet() (set bool) {
	if p.layout != nil {
		p.layout.Members.Iterate(func(e fieldpath.PathElement) { set = set || e.Value != nil })
	}
	return set
}

func below(layout *fieldpath.Set, element fieldpath.PathElement) *fieldpath.Set {
	if layout == nil {
		return nil
	}
	if child, ok := layout.Children.Get(element); ok {
		return child
	}
	return nil
}

// hasKey tells whether a live element is the one that is wanted.
func hasKey(want, live any, names []string) bool {
	w, l := mapOf(want), mapOf(live)
	for _, name := range names {
		if key := keyed(w, name); key != nil && !sameScalar(at{key: name}, key, keyed(l, name)) {
			return false
		}
	}
	return l != nil
}

// keyed is an element's value of a key field. The one with a default in Kubernetes' own kinds is the protocol of a port.
func keyed(element map[string]any, name string) any {
	if v := element[name]; !empty(v) || name != "protocol" {
		return v
	}
	return "TCP"
}
