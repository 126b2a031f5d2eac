package platform

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"

	documents "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// oneDocument refuses a file with a second YAML document, which would be read by nobody.
func oneDocument(data []byte) error {
	reader := documents.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for n := 0; ; {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("not YAML: %w", err)
		}
		var value any
		if err := yaml.Unmarshal(document, &value); err != nil || value != nil {
			n++
		}
		if n > 1 {
			return errors.New("several YAML documents stand in it, with --- between them: one configuration is one document")
		}
	}
}

// wrongTypes are the values that cannot be what their key takes. All of them are reported at once; null stands for a value
// that was left out.
func wrongTypes(value any, t reflect.Type, path string) error {
	if value == nil || t.Kind() == reflect.Interface {
		return nil
	}
	if t == reflect.TypeFor[Amount]() {
		switch value.(type) {
		case string, float64:
			return nil
		}
		return wrongType(value, "a quantity", path)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return wrongTypes(value, t.Elem(), path)
	case reflect.String:
		if _, ok := value.(string); !ok {
			return wrongType(value, "text", path)
		}
	case reflect.Bool:
		if _, ok := value.(bool); !ok {
			return wrongType(value, "true or false", path)
		}
	case reflect.Int:
		if n, ok := value.(float64); !ok || n != math.Trunc(n) {
			return wrongType(value, "a whole number", path)
		}
	case reflect.Slice:
		list, ok := value.([]any)
		if !ok {
			return wrongType(value, "a list", path)
		}
		var errs []error
		for n, item := range list {
			errs = append(errs, wrongTypes(item, t.Elem(), fmt.Sprintf("%s[%d]", path, n)))
		}
		return errors.Join(errs...)
	case reflect.Struct, reflect.Map:
		return wrongBelow(value, t, path)
	}
	return nil
}

func wrongBelow(value any, t reflect.Type, path string) error {
	tree, ok := value.(map[string]any)
	if !ok {
		return wrongType(value, "a map of keys", path)
	}
	var known map[string]reflect.StructField
	if t.Kind() == reflect.Struct {
		known = keys(t)
	}
	var errs []error
	for _, key := range sortedKeys(tree) {
		below := key
		if path != "" {
			below = path + "." + key
		}
		switch field, ok := known[key]; {
		case t.Kind() == reflect.Map:
			errs = append(errs, wrongTypes(tree[key], t.Elem(), below))
		case ok:
			errs = append(errs, wrongTypes(tree[key], field.Type, below))
		}
	}
	return errors.Join(errs...)
}

// wrongType says it in the words of the file. A number where text is expected lacks its quotes; the value of a text is not
// repeated, it may be a secret.
func wrongType(value any, expected, path string) error {
	stands, hint := "text", ""
	switch v := value.(type) {
	case bool:
		stands, hint = "true or false", quoteIt(v)
	case float64:
		stands, hint = "a number", quoteIt(v)
	case []any:
		stands = "a list"
	case map[string]any:
		stands = "a map of keys"
	}
	if expected != "text" {
		hint = ""
	}
	return fmt.Errorf("key %q: %s stands where %s is expected%s", path, stands, expected, hint)
}

func quoteIt(value any) string { return fmt.Sprintf(": quote it, \"%v\"", value) }

// splitKey finds the key with a dot in it that somebody wrote as two: {requests: {cpu: 4}} for {"requests.cpu": 4}.
func splitKey(key string, value any, known map[string]reflect.StructField) (string, any) {
	below, ok := value.(map[string]any)
	if !ok {
		return "", nil
	}
	for _, name := range sortedKeys(below) {
		if _, ok := known[key+"."+name]; ok {
			return key + "." + name, below[name]
		}
		if deeper, value := splitKey(key+"."+name, below[name], known); deeper != "" {
			return deeper, value
		}
	}
	return "", nil
}
