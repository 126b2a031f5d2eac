package helm

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

func TestValueFields(t *testing.T) {
	type m = map[string]any
	type l = []any
	tests := []struct {
		name     string
		from, to m
		want     []engine.Field
	}{
		{name: "equal", from: m{"a": m{"b": 1.0}}, to: m{"a": m{"b": 1.0}}},
		{name: "nothing and nothing", from: nil, to: m{}},
		{name: "leaf", from: m{"a": m{"b": 1.0}}, to: m{"a": m{"b": 2.0}}, want: []engine.Field{{Path: "values.a.b", From: "1", To: "2"}}},
		{name: "added branch, leaf by leaf", from: m{}, to: m{"a": m{"b": true, "c": "x"}}, want: []engine.Field{{Path: "values.a.b", To: "true"}, {Path: "values.a.c", To: "x"}}},
		{name: "removed branch", from: m{"a": m{"b": true}}, to: m{}, want: []engine.Field{{Path: "values.a.b", From: "true"}}},
		{name: "null takes a default away, so it is not nothing", from: m{}, to: m{"a": nil}, want: []engine.Field{{Path: "values.a", To: "null"}}},
		{name: "empty map added", from: m{}, to: m{"a": m{}}, want: []engine.Field{{Path: "values.a", To: "{}"}}},
		{name: "empty map and empty list", from: m{"a": m{}}, to: m{"a": l{}}, want: []engine.Field{{Path: "values.a", From: "{}", To: "[]"}}},
		{name: "empty text", from: m{"a": "x"}, to: m{"a": ""}, want: []engine.Field{{Path: "values.a", From: "x", To: `""`}}},
		{name: "list", from: m{"a": l{"x", m{"b": 1.0}}}, to: m{"a": l{"x", m{"b": 2.0}, "y"}},
			want: []engine.Field{{Path: "values.a[1].b", From: "1", To: "2"}, {Path: "values.a[2]", To: "y"}}},
		{name: "key with dots", from: m{}, to: m{"annotations": m{"cert-manager.io/issuer": "x"}}, want: []engine.Field{{Path: "values.annotations[cert-manager.io/issuer]", To: "x"}}},
		{name: "map becomes text, and what it held is not shown", from: m{"a": m{"password": "hunter2"}}, to: m{"a": "x"}, want: []engine.Field{{Path: "values.a", From: "(a map of 1)", To: "x"}}},
		{name: "JSON in text (Onyxia's regions)", from: m{"regions": `[{"id":"a","n":1}]`}, to: m{"regions": `[ {"id":"a","n":2} ]`},
			want: []engine.Field{{Path: "values.regions[0].n", From: "1", To: "2"}}},
		{name: "JSON in text, only spaces differ", from: m{"r": `[1]`}, to: m{"r": `[ 1 ]`}, want: []engine.Field{{Path: "values.r", From: "[1]", To: "[ 1 ]"}}},
		{name: "password", from: m{"rootPassword": "a"}, to: m{"rootPassword": "b"}, want: []engine.Field{{Path: "values.rootPassword", Secret: true}}},
		{name: "below a secret", from: m{}, to: m{"secrets": m{"x": "b"}}, want: []engine.Field{{Path: "values.secrets.x", Secret: true}}},
		{name: "spellings of keys", from: m{}, to: m{"api_key": "1", "privateKey": "2", "access-key": "3", "clientSecret": "4"},
			want: []engine.Field{{Path: "values.access-key", Secret: true}, {Path: "values.api_key", Secret: true}, {Path: "values.clientSecret", Secret: true}, {Path: "values.privateKey", Secret: true}}},
		{name: "environment variable", from: m{"env": l{m{"name": "DB_PASSWORD", "value": "a"}}}, to: m{"env": l{m{"name": "DB_PASSWORD", "value": "b"}}},
			want: []engine.Field{{Path: "values.env[0].value", Secret: true}}},
		{name: "secret inside JSON in text", from: m{"r": `{"token":"a"}`}, to: m{"r": `{"token":"b"}`}, want: []engine.Field{{Path: "values.r.token", Secret: true}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, valueFields(tt.from, tt.to)); diff != "" {
				t.Errorf("valueFields (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPlainValuesCopies(t *testing.T) {
	given := map[string]any{"n": 1, "list": []string{"a"}, "map": map[string]int{"x": 2}, "null": nil}
	plain, err := plainValues(given)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"n": 1.0, "list": []any{"a"}, "map": map[string]any{"x": 2.0}, "null": nil}
	if diff := cmp.Diff(want, plain); diff != "" {
		t.Errorf("plainValues (-want +got):\n%s", diff)
	}
	plain["map"].(map[string]any)["x"] = 3.0
	if given["map"].(map[string]int)["x"] != 2 {
		t.Error("the copy shares memory with the original")
	}
	if _, err := plainValues(map[string]any{"f": func() {}}); err == nil {
		t.Error("a function is no value, but there was no error")
	}
}
