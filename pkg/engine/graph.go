package engine

import (
	"fmt"
	"slices"
	"strings"
)

// graph is the steps of one run in dependency order: those selected, and those that they need and that are only read.
type graph struct {
	order    []ID
	steps    map[ID]Step
	selected map[ID]bool
}

// newGraph orders the steps. A step that is needed but was not handed over, a name used twice and a circle are errors
// of the program, not of the admin.
func newGraph(all []Step, selected func(Step) bool) (*graph, error) {
	known := make(map[ID]Step, len(all))
	for _, s := range all {
		if _, twice := known[s.ID]; twice {
			return nil, fmt.Errorf("step %s is there twice", s.ID)
		}
		known[s.ID] = s
	}
	g := &graph{steps: map[ID]Step{}, selected: map[ID]bool{}}
	for _, s := range all {
		if !selected(s) {
			continue
		}
		g.selected[s.ID] = true
		if err := g.add(s.ID, known, nil); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// add appends a step after everything that it needs.
func (g *graph) add(id ID, known map[ID]Step, path []ID) error {
	if _, done := g.steps[id]; done {
		return nil
	}
	if slices.Contains(path, id) {
		return fmt.Errorf("steps need each other in a circle: %s", join(append(path, id), " -> "))
	}
	step, ok := known[id]
	if !ok {
		return fmt.Errorf("step %s needs %s, which does not exist", path[len(path)-1], id)
	}
	for _, need := range step.Needs {
		if err := g.add(need, known, append(path, id)); err != nil {
			return err
		}
	}
	g.steps[id] = step
	g.order = append(g.order, id)
	return nil
}

func join(ids []ID, sep string) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = string(id)
	}
	return strings.Join(words, sep)
}
