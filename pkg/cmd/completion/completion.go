// Package completion prints completion scripts for shells, and the shim through which kubectl completes plugins.
package completion

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/cli"
)

// shim is what kubectl runs to complete `kubectl onyxia`: an executable of this name on the PATH. Krew links one program
// per plugin, so the shim cannot come with the plugin (krew issue 812).
const shim = `#!/usr/bin/env sh
# Save as kubectl_complete-onyxia somewhere on the PATH, and make it executable.
exec kubectl onyxia __complete "$@"
`

// NewCommand makes the command.
func NewCommand(o *cli.Options) *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell", "kubectl"}
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print a completion script: bash, zsh, fish, powershell, or kubectl",
		Long: `Print a completion script for a shell. With "kubectl", print the shim that kubectl looks for
to complete its plugins: save it as kubectl_complete-onyxia on the PATH.`,
		ValidArgs: shells,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cli.Usagef("name one of %v", shells)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(o.Out, true)
			case "zsh":
				return root.GenZshCompletion(o.Out)
			case "fish":
				return root.GenFishCompletion(o.Out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(o.Out)
			case "kubectl":
				_, err := fmt.Fprint(o.Out, shim)
				return err
			}
			return cli.Usagef("no completion for %q: name one of %v", args[0], shells)
		},
	}
}
