package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// StageNames lists the names, in order.
func StageNames(stages []stage.Stage) []string {
	names := make([]string, len(stages))
	for i, s := range stages {
		names[i] = s.Name
	}
	return names
}

// OnlyStages accepts names of stages as arguments.
func OnlyStages(stages []stage.Stage) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		for _, arg := range args {
			if !slices.Contains(StageNames(stages), arg) {
				return Usagef("no stage %q: there are %s", arg, strings.Join(StageNames(stages), ", "))
			}
		}
		return nil
	}
}

// Chosen are the stages named, or all of them.
func Chosen(stages []stage.Stage, args []string) []string {
	if len(args) == 0 {
		return StageNames(stages)
	}
	return args
}

// NoArgs refuses arguments.
func NoArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return Usagef("%s takes no arguments", cmd.CommandPath())
	}
	return nil
}

// typingSlip is how many letters may differ in a word that is suggested instead.
const typingSlip = 2

// destroys marks commands that nobody is led to by a typing slip: "install" is two letters away from "uninstall".
const destroys = "onyxia.sh/destroys"

// Destroying marks a command that takes something away, or orders what there is a limit for.
func Destroying(cmd *cobra.Command) *cobra.Command {
	if cmd.Annotations == nil {
		cmd.Annotations = map[string]string{}
	}
	cmd.Annotations[destroys] = "true"
	return cmd
}

// NoSuchCommand refuses words where a subcommand is expected.
func NoSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	if near := suggestions(cmd, args[0]); len(near) > 0 {
		hint = "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return Usagef("unknown command %q for %s%s", args[0], cmd.CommandPath(), hint)
}

// suggestions are the subcommands that a word may stand for: those that name it as another word for themselves, which are
// meant whatever they do, or else those that are a typing slip away and destroy nothing.
func suggestions(cmd *cobra.Command, word string) []string {
	var meant, near []string
	cmd.SuggestionsMinimumDistance = typingSlip
	slips := cmd.SuggestionsFor(word)
	for _, c := range cmd.Commands() {
		switch {
		case slices.Contains(c.SuggestFor, word):
			meant = append(meant, c.Name())
		case slices.Contains(slips, c.Name()) && c.Annotations[destroys] == "":
			near = append(near, c.Name())
		}
	}
	if len(meant) > 0 {
		return meant
	}
	return near
}
