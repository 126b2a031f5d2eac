package stages

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/acme"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/cli"
)

// dnsProvider is one that can answer the challenge, and the variables that it reads.
type dnsProvider struct {
	Name      string   `json:"name"`
	Variables []string `json:"variables"`
}

// providers lists who can answer the challenge. It asks no cluster.
func providers(o *cli.Options) *cobra.Command {
	var format cli.Format
	cmd := &cobra.Command{
		Use:   "providers [NAME]",
		Short: "List the DNS providers, and the environment variables that hold their credentials",
		Long: `List the DNS providers that --dns-provider takes, and the environment variables
that hold the credentials of each. With a NAME, show which of them are set.

Each variable may be given with _FILE at its end instead, as a file that holds
the value. Where a provider has several ways to log in, one is enough; its page
at https://go-acme.github.io/lego/dns/ says which variables belong together.`,
		Example: "  " + o.Command + " tls providers ovh",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return cli.Usagef("%s takes one NAME at most", cmd.CommandPath())
			}
			return nil
		},
		ValidArgs: acme.Providers(),
		RunE:      func(_ *cobra.Command, args []string) error { return listProviders(o, format, args) },
	}
	cli.AddOutputFlag(cmd, &format)
	return cmd
}

func listProviders(o *cli.Options, format cli.Format, args []string) error {
	names := args
	if len(names) == 0 {
		names = acme.Providers()
	}
	list := make([]dnsProvider, 0, len(names))
	for _, name := range names {
		variables, err := acme.Variables(name)
		if err != nil {
			return &cli.UsageError{Err: err}
		}
		list = append(list, dnsProvider{Name: name, Variables: variables})
	}
	switch {
	case format != "":
		return cli.Structured(o.Out, format, list)
	case len(args) > 0:
		return printVariables(o.Out, list[0])
	}
	w := tabwriter.NewWriter(o.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PROVIDER\tVARIABLES")
	for _, p := range list {
		fmt.Fprintf(w, "%s\t%s\n", p.Name, orNone(strings.Join(p.Variables, ", ")))
	}
	return w.Flush()
}

func orNone(text string) string {
	if text == "" {
		return "(none)"
	}
	return text
}

// printVariables tells which are set, and never to what.
func printVariables(out io.Writer, p dnsProvider) error {
	if len(p.Variables) == 0 {
		_, err := fmt.Fprintf(out, "%s reads no variables\n", p.Name)
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "VARIABLE\tSET")
	for _, name := range p.Variables {
		set := "no"
		if os.Getenv(name) != "" {
			set = "yes"
		} else if os.Getenv(name+"_FILE") != "" {
			set = "by " + name + "_FILE"
		}
		fmt.Fprintf(w, "%s\t%s\n", name, set)
	}
	return w.Flush()
}
