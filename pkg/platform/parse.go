package platform

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/spelling"
)

// UnknownKeyError is a key in onyxia.yaml that means nothing, with the nearest one that does.
type UnknownKeyError struct {
	Path    string
	Nearest string
}

func (e *UnknownKeyError) Error() string {
	if e.Nearest == "" {
		return fmt.Sprintf("unknown key %q", e.Path)
	}
	return fmt.Sprintf("unknown key %q: did you mean %q?", e.Path, e.Nearest)
}

// Parse reads an onyxia.yaml strictly: unknown keys, keys that stand twice and values of the wrong type are errors. What could
// be read in spite of them is returned as well, so that all that is wrong with it can be said at once.
func Parse(data []byte) (Config, error) {
	var c Config
	if err := oneDocument(data); err != nil {
		return c, err
	}
	asJSON, err := yaml.YAMLToJSONStrict(data)
	if err != nil {
		return c, fmt.Errorf("not YAML: %w", err)
	}
	var tree any
	if err := json.Unmarshal(asJSON, &tree); err != nil {
		return c, fmt.Errorf("not YAML: %w", err)
	}
	if tree == nil {
		return c, nil
	}
	root, ok := tree.(map[string]any)
	if !ok {
		return c, errors.New("not a configuration: a map of keys is expected")
	}
	err = errors.Join(unknownKeys(root, reflect.TypeOf(c), ""), wrongTypes(root, reflect.TypeOf(c), ""))
	if e := json.Unmarshal(asJSON, &c); err == nil {
		err = e
	}
	return c, err
}

// unknownKeys compares a tree of keys with the fields of a type. All of them are reported at once.
func unknownKeys(tree map[string]any, t reflect.Type, path string) error {
	known := keys(t)
	var errs []error
	for _, key := range sortedKeys(tree) {
		field, ok := known[key]
		switch {
		case ok:
		case secret.Holds(key):
			errs = append(errs, &SecretKeyError{Path: path + key, Instead: instead(path, sortedKeys(known))})
			continue
		default:
			if split, value := splitKey(key, tree[key], known); split != "" {
				errs = append(errs, fmt.Errorf("unknown key %q: the dot belongs to the key, write %q: %v", path+key, split, value))
				continue
			}
			e := &UnknownKeyError{Path: path + key}
			if near := spelling.Nearest(key, sortedKeys(known)); len(near) > 0 {
				e.Nearest = path + near[0]
			}
			errs = append(errs, e)
			continue
		}
		errs = append(errs, unknownBelow(tree[key], field.Type, path+key))
	}
	return errors.Join(errs...)
}

func unknownBelow(value any, t reflect.Type, path string) error {
	below, ok := value.(map[string]any)
	if !ok {
		return nil
	}
	switch {
	case t.Kind() == reflect.Struct:
		return unknownKeys(below, t, path+".")
	case t.Kind() == reflect.Map && t.Elem().Kind() == reflect.Struct:
		var errs []error
		for _, name := range sortedKeys(below) {
			errs = append(errs, unknownBelow(below[name], t.Elem(), path+"."+name))
		}
		return errors.Join(errs...)
	}
	return nil
}

// keys lists the fields of a configuration struct by their key.
func keys(t reflect.Type) map[string]reflect.StructField {
	out := map[string]reflect.StructField{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		out[name] = f
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
