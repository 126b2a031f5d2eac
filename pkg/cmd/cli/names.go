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

// NoSuchCommand refuses words where a subcommand is expected.
func NoSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	cmd.SuggestionsMinimumDistance = typingSlip
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return Usagef("unknown command %q for %s%s", args[0], cmd.CommandPath(), hint)
}
