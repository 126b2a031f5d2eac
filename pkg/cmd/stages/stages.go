// Package stages makes the commands of the stages. What all stages have (install, diff, status, uninstall) needs no code
// per stage; what one stage has besides stands in a file of its own.
package stages

import (
	"github.com/spf13/cobra"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/cli"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/diff"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/status"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// NewCommands makes one command for each stage.
func NewCommands(o *cli.Options) []*cobra.Command {
	extras := map[string][]*cobra.Command{
		"ingress": {dns(o)},
		"tls":     {importing(o), renewing(o), providers(o)},
		"auth":    {configureRealm(o), people(o), groups(o), testMail(o), retireBootstrap(o)},
		"s3":      {configureS3(o)},
		"app":     {values(o)},
		"vault":   vaultCommands(o),
	}
	commands := make([]*cobra.Command, 0, len(o.Stages))
	for _, s := range o.Stages {
		cmd := &cobra.Command{
			Use:   s.Name,
			Short: s.Short,
			Args:  cli.NoSuchCommand,
			RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		}
		state := show(o, s)
		if s.Name == "tls" {
			state = certificateStatus(o)
		}
		cmd.AddCommand(apply(o, s), state, difference(o, s), uninstall(o, s))
		cmd.AddCommand(extras[s.Name]...)
		commands = append(commands, cmd)
	}
	return commands
}

func apply(o *cli.Options, s stage.Stage) *cobra.Command {
	a := &cli.Apply{Options: o, Names: []string{s.Name}}
	cmd := &cobra.Command{
		Use:        s.Verb,
		Short:      "Install or update this stage; a second run changes only what differs",
		Example:    "  " + o.Command + " " + s.Name + " " + s.Verb + "\n  " + o.Command + " " + s.Name + " " + s.Verb + " --dry-run",
		SuggestFor: []string{"apply", "up", "upgrade", "update", "create"},
		Args:       cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := a.Run(cmd.Context())
			return err
		},
	}
	if s.Verb != "install" {
		cmd.Aliases = []string{"install"}
	}
	a.AddApplyFlags(cmd)
	switch s.Name {
	case "tls":
		o.AddTLSFlags(cmd)
	case "auth", "s3", "vault", "app":
		a.AddDNSFlags(cmd)
	}
	if s.Name == "vault" {
		a.AddKeyFlags(cmd)
	}
	return cmd
}

func show(o *cli.Options, s stage.Stage) *cobra.Command {
	st := &status.Options{Options: o, Names: []string{s.Name}}
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show what is there, whether it works, and what differs",
		Example: "  " + o.Command + " " + s.Name + " status",
		Args:    cli.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return st.Run(cmd.Context()) },
	}
	cli.AddOutputFlag(cmd, &st.Output)
	return cmd
}

func difference(o *cli.Options, s stage.Stage) *cobra.Command {
	d := &diff.Options{Options: o, Names: []string{s.Name}}
	cmd := &cobra.Command{
		Use:     "diff",
		Short:   "Show what would change, and why",
		Example: "  " + o.Command + " " + s.Name + " diff",
		Args:    cli.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return d.Run(cmd.Context()) },
	}
	d.AddDiffFlags(cmd)
	return cmd
}

func uninstall(o *cli.Options, s stage.Stage) *cobra.Command {
	r := &cli.Remove{Options: o, Names: []string{s.Name}}
	cmd := &cobra.Command{
		Use:        "uninstall",
		Short:      "Remove this stage; data is kept unless named",
		Long:       "Remove this stage. It is asked first; where nobody can be asked, give --yes. What holds data is kept unless\n--delete-data names it.",
		Example:    "  " + o.Command + " " + s.Name + " uninstall --dry-run",
		SuggestFor: []string{"delete", "remove", "down", "destroy"},
		Args:       cli.NoArgs,
		RunE:       func(cmd *cobra.Command, _ []string) error { return r.Run(cmd.Context()) },
	}
	if s.Name == "vault" {
		cmd.Long += " What is inside a Vault that others run goes\nby the token in the environment variable VAULT_TOKEN, or the one that vault.credentialsSecret names."
	}
	r.AddRemoveFlags(cmd)
	return cli.Destroying(cmd)
}
