package platform

import (
	"embed"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"
)

// The schema's descriptions are the comments of the fields, so that there is one place to write them.
//
//go:embed config.go config_services.go
var sources embed.FS

// Schema is the JSON Schema (draft 2020-12) of onyxia.yaml, generated from the Go types.
func Schema() ([]byte, error) {
	comments, err := fieldComments()
	if err != nil {
		return nil, err
	}
	root := objectSchema(reflect.TypeFor[Config](), comments)
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "onyxia.yaml"
	return json.MarshalIndent(root, "", "  ")
}

func objectSchema(t reflect.Type, comments map[string]string) map[string]any {
	properties := map[string]any{}
	for key, field := range keys(t) {
		s := typeSchema(field.Type, comments)
		if text := comments[t.Name()+"."+field.Name]; text != "" {
			s["description"] = text
		}
		if enum := field.Tag.Get("enum"); enum != "" {
			s["enum"] = append(words(enum), nil)
		}
		properties[key] = s
	}
	return map[string]any{"type": orNull("object"), "properties": properties, "additionalProperties": false}
}

// orNull is a type, or null: a key that is set to nothing has its default.
func orNull(types ...string) []string { return append(types, "null") }

func words(list string) []any {
	var out []any
	for _, word := range strings.Split(list, ",") {
		out = append(out, word)
	}
	return out
}

func typeSchema(t reflect.Type, comments map[string]string) map[string]any {
	if t == reflect.TypeFor[Amount]() {
		return map[string]any{"type": orNull("string", "number")}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeSchema(t.Elem(), comments)
	case reflect.Struct:
		return objectSchema(t, comments)
	case reflect.Slice:
		return map[string]any{"type": orNull("array"), "items": typeSchema(t.Elem(), comments)}
	case reflect.Map:
		if t.Elem().Kind() == reflect.Interface {
			return map[string]any{"type": orNull("object")}
		}
		return map[string]any{"type": orNull("object"), "additionalProperties": typeSchema(t.Elem(), comments)}
	case reflect.Bool:
		return map[string]any{"type": orNull("boolean")}
	case reflect.Int:
		return map[string]any{"type": orNull("integer")}
	default:
		return map[string]any{"type": orNull("string")}
	}
}

// fieldComments reads this package's own source: "Type.Field" to its comment.
func fieldComments() (map[string]string, error) {
	out := map[string]string{}
	for _, name := range []string{"config.go", "config_services.go"} {
		src, err := sources.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("schema: %w", err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("schema: %w", err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				collect(spec, out)
			}
			return true
		})
	}
	return out, nil
}

func collect(spec *ast.TypeSpec, out map[string]string) {
	body, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, f := range body.Fields.List {
		for _, name := range f.Names {
			out[spec.Name.Name+"."+name.Name] = strings.TrimSpace(f.Doc.Text())
		}
	}
}
