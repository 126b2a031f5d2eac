package auth

import (
	"fmt"
	"maps"
	"slices"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// withTheirs puts the admin's own values on top of ours. The lists that the chart takes as one text are joined by the names of
// their entries: an entry of theirs is added, or takes the place of ours of the same name.
func withTheirs(ours, theirs map[string]any) (map[string]any, error) {
	theirs = maps.Clone(theirs)
	for _, key := range []string{"extraEnv", "extraInitContainers", "extraVolumes", "extraVolumeMounts"} {
		mine, had := ours[key].(string)
		given, gives := theirs[key].(string)
		if !had || !gives {
			continue
		}
		joined, err := joinLists(mine, given)
		if err != nil {
			return nil, fmt.Errorf("auth.values.%s: %w", key, err)
		}
		theirs[key] = joined
	}
	return stage.Overlay(ours, theirs), nil
}

func joinLists(ours, theirs string) (string, error) {
	var list, more []map[string]any
	if err := yaml.Unmarshal([]byte(theirs), &more); err != nil {
		return "", fmt.Errorf("not a list of entries with a name each, as YAML text (quote what is a template): %w", err)
	}
	if err := yaml.Unmarshal([]byte(ours), &list); err != nil {
		return "", err
	}
	list = slices.DeleteFunc(list, func(entry map[string]any) bool {
		return slices.ContainsFunc(more, func(other map[string]any) bool { return other["name"] == entry["name"] })
	})
	joined, err := yaml.Marshal(append(list, more...))
	return string(joined), err
}
