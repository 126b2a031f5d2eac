package stage

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Helm's own rule for values on top of values: maps merge, everything else replaces.
func TestOverlay(t *testing.T) {
	type m = map[string]any
	for name, c := range map[string]struct {
		layers []map[string]any
		want   map[string]any
	}{
		"nothing":                {want: m{}},
		"one":                    {layers: []map[string]any{{"a": 1}}, want: m{"a": 1}},
		"nothing on top":         {layers: []map[string]any{{"a": 1}, nil}, want: m{"a": 1}},
		"maps merge":             {layers: []map[string]any{{"a": m{"x": 1, "y": 2}}, {"a": m{"y": 3, "z": 4}}}, want: m{"a": m{"x": 1, "y": 3, "z": 4}}},
		"lists replace":          {layers: []map[string]any{{"a": []any{1, 2}}, {"a": []any{3}}}, want: m{"a": []any{3}}},
		"a value over a map":     {layers: []map[string]any{{"a": m{"x": 1}}, {"a": "no"}}, want: m{"a": "no"}},
		"a map over a value":     {layers: []map[string]any{{"a": "no"}, {"a": m{"x": 1}}}, want: m{"a": m{"x": 1}}},
		"null stays, for Helm":   {layers: []map[string]any{{"a": 1, "b": 2}, {"a": nil}}, want: m{"a": nil, "b": 2}},
		"the last of three wins": {layers: []map[string]any{{"a": 1}, {"a": 2}, {"a": 3}}, want: m{"a": 3}},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(c.want, Overlay(c.layers...)); d != "" {
				t.Error(d)
			}
		})
	}
}

// What is put on top must not reach into what lies below: the layers are used again.
func TestOverlayLeavesItsLayersAlone(t *testing.T) {
	below := map[string]any{"a": map[string]any{"x": 1}}
	above := map[string]any{"a": map[string]any{"y": 2}}
	out := Overlay(below, above)
	inner, ok := out["a"].(map[string]any)
	if !ok {
		t.Fatalf("%v", out)
	}
	inner["x"] = 99
	if d := cmp.Diff(map[string]any{"a": map[string]any{"x": 1}}, below); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]any{"a": map[string]any{"y": 2}}, above); d != "" {
		t.Error(d)
	}
}
