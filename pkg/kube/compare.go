package kube

import (
	"encoding/json"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
)

// Differences tells where an object in the cluster lacks what is wanted of it, sorted by path; what the API server or a
// controller added does not count. Maps are compared key by key, lists position by position and with equal length. It is
// meant for the objects of a release manifest, which Mend can put back. The values of a Secret are never in the result.
func Differences(want, live *unstructured.Unstructured) []engine.Field {
	c := comparison{kind: want.GetKind()}
	c.objects(normalized(want), live, nil)
	return c.fields()
}

// difference is a field with the path under which field managers own it.
type difference struct {
	engine.Field
	owned fieldpath.Path
}

// comparison walks a wanted object and its live one side by side.
type comparison struct {
	kind  string
	found []difference
}

// at is a place in both objects: the path for people, the path for field managers, and how the field managers see the
// place (nil when that is not to be looked at).
type at struct {
	path   string
	key    string
	parent string
	owned  fieldpath.Path
	layout *fieldpath.Set
	atomic bool
	secret bool
}

func (c *comparison) fields() []engine.Field {
	slices.SortFunc(c.found, func(a, b difference) int { return strings.Compare(a.Path, b.Path) })
	fields := make([]engine.Field, 0, len(c.found))
	for _, d := range c.found {
		fields = append(fields, d.Field)
	}
	return slices.Clip(fields)
}

// objects compares everything that somebody can want; status is the cluster's, and kind and name were asked for.
func (c *comparison) objects(want, live *unstructured.Unstructured, layout *fieldpath.Set) {
	root := at{layout: layout}
	for key, value := range want.Object {
		switch key {
		case "apiVersion", "kind", "status":
		case "rules":
			// The rules of an aggregated role are written by a controller.
			if want.Object["aggregationRule"] == nil {
				c.compare(root.field(key), value, live.Object[key])
			}
		case "metadata":
			place := root.field(key)
			for _, part := range []string{"labels", "annotations", "finalizers", "ownerReferences"} {
				c.compare(place.field(part), mapOf(value)[part], mapOf(live.Object[key])[part])
			}
		default:
			c.compare(root.field(key), value, live.Object[key])
		}
	}
}

func (c *comparison) compare(p at, want, live any) {
	p.secret = p.secret || c.kind == "Secret" && (p.path == "data" || p.key == lastApplied)
	if want == nil || unset(p.key, want, live) {
		return
	}
	switch w := want.(type) {
	case map[string]any:
		if l, ok := live.(map[string]any); ok {
			c.maps(p, w, l)
			return
		}
	case []any:
		if l, ok := live.([]any); ok && len(l) > 0 {
			c.lists(p, w, l)
			return
		}
	}
	if !c.saysTheSame(p, want, live) {
		c.differ(p, want, live)
	}
}

// saysTheSame compares what cannot be gone into: scalars, and values of which only one is there.
func (c *comparison) saysTheSame(p at, want, live any) bool {
	switch w := want.(type) {
	case map[string]any:
		return live == nil && len(w) > 0 && c.hollow(p, w)
	case []any:
		return false
	default:
		return sameScalar(p, want, live)
	}
}

// hollow tells whether a wanted map says no more than a map that is not there.
func (c *comparison) hollow(p at, want map[string]any) bool {
	probe := comparison{kind: c.kind}
	probe.maps(p, want, nil)
	return len(probe.found) == 0
}

func (c *comparison) maps(p at, want, live map[string]any) {
	for key, value := range want {
		place := p.field(key)
		place.secret = place.secret || key == "value" && secretVariable(p.key, want["name"])
		c.compare(place, value, live[key])
	}
}

// lists compares by key where field managers know one and the layout is looked at, else by position.
func (c *comparison) lists(p at, want, live []any) {
	if names := p.keyNames(); len(names) > 0 {
		c.byKey(p, names, want, live)
		return
	}
	if p.isSet() || grows(c.kind, p.path) {
		for _, w := range want {
			if !slices.ContainsFunc(live, func(l any) bool { return c.same(p, w, l) }) {
				c.differ(p.element(w, len(live)), w, nil)
			}
		}
		return
	}
	if len(want) != len(live) {
		c.differ(p, want, live)
		return
	}
	for i, w := range want {
		place := p.element(w, i)
		place.atomic, place.layout = true, nil
		c.compare(place, w, live[i])
	}
}

// byKey looks for each wanted element by its key. Elements of others are theirs.
func (c *comparison) byKey(p at, names []string, want, live []any) {
	used, last, inOrder := make([]bool, len(live)), -1, true
	for i, w := range want {
		place := p.element(w, i)
		j := unused(live, used, func(l any) bool { return hasKey(w, l, names) })
		if j < 0 {
			c.differ(place, w, nil)
			continue
		}
		used[j] = true
		last, inOrder = j, inOrder && j > last
		c.compare(place.keyedBy(p, names, live[j]), w, live[j])
	}
	if !inOrder && ordered(p.key) {
		c.found = append(c.found, difference{Field: engine.Field{Path: p.path, From: "another order", To: "the wanted order"}})
	}
}

func unused(live []any, used []bool, match func(any) bool) int {
	for j, l := range live {
		if !used[j] && match(l) {
			return j
		}
	}
	return -1
}

// same compares without keeping the differences.
func (c *comparison) same(p at, want, live any) bool {
	probe := comparison{kind: c.kind}
	probe.compare(p, want, live)
	return len(probe.found) == 0
}

func (c *comparison) differ(p at, want, live any) {
	field := engine.Field{Path: p.path, Secret: p.secret}
	if !field.Secret {
		field.From, field.To = text(shown(p.key, live)), text(shown(p.key, want))
	}
	c.found = append(c.found, difference{Field: field, owned: p.owned})
}

// text is a value in one piece: strings as they are, all else as JSON.
func text(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	b, err := json.Marshal(value)
	if err != nil {
		return "?"
	}
	return string(b)
}

// shown is a value as it may be shown: secrets in environment variables are left out.
func shown(key string, v any) any {
	switch x := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(x))
		for k, child := range x {
			m[k] = shown(k, child)
		}
		if _, has := m["value"]; has && secretVariable(key, m["name"]) {
			m["value"] = secret.Redacted
		}
		return m
	case []any:
		l := make([]any, 0, len(x))
		for _, child := range x {
			l = append(l, shown(key, child))
		}
		return l
	default:
		return v
	}
}

func mapOf(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}
