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
	Output cli.Format
	// All prints every line.
	All bool
}

// NewCommand makes the command.
func NewCommand(o *cli.Options) *cobra.Command {
	d := &Options{Options: o}
	cmd := &cobra.Command{
		Use:       "diff [STAGE...]",
		Short:     "Show what would change, and why",
		Long:      "Show what would change in the datalab, or in the stages named, and why. Nothing is written.\n\nWhat is inside a server that does not run yet is summed up; --all and -o show every line.\n\nExit code 0: nothing; 2: something; 1: an error.",
		ValidArgs: cli.StageNames(o.Stages),
		Example:   "  " + o.Command + " diff\n  " + o.Command + " diff auth --all",
		Args:      cli.OnlyStages(o.Stages),
		RunE: func(cmd *cobra.Command, args []string) error {
			d.Names = cli.Chosen(o.Stages, args)
			return d.Run(cmd.Context())
		},
	}
	d.AddDiffFlags(cmd)
	o.AddTLSFlags(cmd)
	return cmd
}

// AddDiffFlags registers the flags.
func (d *Options) AddDiffFlags(cmd *cobra.Command) {
	cli.AddOutputFlag(cmd, &d.Output)
	cmd.Flags().BoolVar(&d.All, "all", false, "Print every line, also of what is known later only")
}

// Run observes, plans and prints.
func (d *Options) Run(ctx context.Context) error {
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
	return cli.ShowPlan(d.Options, plan, d.Output, d.All)
}
