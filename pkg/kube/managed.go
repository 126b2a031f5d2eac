package kube

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// ownership tells which field manager holds which fields of a live object, as its managedFields say
// (https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management).
type ownership struct {
	// ours are the fields that we applied; nil when we never applied the object.
	ours *fieldpath.Set
	// version is the apiVersion in which we applied it.
	version string
	others  []holder
	// all is everybody's, which also tells how lists are keyed.
	all *fieldpath.Set
}

type holder struct {
	manager string
	fields  *fieldpath.Set
}

func ownershipOf(live *unstructured.Unstructured) (ownership, error) {
	o := ownership{all: fieldpath.NewSet()}
	for _, entry := range live.GetManagedFields() {
		if entry.FieldsV1 == nil {
			continue
		}
		set := fieldpath.NewSet()
		if err := set.FromJSON(bytes.NewReader(entry.FieldsV1.GetRawBytes())); err != nil {
			return o, fmt.Errorf("read who manages the fields of %s: %w", describe(live), err)
		}
		o.all = o.all.Union(set)
		if entry.Manager == FieldManager && entry.Operation == metav1.ManagedFieldsOperationApply && entry.Subresource == "" {
			o.ours, o.version = set, entry.APIVersion
			continue
		}
		o.others = append(o.others, holder{manager: entry.Manager, fields: set})
	}
	return o, nil
}

// makers are the field managers that wrote the object.
func (o ownership) makers() string {
	var names []string
	for _, other := range o.others {
		if !slices.Contains(names, other.manager) {
			names = append(names, other.manager)
		}
	}
	if len(names) == 0 {
		return "another party"
	}
	return strings.Join(names, ", ")
}

// removed finds fields that we applied once and want no more.
func (o ownership) removed(want, live *unstructured.Unstructured) (found []difference) {
	if o.ours == nil {
		return nil
	}
	if o.version != want.GetAPIVersion() {
		// The paths may be others in another version; applying once more brings them to this one.
		return []difference{{Field: engine.Field{Path: "apiVersion", From: o.version, To: want.GetAPIVersion()}}}
	}
	reported := map[string]bool{}
	o.ours.Leaves().Iterate(func(path fieldpath.Path) {
		gone := unwanted(want.Object, path)
		seen, there := find(live.Object, gone)
		if len(gone) == 0 || !there || reported[gone.String()] {
			return
		}
		reported[gone.String()] = true
		field := engine.Field{Path: display(gone, live.Object)}
		if field.Secret = want.GetKind() == "Secret" && strings.HasPrefix(field.Path, "data"); !field.Secret {
			field.From = text(shown(listOf(gone), seen))
		}
		found = append(found, difference{Field: field})
	})
	return found
}

// unwanted is a path that leads nowhere in the wanted object, cut off at the list element that is not wanted at all;
// nothing when the path leads somewhere.
func unwanted(want map[string]any, path fieldpath.Path) fieldpath.Path {
	for n, element := range path {
		if _, ok := find(want, path[:n+1]); !ok && element.Key != nil {
			return path[:n+1]
		}
	}
	if _, ok := find(want, path); ok {
		return nil
	}
	return path
}

// listOf is the name of the list or map that a path ends in.
func listOf(path fieldpath.Path) string {
	for _, element := range slices.Backward(path) {
		if element.FieldName != nil {
			return *element.FieldName
		}
	}
	return ""
}

// conflicts are the differing fields that other managers hold. The API server will refuse to change them unforced.
func (o ownership) conflicts(found []difference) (held []Conflict) {
	for _, d := range found {
		for _, other := range o.others {
			if d.owned != nil && other.fields.Has(d.owned) {
				held = append(held, Conflict{Field: d.Path, Manager: other.manager})
			}
		}
	}
	return held
}

// find walks an object along a field manager's path.
func find(root any, path fieldpath.Path) (any, bool) {
	at := root
	for _, element := range path {
		var ok bool
		if at, ok = step(at, element); !ok {
			return nil, false
		}
	}
	return at, true
}

func step(from any, element fieldpath.PathElement) (any, bool) {
	if element.FieldName != nil {
		next, ok := mapOf(from)[*element.FieldName]
		return next, ok
	}
	list, _ := from.([]any)
	if element.Index != nil {
		if *element.Index < len(list) {
			return list[*element.Index], true
		}
		return nil, false
	}
	i := slices.IndexFunc(list, func(item any) bool {
		if element.Value != nil {
			return value.Equals(value.NewValueInterface(item), *element.Value)
		}
		return element.Key != nil && matches(item, *element.Key)
	})
	if i < 0 {
		return nil, false
	}
	return list[i], true
}

// matches tells whether an element has the key.
func matches(item any, key value.FieldList) bool {
	m, ok := item.(map[string]any)
	for _, field := range key {
		if v := keyed(m, field.Name); v != nil && !value.Equals(value.NewValueInterface(v), field.Value) {
			return false
		}
	}
	return ok
}

// display writes a field manager's path as Differences does: elements by their names in the live object.
func display(path fieldpath.Path, live any) string {
	place := at{}
	for _, element := range path {
		live, _ = step(live, element)
		switch {
		case element.FieldName != nil:
			place = place.field(*element.FieldName)
		case mapOf(live)["name"] != nil:
			place.path += "[" + text(mapOf(live)["name"]) + "]"
		case element.Key != nil:
			place.path += "[" + keyText(*element.Key) + "]"
		case element.Value != nil:
			place.path += "[" + text((*element.Value).Unstructured()) + "]"
		case element.Index != nil:
			place.path += fmt.Sprintf("[%d]", *element.Index)
		}
	}
	return place.path
}

// keyText writes the values of a key: "53/UDP".
func keyText(key value.FieldList) string {
	var parts []string
	for _, f := range key {
		parts = append(parts, text(f.Value.Unstructured()))
	}
	return strings.Join(parts, "/")
}
