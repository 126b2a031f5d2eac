package stages

import (
	"github.com/spf13/cobra"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/cli"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/app"
)

// values prints what the chart of Onyxia is given.
func values(o *cli.Options) *cobra.Command {
	format := "yaml"
	cmd := &cobra.Command{
		Use:   "values",
		Short: "Print the Helm values for the stages that are there",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cli.CheckFormat(format, "json", "yaml"); err != nil {
				return err
			}
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
	cmd.Flags().StringVarP(&format, "output", "o", format, "Output format: json or yaml")
	return cmd
}
