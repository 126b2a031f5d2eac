// Package up is the command that puts up the whole datalab.
package up

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/cli"
)

// NewCommand makes the command.
func NewCommand(o *cli.Options) *cobra.Command {
	a := &cli.Apply{Options: o, WantsKeys: true}
	cmd := &cobra.Command{
		Use:   "up [STAGE...]",
		Short: "Install or update the datalab, or the stages named",
		Long: `Install or update the datalab, or the stages named, in the order that they need each other.

Run again, it changes nothing but what differs. Interrupted, it continues.`,
		Example: "  " + o.Command + " up --domain example.org --dns-provider ovh --keys-file vault-keys.yaml\n" +
			"  " + o.Command + " up ingress tls --dry-run",
		SuggestFor: []string{"apply", "install", "upgrade", "create", "deploy", "start"},
		ValidArgs:  cli.StageNames(o.Stages),
		Args:       cli.OnlyStages(o.Stages),
		RunE: func(cmd *cobra.Command, args []string) error {
			a.Names = cli.Chosen(o.Stages, args)
			inst, err := a.Run(cmd.Context())
			if err != nil || inst == nil || a.Output != "" || !slices.Contains(a.Names, "app") {
				return err
			}
			fmt.Fprintf(o.Out, "Onyxia is at %s\n", inst.Platform.OnyxiaURL())
			return nil
		},
	}
	a.AddApplyFlags(cmd)
	a.AddDNSFlags(cmd)
	o.AddTLSFlags(cmd)
	a.AddKeyFlags(cmd)
	return cmd
}
