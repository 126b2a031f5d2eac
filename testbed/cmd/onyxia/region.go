package main

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// models holds, for each version of the API, its region model (Region.java) as JSON: every key it knows, with the value
// it takes when left out, null for none. "key?" is an object that is left out as a whole unless given; {} is a map with
// keys of the admin's own.
//
//go:embed model/*.json
var models embed.FS

// errRemovedKey: the real API since v3.0.0 logs FATAL for it and exits with code 0 (V3Checks.java).
var errRemovedKey = errors.New("setting defaultConfiguration in region is no longer supported")

// parseRegions reads the regions variable, a JSON list, and gives each region the form in which the API of that version
// serves it: unknown keys dropped in silence, defaults filled in, services.server (credentials) never shown.
func parseRegions(version, text string) ([]any, error) {
	model, err := readModel(version)
	if err != nil {
		return nil, err
	}
	var given []map[string]any
	if err := decode(text, &given); err != nil {
		return nil, fmt.Errorf("regions: %w", err)
	}
	regions := make([]any, 0, len(given))
	for _, region := range given {
		if version == "v4.12.0" {
			if err := modernise(region); err != nil {
				return nil, err
			}
		}
		regions = append(regions, shape(model, region))
	}
	return regions, nil
}

func readModel(version string) (map[string]any, error) {
	text, err := models.ReadFile("model/" + version + ".json")
	if err != nil {
		return nil, fmt.Errorf("no region model of API version %q is known here", version)
	}
	var model map[string]any
	return model, decode(string(text), &model)
}

// modernise does what Region.java at v4.12.0 does beyond dropping keys: one value has an alias, one key is fatal.
func modernise(region map[string]any) error {
	services, ok := region["services"].(map[string]any)
	if !ok {
		return nil
	}
	if services["authenticationMode"] == "admin" {
		services["authenticationMode"] = "serviceAccount"
	}
	if services["defaultConfiguration"] != nil {
		return errRemovedKey
	}
	return nil
}

// shape lays the given values over the model.
func shape(model, given map[string]any) map[string]any {
	out := map[string]any{}
	for key, known := range model {
		name, optional := strings.CutSuffix(key, "?")
		value := given[name]
		if value == nil && optional {
			continue
		}
		inner, isObject := known.(map[string]any)
		switch {
		case isObject && len(inner) > 0:
			values, _ := value.(map[string]any)
			out[name] = shape(inner, values)
		case value != nil:
			out[name] = withoutNulls(value)
		case known != nil:
			out[name] = known
		}
	}
	return out
}

// withoutNulls drops keys without a value, at any depth, as the real API does when it writes JSON.
func withoutNulls(value any) any {
	object, ok := value.(map[string]any)
	if !ok {
		return value
	}
	out := map[string]any{}
	for key, inner := range object {
		if inner != nil {
			out[key] = withoutNulls(inner)
		}
	}
	return out
}

// decode keeps numbers as they are written.
func decode(text string, v any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	return d.Decode(v)
}
