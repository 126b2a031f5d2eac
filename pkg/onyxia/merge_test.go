package onyxia

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func object(t *testing.T, text string) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// Helm's rules for values on top of values (helm.sh, "Values Files": maps merge, null deletes a default key).
func TestMerge(t *testing.T) {
	for name, c := range map[string]struct{ base, over, want string }{
		"nothing on top":            {`{"a":1}`, `{}`, `{"a":1}`},
		"nothing below":             {`{}`, `{"a":{"b":1}}`, `{"a":{"b":1}}`},
		"maps merge":                {`{"a":{"b":1,"c":2}}`, `{"a":{"b":3,"d":4}}`, `{"a":{"b":3,"c":2,"d":4}}`},
		"lists replace":             {`{"a":[1,2,3]}`, `{"a":[4]}`, `{"a":[4]}`},
		"an empty list replaces":    {`{"a":[1]}`, `{"a":[]}`, `{"a":[]}`},
		"an empty map changes none": {`{"a":{"b":1}}`, `{"a":{}}`, `{"a":{"b":1}}`},
		"a value replaces a map":    {`{"a":{"b":1}}`, `{"a":2}`, `{"a":2}`},
		"a map replaces a value":    {`{"a":2}`, `{"a":{"b":1}}`, `{"a":{"b":1}}`},
		"a null stays for Helm":     {`{"a":{"b":1,"c":2}}`, `{"a":{"b":null}}`, `{"a":{"b":null,"c":2}}`},
		"a null takes a map away":   {`{"a":{"b":1}}`, `{"a":null}`, `{"a":null}`},
		"a value over a null":       {`{"a":null}`, `{"a":{"b":1}}`, `{"a":{"b":1}}`},
		"false is a value":          {`{"a":true}`, `{"a":false}`, `{"a":false}`},
	} {
		t.Run(name, func(t *testing.T) {
			base, over := object(t, c.base), object(t, c.over)
			if d := cmp.Diff(object(t, c.want), Merge(base, over)); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff([]any{object(t, c.base), object(t, c.over)}, []any{base, over}); d != "" {
				t.Error("an argument was changed:\n" + d)
			}
		})
	}
	if got := Merge(nil, nil); got == nil || len(got) != 0 {
		t.Errorf("nothing and nothing is %v", got)
	}
}

// A null takes away what is all ours, and is kept where the chart may have a default of its own.
func TestNullsInTheAdminsValues(t *testing.T) {
	in := with(chart11, 3)(t)
	in.Platform.App.Region = object(t, `{"vault":null,"services":{"allowedURIPattern":null,"expose":{"route":null}}}`)
	in.Platform.App.Values = object(t, `{"api":{"env":{"oidc.groups-claim":null},"resources":{"requests":{"cpu":null}},"livenessProbe":null},"web":{"env":{"NOT_THERE":null}}}`)
	values := render(t, in)
	region := onlyRegion(t, values)
	for path, m := range map[string]map[string]any{
		"vault": region, "allowedURIPattern": part(region, "services"), "route": part(region, "services", "expose"),
		"oidc.groups-claim": part(values, "api", "env"), "NOT_THERE": part(values, "web", "env"),
	} {
		if v, set := m[path]; set {
			t.Errorf("%s is still there: %v", path, v)
		}
	}
	for path, m := range map[string]map[string]any{"cpu": part(values, "api", "resources", "requests"), "livenessProbe": part(values, "api")} {
		if v, set := m[path]; !set || v != nil {
			t.Errorf("%s is %v (there: %v), want a null for Helm", path, v, set)
		}
	}
}

// A list of the admin's replaces ours: whoever writes api.regions writes the whole region.
func TestTheAdminsOwnRegions(t *testing.T) {
	in := with(chart11, 3)(t)
	in.Platform.App.Values = object(t, `{"api":{"regions":[{"id":"theirs","services":{"singleNamespace":null,"expose":{"domain":"x"}}}]}}`)
	want := object(t, `{"id":"theirs","services":{"expose":{"domain":"x"}}}`)
	if d := cmp.Diff(want, onlyRegion(t, render(t, in))); d != "" {
		t.Error(d)
	}
}

func FuzzMerge(f *testing.F) {
	for _, seed := range [][2]string{
		{`{"a":{"b":1}}`, `{"a":{"b":null}}`}, {`{}`, `{"a":[{"b":null}]}`}, {`{"a":[1]}`, `{"a":{"0":2}}`}, {`{"a":null}`, `{"a":{"b":{"c":null}}}`},
		{`{"api":{"env":null,"regions":[null]}}`, `{"api":{"regions":[{"services":{"expose":null}}]}}`},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, base, over string) {
		var a, b map[string]any
		if json.Unmarshal([]byte(base), &a) != nil || json.Unmarshal([]byte(over), &b) != nil {
			return
		}
		before := [2]any{clone(a), clone(b)}
		once := Merge(a, b)
		if d := cmp.Diff(once, Merge(once, b)); d != "" {
			t.Errorf("the same on top again changes something:\n%s", d)
		}
		for key, value := range b {
			if _, isMap := value.(map[string]any); !isMap && !cmp.Equal(once[key], value) {
				t.Errorf("%q is %v, on top is %v", key, once[key], value)
			}
		}
		if d := cmp.Diff(before, [2]any{any(a), any(b)}); d != "" {
			t.Errorf("an argument was changed:\n%s", d)
		}
		withoutOurNulls(once)
	})
}
