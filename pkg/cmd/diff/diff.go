// Package diff is the command that shows what would change.
package diff

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/cli"
)

// Options of the command.
type Options struct {
	*cli.Options
	Names  []string
	Output string
}

// NewCommand makes the command.
func NewCommand(o *cli.Options) *cobra.Command {
	d := &Options{Options: o}
	cmd := &cobra.Command{
		Use:       "diff [STAGE...]",
		Short:     "Show what would change, and why",
		Long:      "Show what would change in the datalab, or in the stages named, and why. Nothing is written.\n\nExit code 0: nothing; 2: something; 1: an error.",
		ValidArgs: cli.StageNames(o.Stages),
		Args:      cli.OnlyStages(o.Stages),
		RunE: func(cmd *cobra.Command, args []string) error {
			d.Names = cli.Chosen(o.Stages, args)
			return d.Run(cmd.Context())
		},
	}
	cmd.Flags().StringVarP(&d.Output, "output", "o", "", "Output format: json or yaml")
	o.AddTLSFlags(cmd)
	return cmd
}

// Run observes, plans and prints.
func (d *Options) Run(ctx context.Context) error {
	if err := cli.CheckFormat(d.Output, "json", "yaml"); err != nil {
		return err
	}
	d.About(false, d.Names...)
	inst, err := d.Open(ctx)
	if err != nil {
		return err
	}
	run, err := inst.Run(ctx, nil, d.Names...)
	if err != nil {
		return err
	}
	plan, err := run.Plan(ctx)
	if err != nil {
		return err
	}
	return cli.ShowPlan(d.Options, plan, d.Output)
}
