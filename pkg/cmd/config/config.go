// Package config shows, checks and documents onyxia.yaml.
package config

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/cli"
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
	format := cli.Format("yaml")
	cmd := &cobra.Command{
		Use:     "view",
		Short:   "Show the configuration in force: flags, file, the cluster's record, defaults",
		Example: "  " + o.Command + " config view",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runView(cmd.Context(), o, format)
		},
	}
	cli.AddOutputFlag(cmd, &format)
	return cmd
}

func runView(ctx context.Context, o *cli.Options, format cli.Format) error {
	inst, err := o.OpenToRead(ctx)
	if err != nil {
		return err
	}
	return cli.Structured(o.Out, format, inst.Platform.Config)
}

func validate(o *cli.Options) *cobra.Command {
	return &cobra.Command{
		Use:     "validate",
		Short:   "Check a configuration file, with the flags over it; no cluster is needed",
		Example: "  " + o.Command + " config validate -f onyxia.yaml\n  " + o.Command + " config validate --domain example.org -f - < onyxia.yaml",
		Args:    cli.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			name, err := o.CheckFile()
			if err != nil {
				return err
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
