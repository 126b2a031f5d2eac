package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/root"
)

// commandsPage documents every command with its flags.
func commandsPage() string {
	streams := genericiooptions.IOStreams{In: bytes.NewReader(nil), Out: io.Discard, ErrOut: io.Discard}
	tree := root.NewCommand(streams, "kubectl onyxia")
	var out strings.Builder
	out.WriteString("# Commands\n\nWritten by `make docs` from the program; do not edit. `kubectl onyxia COMMAND --help` says the same.\n" +
		"As a Helm plugin every command begins with `helm onyxia` instead.\n")
	for _, c := range tree.Commands() {
		command(&out, c)
	}
	ours, kubectls := everywhere(tree.PersistentFlags())
	out.WriteString("\n## Flags of every command\n")
	fence(&out, ours.FlagUsages())
	out.WriteString("\nand those of kubectl itself:\n")
	fence(&out, kubectls.FlagUsages())
	return out.String()
}

// everywhere parts the flags of every command in ours and kubectl's.
func everywhere(all *pflag.FlagSet) (ours, kubectls *pflag.FlagSet) {
	known := pflag.NewFlagSet("", pflag.ContinueOnError)
	genericclioptions.NewConfigFlags(true).AddFlags(known)
	ours, kubectls = pflag.NewFlagSet("", pflag.ContinueOnError), pflag.NewFlagSet("", pflag.ContinueOnError)
	all.VisitAll(func(f *pflag.Flag) {
		if f.Name == "cache-dir" {
			// It depends on the home directory and on KUBECACHEDIR.
			f.DefValue = "$HOME/.kube/cache"
		}
		// The namespace is kubectl's flag with a meaning of ours.
		if known.Lookup(f.Name) != nil && f.Name != "namespace" {
			kubectls.AddFlag(f)
			return
		}
		ours.AddFlag(f)
	})
	return ours, kubectls
}

// command writes one command and those below it. One that only holds others is not listed by itself.
func command(out *strings.Builder, c *cobra.Command) {
	if c.Hidden || c.Name() == "help" {
		return
	}
	if len(c.Commands()) == 0 {
		about(out, c)
	}
	for _, below := range c.Commands() {
		command(out, below)
	}
}

func about(out *strings.Builder, c *cobra.Command) {
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	_, arguments, _ := strings.Cut(c.Use, " ")
	fmt.Fprintf(out, "\n## %s\n\n%s\n", strings.TrimSpace(c.CommandPath()+" "+arguments), text)
	if c.Example != "" {
		fence(out, c.Example)
	}
	if flags := c.LocalNonPersistentFlags().FlagUsages(); flags != "" {
		fence(out, flags)
	}
}

// fence writes a block of text as it is.
func fence(out *strings.Builder, text string) {
	fmt.Fprintf(out, "\n```\n%s\n```\n", strings.TrimRight(text, "\n"))
}
