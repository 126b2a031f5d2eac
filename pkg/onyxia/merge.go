package onyxia

// Merge puts values on top of others by Helm's rules: maps merge, everything else replaces, lists too. A null takes away
// what stood below it, and stays in the result as a null, because with that Helm takes the chart's own default away as
// well. Neither argument is changed, and the result shares no map or list of any with them.
func Merge(base, over map[string]any) map[string]any {
	out := clone(base).(map[string]any)
	if out == nil {
		out = map[string]any{}
	}
	for key, value := range over {
		below, isMap := value.(map[string]any)
		if old, wasMap := out[key].(map[string]any); isMap && wasMap {
			out[key] = Merge(old, below)
			continue
		}
		out[key] = clone(value)
	}
	return out
}

func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if v == nil {
			return v
		}
		out := make(map[string]any, len(v))
		for key, value := range v {
			out[key] = clone(value)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, value := range v {
			out[i] = clone(value)
		}
		return out
	default:
		return v
	}
}

// withoutOurNulls takes the nulls out of the maps whose keys are all ours. The chart has no default there to take away,
// and would write the null as a value: an empty variable, or a boolean that the API reads as false whatever its default.
func withoutOurNulls(values map[string]any) map[string]any {
	for _, workload := range []string{"web", "api"} {
		if env, ok := part(values, workload)["env"].(map[string]any); ok {
			part(values, workload)["env"] = withoutNulls(env)
		}
	}
	if regions, ok := part(values, "api")["regions"].([]any); ok {
		part(values, "api")["regions"] = withoutNulls(regions)
	}
	return values
}

// withoutNulls is a copy without the keys that are null, all the way down. Nulls in lists stay.
func withoutNulls(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			if value != nil {
				out[key] = withoutNulls(value)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, value := range v {
			out[i] = withoutNulls(value)
		}
		return out
	default:
		return v
	}
}
