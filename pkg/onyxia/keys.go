package onyxia

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"
	"sigs.k8s.io/yaml"
)

//go:embed keys.yaml
var keysText []byte

// keys are the known keys of one chart version, out of keys.yaml.
type keys struct {
	version *semver.Version
	types   map[string]map[string]key
}

// key is one key in all its versions.
type key []variant

// variant is a key as some chart versions have it; keys.yaml explains the fields.
type variant struct {
	Type     string            `json:"type"`
	Since    *semver.Version   `json:"since,omitempty"`
	Until    *semver.Version   `json:"until,omitempty"`
	Instead  string            `json:"instead,omitempty"`
	Why      string            `json:"why,omitempty"`
	Fatal    bool              `json:"fatal,omitempty"`
	Default  any               `json:"default,omitempty"`
	Enum     []string          `json:"enum,omitempty"`
	Aliases  map[string]string `json:"aliases,omitempty"`
	Verbatim *semver.Version   `json:"verbatim,omitempty"`
}

// keysOf reads the known keys, to be asked about one chart version.
func keysOf(chartVersion string) (keys, error) {
	version, err := parseVersion(chartVersion)
	if err != nil {
		return keys{}, err
	}
	var file struct {
		Types map[string]map[string]key `json:"types"`
	}
	if err := yaml.UnmarshalStrict(keysText, &file); err != nil {
		return keys{}, fmt.Errorf("the known keys of the onyxia chart: %w", err)
	}
	return keys{version: version, types: file.Types}, nil
}

// UnmarshalJSON takes the three forms that keys.yaml has: a type, one variant, a list of them.
func (k *key) UnmarshalJSON(text []byte) error {
	var single variant
	var into any = &single
	switch text[0] {
	case '"':
		into = &single.Type
	case '[':
		into = (*[]variant)(k)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if text[0] != '[' {
		*k = key{single}
	}
	return nil
}

// at is the key as this chart version has it.
func (k keys) at(typ, name string) (variant, bool) {
	for _, v := range k.types[typ][name] {
		if (v.Since == nil || !k.version.LessThan(v.Since)) && (v.Until == nil || k.version.LessThan(v.Until)) {
			return v, true
		}
	}
	return variant{}, false
}

// atLeast compares the chart version.
func (k keys) atLeast(major, minor, patch uint64) bool {
	return !k.version.LessThan(semver.New(major, minor, patch, "", ""))
}

// passedOn tells that the API neither reads nor changes what is below.
func (k keys) passedOn(v variant) bool { return v.Verbatim != nil && !k.version.LessThan(v.Verbatim) }

// isObject tells a type with keys of its own.
func (k keys) isObject(typ string) bool { return k.types[typ] != nil }

// listOf, mapOf and oneOrList take the notation of types apart. The answer is the type inside.
func listOf(typ string) (string, bool) { return inside(typ, "[", "]") }

func mapOf(typ string) (string, bool) { return inside(typ, "{", "}") }

func oneOrList(typ string) (string, bool) {
	one, _, ok := strings.Cut(typ, "|")
	return one, ok
}

func inside(typ, before, after string) (string, bool) {
	if !strings.HasPrefix(typ, before) || !strings.HasSuffix(typ, after) {
		return "", false
	}
	return typ[1 : len(typ)-1], true
}
