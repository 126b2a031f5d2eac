package helm

import (
	"cmp"
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
)

// UnknownValues lists the values that a chart ignores, by path. A value is known if the chart's values.yaml has its path,
// if the map above it is empty or null there and so open to anything, or if a template names it. What is left is rendered
// with it and without it: if that makes a difference, a template reads the map above as a whole.
func (c *Client) UnknownValues(ctx context.Context, ch profile.Chart, values map[string]any) ([]string, error) {
	loaded, _, err := c.load(ctx, ch)
	if err != nil {
		return nil, err
	}
	plain, err := plainValues(values)
	if err != nil {
		return nil, err
	}
	var unknown []string
	for _, path := range unknownValues(loaded, nil, plain) {
		read, err := c.makesDifference(ctx, ch, values, path)
		if err != nil {
			return nil, err
		}
		if !read {
			unknown = append(unknown, strings.Join(path, "."))
		}
	}
	slices.Sort(unknown)
	return unknown, nil
}

// makesDifference renders a chart with a value and without it. A chart that can't be rendered with these values shows none.
func (c *Client) makesDifference(ctx context.Context, ch profile.Chart, values map[string]any, path []string) (bool, error) {
	with, err := c.renderWithout(ctx, ch, values, nil)
	if err != nil {
		return false, err
	}
	again, err := c.renderWithout(ctx, ch, values, nil)
	if err != nil || with != again {
		// A chart that draws random names or passwords shows nothing either.
		return false, err
	}
	without, err := c.renderWithout(ctx, ch, values, path)
	return with != without, err
}

func (c *Client) renderWithout(ctx context.Context, ch profile.Chart, values map[string]any, path []string) (string, error) {
	loaded, _, err := c.load(ctx, ch)
	if err != nil {
		return "", err
	}
	copied, err := plainValues(values)
	if err != nil {
		return "", err
	}
	if path != nil {
		dropPath(copied, path)
	}
	install := action.NewInstall(&action.Configuration{Log: c.debug})
	install.ClientOnly, install.DryRun, install.SkipSchemaValidation = true, true, true
	install.ReleaseName, install.Namespace = "release", "default"
	if install.KubeVersion, err = chartutil.ParseKubeVersion(cmp.Or(c.KubeVersion, "1.35.0")); err != nil {
		return "", err
	}
	rendered, err := install.RunWithContext(ctx, loaded, copied)
	if err != nil {
		c.debug("chart %s %s: %v", ch.Name, ch.Version, err)
		return "", nil
	}
	return rendered.Manifest, nil
}

// unknownValues finds the paths that neither values.yaml nor a template names. It takes the values apart.
func unknownValues(ch *chart.Chart, above []string, values map[string]any) [][]string {
	for _, d := range ch.Metadata.Dependencies {
		for _, path := range strings.Split(d.Condition, ",") {
			dropPath(values, strings.Split(strings.TrimSpace(path), "."))
		}
	}
	var unknown [][]string
	for _, key := range slices.Sorted(maps.Keys(values)) {
		value := values[key]
		switch sub := dependency(ch, key); {
		case key == "global" || key == "tags" && len(ch.Metadata.Dependencies) > 0:
		case sub != nil:
			if m, ok := value.(map[string]any); ok {
				unknown = append(unknown, unknownValues(sub, below(above, key), m)...)
			}
		default:
			defaults, known := ch.Values[key]
			search := unknownSearch{templates: ch.Templates}
			search.value([]string{key}, value, defaults, known)
			for _, path := range search.unknown {
				unknown = append(unknown, below(above, path...))
			}
		}
	}
	return unknown
}

// below gives a path that goes on from another one, which stays as it is.
func below(path []string, keys ...string) []string {
	return slices.Concat(path, keys)
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

// dropPath takes out a value, with the maps that hold nothing else.
func dropPath(values map[string]any, path []string) {
	if len(path) == 1 {
		delete(values, path[0])
		return
	}
	if inner, ok := values[path[0]].(map[string]any); ok {
		dropPath(inner, path[1:])
		if len(inner) == 0 {
			delete(values, path[0])
		}
	}
}

type unknownSearch struct {
	templates []*chart.File
	unknown   [][]string
}

// value looks at one value and, where both sides are maps, at those inside.
func (s *unknownSearch) value(path []string, value, defaults any, known bool) {
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
	inner, isMap := defaults.(map[string]any)
	switch {
	case !isMap && len(set) > 0:
		// Helm keeps the chart's value when a map is given for something else.
		s.unknown = append(s.unknown, path)
	case len(inner) > 0:
		for _, key := range slices.Sorted(maps.Keys(set)) {
			child, known := inner[key]
			s.value(below(path, key), set[key], child, known)
		}
	}
}

// named tells whether a template reads a path by its full name.
func (s *unknownSearch) named(path []string) bool {
	pattern := regexp.MustCompile(`\.Values\.` + regexp.QuoteMeta(strings.Join(path, ".")) + `\b`)
	return slices.ContainsFunc(s.templates, func(f *chart.File) bool { return pattern.Match(f.Data) })
}
