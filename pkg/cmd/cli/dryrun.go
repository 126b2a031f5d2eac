package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// dryRun is the flag --dry-run. It takes kubectl's words: client and server both plan, which reads the cluster and writes
// nothing; none runs.
type dryRun struct{ on *bool }

// Set takes the word.
func (d dryRun) Set(text string) error {
	switch text {
	case "", "client", "server", "true":
		*d.on = true
	case "none", "false":
		*d.on = false
	default:
		return fmt.Errorf("%q: one of client, server, none is expected", text)
	}
	return nil
}

// String is the word for what is set.
func (d dryRun) String() string {
	if d.on != nil && *d.on {
		return "client"
	}
	return "none"
}

// Type names the value in help texts.
func (d dryRun) Type() string { return "string" }

// addDryRunFlag registers --dry-run, with or without a word.
func addDryRunFlag(cmd *cobra.Command, on *bool, usage string) {
	cmd.Flags().Var(dryRun{on}, "dry-run", usage)
	cmd.Flags().Lookup("dry-run").NoOptDefVal = "client"
	complete(cmd, "dry-run", func() []string { return []string{"client", "server", "none"} })
}
