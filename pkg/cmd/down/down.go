// Package down is the command that takes the datalab away.
package down

import (
	"github.com/spf13/cobra"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/cli"
)

// NewCommand makes the command.
func NewCommand(o *cli.Options) *cobra.Command {
	r := &cli.Remove{Options: o}
	cmd := &cobra.Command{
		Use:   "down [STAGE...]",
		Short: "Remove the datalab, or the stages named; data is kept unless named",
		Long: `Remove the datalab, or the stages named. It is asked first; where nobody can be asked, give --yes. What holds data is
kept, and said; --delete-data names what is to go nevertheless. What is inside a Vault that others run goes by the token in
the environment variable VAULT_TOKEN, or the one that vault.credentialsSecret names.`,
		Example:    "  " + o.Command + " down --dry-run\n  " + o.Command + " down s3 --yes",
		SuggestFor: []string{"delete", "remove", "uninstall", "destroy", "stop"},
		ValidArgs:  cli.StageNames(o.Stages),
		Args:       cli.OnlyStages(o.Stages),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Names = cli.Chosen(o.Stages, args)
			return r.Run(cmd.Context())
		},
	}
	r.AddRemoveFlags(cmd)
	return cli.Destroying(cmd)
}
