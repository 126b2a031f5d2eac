package onyxia

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Values are the chart's values for what stands, with the admin's own on top. They are made anew at each call, and two
// calls with the same input give the same.
//
// The admin's region goes on top of ours key by key; the admin's values go on top of all by Helm's rules (see Merge).
// What cannot be rendered is an error that names the key of onyxia.yaml to change.
func Values(in Input) (map[string]any, error) {
	schema, err := Generation(in.ChartVersion)
	if err != nil {
		return nil, err
	}
	if err := in.check(schema); err != nil {
		return nil, err
	}
	typed, region, err := in.render(schema)
	if err != nil {
		return nil, err
	}
	values, err := tree(typed)
	if err != nil {
		return nil, err
	}
	ours, err := tree(region)
	if err != nil {
		return nil, err
	}
	ours = Merge(ours, in.Platform.App.Region)
	part(values, "api")["regions"] = []any{ours}
	values = Merge(values, in.Platform.App.Values)
	return withoutOurNulls(values), nil
}

func (in Input) render(schema Schema) (values, region any, err error) {
	if schema == Schema4 {
		if values, err = newValues4(in); err != nil {
			return nil, nil, err
		}
		region, err = newRegion4(in)
		return values, region, err
	}
	if values, err = newValues11(in); err != nil {
		return nil, nil, err
	}
	region, err = newRegion11(in)
	return values, region, err
}

// tree turns typed values into the maps and lists that Helm takes, with whole numbers as int64.
func tree(typed any) (map[string]any, error) {
	text, err := json.Marshal(typed)
	if err != nil {
		return nil, fmt.Errorf("values of the onyxia chart: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var out map[string]any
	if err := decoder.Decode(&out); err != nil {
		return nil, fmt.Errorf("values of the onyxia chart: %w", err)
	}
	return integers(out).(map[string]any), nil
}

func integers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key := range v {
			v[key] = integers(v[key])
		}
	case []any:
		for i := range v {
			v[i] = integers(v[i])
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil {
			return f
		}
	}
	return v
}

// part is the map below a key, or an empty one that is not part of the values.
func part(values map[string]any, path ...string) map[string]any {
	for _, key := range path {
		next, ok := values[key].(map[string]any)
		if !ok {
			return map[string]any{}
		}
		values = next
	}
	return values
}
