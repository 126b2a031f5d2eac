package stages

import (
	"github.com/spf13/cobra"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/cli"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/app"
)

// values prints what the chart of Onyxia is given.
func values(o *cli.Options) *cobra.Command {
	format := cli.Format("yaml")
	cmd := &cobra.Command{
		Use:     "values",
		Short:   "Print the Helm values for the stages that are there",
		Example: "  " + o.Command + " app values > values.yaml",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			inst, err := o.OpenToRead(cmd.Context())
			if err != nil {
				return err
			}
			v, err := app.Values(inst.Env("app"))
			if err != nil {
				return err
			}
			return cli.Structured(o.Out, format, v)
		},
	}
	cli.AddOutputFlag(cmd, &format)
	return cmd
}
