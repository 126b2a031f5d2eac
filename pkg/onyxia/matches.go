package onyxia

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// DifferenceError is the first thing in which an API's answer is not what the values want.
type DifferenceError struct {
	// Path is where in the answer, as in "regions[0].data.S3.URL".
	Path string
	// Want and Got are JSON, cut to a line's length; empty for nothing.
	Want, Got string
}

func (e *DifferenceError) Error() string {
	switch {
	case e.Got == "":
		return fmt.Sprintf("the API does not serve %s, wanted is %s", e.Path, e.Want)
	case e.Want == "":
		return fmt.Sprintf("the API serves %s, which is not wanted: %s", e.Path, e.Got)
	default:
		return fmt.Sprintf("the API serves %s = %s, wanted is %s", e.Path, e.Got, e.Want)
	}
}

// Matches compares an answer of /api/public/configuration with what is expected of the values, and returns the first
// difference as a *DifferenceError. This is how one sees that the new pod answers: the old one lives on for half a minute
// after Helm is done (chart 11.5.1). What we want must be there; what is there beside it must be a default of the API or
// a key that we do not know.
func Matches(chartVersion string, values map[string]any, answer []byte) error {
	known, err := keysOfGeneration(chartVersion)
	if err != nil {
		return err
	}
	want, err := known.configuration(values)
	if err != nil {
		return err
	}
	got, err := decode(answer)
	if err != nil {
		return err
	}
	c := comparison{known}
	if err := c.login(want["oidcConfiguration"], got["oidcConfiguration"]); err != nil {
		return err
	}
	regions, ok := want["regions"].([]any)
	if !ok {
		return nil
	}
	return c.lists("regions", variant{Type: "region"}, regions, got["regions"])
}

func decode(answer []byte) (map[string]any, error) {
	if len(bytes.TrimSpace(answer)) == 0 {
		return nil, errors.New("the API's answer is empty")
	}
	decoder := json.NewDecoder(bytes.NewReader(answer))
	decoder.UseNumber()
	var got map[string]any
	if err := decoder.Decode(&got); err != nil || got == nil {
		return nil, fmt.Errorf("the API's answer is not a JSON object but begins with %s", shorten(strconv.Quote(string(answer))))
	}
	return got, nil
}

// comparison walks what is wanted and what is served side by side.
type comparison struct{ keys }

// login is compared as a whole: it is there if and only if there is a login.
func (c comparison) login(want, got any) error {
	if want == nil {
		return c.unwanted("oidcConfiguration", variant{Type: "any"}, got)
	}
	return c.values("oidcConfiguration", variant{Type: "oidcConfiguration"}, want, got)
}

func (c comparison) values(path string, v variant, want, got any) error {
	if one, ok := oneOrList(v.Type); ok {
		v = variant{Type: one}
		if _, isList := want.([]any); isList {
			v.Type = "[" + one + "]"
		}
	}
	switch want := want.(type) {
	case map[string]any:
		return c.maps(path, v, want, got)
	case []any:
		element, ok := listOf(v.Type)
		if !ok {
			element = "any"
		}
		return c.lists(path, variant{Type: element}, want, got)
	default:
		if !sameScalar(want, got) {
			return difference(path, want, got)
		}
		return nil
	}
}

func (c comparison) lists(path string, element variant, want []any, got any) error {
	served, isList := got.([]any)
	if !isList && len(want) == 0 && got == nil {
		return nil
	}
	if !isList || len(served) != len(want) {
		return difference(path, want, got)
	}
	for i := range want {
		if err := c.values(at(path, i), element, want[i], served[i]); err != nil {
			return err
		}
	}
	return nil
}

func (c comparison) maps(path string, v variant, want map[string]any, got any) error {
	served, isMap := got.(map[string]any)
	if !isMap && (got != nil || len(want) > 0) {
		return difference(path, want, got)
	}
	names := maps.Clone(want)
	maps.Copy(names, served)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		below, known := c.below(v, name)
		var err error
		if _, wanted := want[name]; wanted {
			err = c.values(join(path, name), below, want[name], served[name])
		} else if known {
			err = c.unwanted(join(path, name), below, served[name])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// below is the type of what stands under a name. Under a name that nobody knows, anything may stand.
func (c comparison) below(v variant, name string) (variant, bool) {
	if c.passedOn(v) || v.Type == "any" {
		return variant{Type: "any"}, true
	}
	if element, ok := mapOf(v.Type); ok {
		return variant{Type: element}, true
	}
	below, ok := c.at(v.Type, name)
	return below, ok
}

// unwanted passes what the API fills in by itself.
func (c comparison) unwanted(path string, v variant, got any) error {
	if v.Default != nil && got != nil {
		if standard := plainDefault(v.Default); !sameScalar(standard, got) {
			return difference(path, standard, got)
		}
		return nil
	}
	if isEmpty(got) {
		return nil
	}
	if m, isMap := got.(map[string]any); isMap && c.isObject(v.Type) && !c.passedOn(v) {
		return c.maps(path, v, map[string]any{}, m)
	}
	return difference(path, nil, got)
}

// isEmpty tells what the API serves of a key that has neither value nor default.
func isEmpty(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	default:
		s, _ := scalarText(v)
		return s == "" || s == "false" || s == "0"
	}
}

// plainDefault: keys.yaml gives numbers as float64, answers have json.Number.
func plainDefault(v any) any {
	if f, ok := v.(float64); ok {
		return json.Number(strconv.FormatFloat(f, 'f', -1, 64))
	}
	return v
}

// sameScalar lets the API turn 2 into "2" and "true" into true.
func sameScalar(want, got any) bool {
	w, ok := scalarText(want)
	g, also := scalarText(got)
	if !ok || !also {
		return want == nil && got == nil
	}
	if w == g {
		return true
	}
	a, errA := strconv.ParseFloat(w, 64)
	b, errB := strconv.ParseFloat(g, 64)
	return errA == nil && errB == nil && a == b
}

func difference(path string, want, got any) error {
	return &DifferenceError{Path: path, Want: oneLine(want), Got: oneLine(got)}
}

func oneLine(v any) string {
	if v == nil {
		return ""
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("a value that is no JSON (%T)", v)
	}
	return shorten(string(text))
}

// shorten cuts at what fits a line beside a path.
func shorten(s string) string {
	const room = 120
	if r := []rune(s); len(r) > room {
		return string(r[:room]) + "..."
	}
	return s
}
