package root

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/cli"
)

// shortHelp leaves most of the flags that all commands have out of each command's help, as kubectl does: they are kubectl's
// own, and `options` lists them.
func shortHelp(cmd *cobra.Command) {
	usual := []string{"file", "namespace", "context", "domain", "debug"}
	global := cmd.PersistentFlags()
	show := cmd.HelpFunc()
	cmd.SetHelpFunc(func(c *cobra.Command, args []string) {
		global.VisitAll(func(f *pflag.Flag) { f.Hidden = !slices.Contains(usual, f.Name) })
		show(c, args)
		global.VisitAll(func(f *pflag.Flag) { f.Hidden = false })
	})
	cmd.SetUsageTemplate(cmd.UsageTemplate() + "\nUse \"" + cmd.CommandPath() + " options\" for a list of the flags that all commands have.\n")
}

// globalFlags lists the flags that all commands have.
func globalFlags(o *cli.Options) *cobra.Command {
	return &cobra.Command{
		Use:   "options",
		Short: "List the flags that all commands have",
		Args:  cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(o.Out, "The following flags can be given to any command:\n\n%s", cmd.Root().PersistentFlags().FlagUsages())
			return err
		},
	}
}
