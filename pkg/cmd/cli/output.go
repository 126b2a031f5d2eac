package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"
)

// Format is how a command prints its result: empty for people, else json or yaml. It is a flag that takes nothing else.
type Format string

// formats for machines.
func formats() []string { return []string{"json", "yaml"} }

// Set takes what was given with --output.
func (f *Format) Set(text string) error {
	if text != "" && !slices.Contains(formats(), text) {
		return fmt.Errorf("output format %q: one of %s is expected", text, strings.Join(formats(), ", "))
	}
	*f = Format(text)
	return nil
}

// String is the format's name.
func (f *Format) String() string { return string(*f) }

// Type names the value in help texts.
func (f *Format) Type() string { return "string" }

// AddOutputFlag registers --output. What the format already holds is the default.
func AddOutputFlag(cmd *cobra.Command, f *Format) {
	cmd.Flags().VarP(f, "output", "o", "Output format: json or yaml")
	complete(cmd, "output", func() []string { return formats() })
}

// Structured writes a value as JSON or YAML.
func Structured(out io.Writer, format Format, value any) error {
	raw, err := json.MarshalIndent(value, "", "  ")
	if err == nil && format == "yaml" {
		raw, err = yaml.JSONToYAML(raw)
	}
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	_, err = fmt.Fprintln(out, strings.TrimRight(string(raw), "\n"))
	return err
}
