package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/root"
)

// commandsPage documents every command with its flags.
func commandsPage() string {
	streams := genericiooptions.IOStreams{In: bytes.NewReader(nil), Out: io.Discard, ErrOut: io.Discard}
	// In the order in which they were added, which is the one in which they are used.
	cobra.EnableCommandSorting = false
	tree := root.NewCommand(streams, "kubectl onyxia")
	var out strings.Builder
	out.WriteString("# Commands\n\nWritten by `make docs` from the program; do not edit. `kubectl onyxia COMMAND --help` says the same.\n" +
		"As a Helm plugin every command begins with `helm onyxia` instead.\n")
	contents(&out, tree)
	for _, group := range tree.Groups() {
		fmt.Fprintf(&out, "\n## %s\n", groupTitle(group))
		for _, c := range listed(tree) {
			if c.group == group.ID {
				about(&out, c.Command)
			}
		}
	}
	ours, kubectls := everywhere(tree.PersistentFlags())
	out.WriteString("\n## " + flagsTitle + "\n")
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

// entry is a command that does something, and the group of its topmost command.
type entry struct {
	*cobra.Command
	group string
}

// listed are the commands that do something. One that only holds others is not listed by itself.
func listed(tree *cobra.Command) (all []entry) {
	for _, top := range tree.Commands() {
		for _, c := range below(top) {
			all = append(all, entry{c, top.GroupID})
		}
	}
	return all
}

func below(c *cobra.Command) (all []*cobra.Command) {
	if c.Hidden || c.Name() == "help" {
		return nil
	}
	if len(c.Commands()) == 0 {
		return []*cobra.Command{c}
	}
	for _, sub := range c.Commands() {
		all = append(all, below(sub)...)
	}
	return all
}

const flagsTitle = "Flags of every command"

// contents links to all commands, in the groups of the help text.
func contents(out *strings.Builder, tree *cobra.Command) {
	for _, group := range tree.Groups() {
		fmt.Fprintf(out, "\n**%s**\n\n", groupTitle(group))
		for _, c := range listed(tree) {
			if c.group == group.ID {
				fmt.Fprintf(out, "- [%s](#%s): %s\n", c.CommandPath(), anchor(title(c.Command)), c.Short)
			}
		}
	}
	fmt.Fprintf(out, "\n[%s](#%s)\n", flagsTitle, anchor(flagsTitle))
}

func groupTitle(g *cobra.Group) string { return strings.TrimSuffix(g.Title, ":") }

// title is the command with its arguments.
func title(c *cobra.Command) string {
	_, arguments, _ := strings.Cut(c.Use, " ")
	return strings.TrimSpace(c.CommandPath() + " " + arguments)
}

// anchor is where a heading is found on a page: lower case, no punctuation, dashes for spaces.
func anchor(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', unicode.IsLetter(r), unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}

func about(out *strings.Builder, c *cobra.Command) {
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	fmt.Fprintf(out, "\n### %s\n\n%s\n", title(c), text)
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
