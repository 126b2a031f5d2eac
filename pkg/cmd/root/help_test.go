package root

import (
	"testing"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// Every command that takes flags shows a call of it.
func TestHelp(t *testing.T) {
	tree := NewCommand(genericiooptions.NewTestIOStreamsDiscard(), "kubectl onyxia")
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Runnable() && c.HasParent() && c.LocalNonPersistentFlags().HasAvailableFlags() && c.Name() != "help" && c.Example == "" {
			t.Errorf("%s shows no example", c.CommandPath())
		}
		for _, below := range c.Commands() {
			walk(below)
		}
	}
	walk(tree)
}
