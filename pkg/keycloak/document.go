package keycloak

import (
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// document is a JSON object of the admin API, or the part of one that is wanted. Wanted documents hold plain values,
// further documents, and leaves.
type document map[string]any

// child gives a document inside a document; an empty one if it is not there.
func child(v any) document {
	switch d := v.(type) {
	case document:
		return d
	case map[string]any:
		return d
	}
	return document{}
}

func (d document) text(key string) string { return text(d[key]) }

func (d document) list(key string) []document {
	list, _ := d[key].([]any)
	out := make([]document, 0, len(list))
	for _, each := range list {
		out = append(out, child(each))
	}
	return out
}

// differences lists how what was seen differs from what is wanted, sorted by path. Fields that are not wanted do not count.
func (d document) differences(prefix string, seen document) []engine.Field {
	var fields []engine.Field
	for key, want := range d {
		path := prefix + key
		switch w := want.(type) {
		case document:
			fields = append(fields, w.differences(path+".", child(seen[key]))...)
		case leaf:
			if !w.same(seen[key]) {
				fields = append(fields, w.field(path, seen[key]))
			}
		default:
			if text(w) != text(seen[key]) {
				fields = append(fields, engine.Field{Path: path, From: text(seen[key]), To: text(w)})
			}
		}
	}
	slices.SortFunc(fields, func(a, b engine.Field) int { return strings.Compare(a.Path, b.Path) })
	return fields
}

// over lays the wanted document over what was seen and gives the whole.
func (d document) over(seen document) document {
	out := maps.Clone(seen)
	if out == nil {
		out = document{}
	}
	for key, want := range d {
		switch w := want.(type) {
		case document:
			out[key] = w.over(child(seen[key]))
		case leaf:
			if out[key] = w.value(seen[key]); out[key] == nil {
				delete(out, key)
			}
		default:
			out[key] = w
		}
	}
	return out
}

// changed is the part of over that differs from what was seen: its top-level fields, each one whole.
func (d document) changed(seen document) document {
	out := document{}
	for key, value := range d.over(seen) {
		if want, ours := d[key]; ours && len(document{key: want}.differences("", seen)) > 0 {
			out[key] = value
		}
	}
	return out
}

// without gives a copy that lacks some fields.
func (d document) without(keys ...string) document {
	out := maps.Clone(d)
	for _, key := range keys {
		delete(out, key)
	}
	return out
}
