package helm

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
)

// UnknownValues lists the values that a chart doesn't know and so ignores, by path. A value is known if the chart's
// values.yaml has its path, if the map above it is empty or null there and so open to anything, or if a template names it.
func (c *Client) UnknownValues(ctx context.Context, ch profile.Chart, values map[string]any) ([]string, error) {
	loaded, _, err := c.load(ctx, ch)
	if err != nil {
		return nil, err
	}
	plain, err := plainValues(values)
	if err != nil {
		return nil, err
	}
	unknown := unknownValues(loaded, plain)
	slices.Sort(unknown)
	return unknown, nil
}

// unknownValues does the same for a loaded chart. It takes the values apart.
func unknownValues(ch *chart.Chart, values map[string]any) []string {
	var unknown []string
	for _, d := range ch.Metadata.Dependencies {
		for _, path := range strings.Split(d.Condition, ",") {
			dropSwitch(values, strings.Split(strings.TrimSpace(path), "."))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		value := values[key]
		switch sub := dependency(ch, key); {
		case key == "global" || key == "tags" && len(ch.Metadata.Dependencies) > 0:
		case sub != nil:
			if m, ok := value.(map[string]any); ok {
				unknown = append(unknown, prefixed(key, unknownValues(sub, m))...)
			}
		default:
			defaults, known := ch.Values[key]
			look := unknownSearch{templates: ch.Templates}
			look.value(key, value, defaults, known)
			unknown = append(unknown, look.unknown...)
		}
	}
	return unknown
}

func prefixed(key string, paths []string) []string {
	out := make([]string, 0, len(paths))
	for _, path := range paths {
		out = append(out, key+"."+path)
	}
	return out
}

// dependency finds the subchart that a top-level key is for; a dependency with an alias goes by that.
func dependency(ch *chart.Chart, key string) *chart.Chart {
	name := key
	for _, d := range ch.Metadata.Dependencies {
		if d.Alias == key {
			name = d.Name
		}
	}
	for _, sub := range ch.Dependencies() {
		if sub.Name() == name {
			return sub
		}
	}
	return nil
}

// dropSwitch takes out a value that turns a subchart on or off, with the maps that hold nothing else; values.yaml needn't
// have its path.
func dropSwitch(values map[string]any, path []string) {
	if len(path) == 1 {
		delete(values, path[0])
		return
	}
	if below, ok := values[path[0]].(map[string]any); ok {
		dropSwitch(below, path[1:])
		if len(below) == 0 {
			delete(values, path[0])
		}
	}
}

type unknownSearch struct {
	templates []*chart.File
	unknown   []string
}

// value looks at one value and, where both sides are maps, below it.
func (s *unknownSearch) value(path string, value, defaults any, known bool) {
	if !known {
		if !s.named(path) {
			s.unknown = append(s.unknown, path)
		}
		return
	}
	set, isMap := value.(map[string]any)
	if !isMap || defaults == nil {
		return
	}
	below, isMap := defaults.(map[string]any)
	switch {
	case !isMap && len(set) > 0:
		// Helm keeps the chart's value when a map is given for something else.
		s.unknown = append(s.unknown, path)
	case len(below) > 0:
		for _, key := range slices.Sorted(maps.Keys(set)) {
			child, known := below[key]
			s.value(path+step(key), set[key], child, known)
		}
	}
}

// named tells whether a template reads a path by its full name.
func (s *unknownSearch) named(path string) bool {
	pattern := regexp.MustCompile(`\.Values\.` + regexp.QuoteMeta(path) + `\b`)
	return slices.ContainsFunc(s.templates, func(f *chart.File) bool { return pattern.Match(f.Data) })
}
