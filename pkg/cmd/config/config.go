// Package config shows, checks and documents onyxia.yaml.
package config

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/cli"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/installation"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// NewCommand makes the command and its subcommands.
func NewCommand(o *cli.Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show, check and document onyxia.yaml",
		Args:  cli.NoSuchCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(view(o), validate(o), schema(o))
	return cmd
}

func view(o *cli.Options) *cobra.Command {
	format := "yaml"
	cmd := &cobra.Command{
		Use:   "view",
		Short: "Show the configuration in force: flags, file, the cluster's record, defaults",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runView(cmd.Context(), o, format)
		},
	}
	cmd.Flags().StringVarP(&format, "output", "o", format, "Output format: json or yaml")
	return cmd
}

func runView(ctx context.Context, o *cli.Options, format string) error {
	if err := cli.CheckFormat(format, "json", "yaml"); err != nil {
		return err
	}
	inst, err := o.OpenToRead(ctx)
	if err != nil {
		return err
	}
	return cli.Structured(o.Out, format, inst.Platform.Config)
}

func validate(o *cli.Options) *cobra.Command {
	return &cobra.Command{
		Use:   "validate",
		Short: "Check a configuration file; no cluster is needed",
		Args:  cli.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			name := o.File
			if name == "" {
				name = "onyxia.yaml"
			}
			raw, err := os.ReadFile(name)
			if err != nil {
				return fmt.Errorf("configuration: %w", err)
			}
			config, err := platform.Parse(raw)
			if err != nil {
				return installation.InFile(name, err)
			}
			if _, err := platform.Complete(config); err != nil {
				return installation.InFile(name, err)
			}
			_, err = fmt.Fprintf(o.Out, "%s is valid\n", name)
			return err
		},
	}
}

func schema(o *cli.Options) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of onyxia.yaml, for editors",
		Args:  cli.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			raw, err := platform.Schema()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(o.Out, string(raw))
			return err
		},
	}
}
