// Package root is the command tree.
package root

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/klog/v2"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/cli"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/completion"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/config"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/diff"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/down"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/stages"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/status"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/up"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/version"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/all"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/tls"
)

// Main runs the plugin and returns its exit code.
func Main(streams genericiooptions.IOStreams, args []string) int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	stop := interruptible(cancel)
	defer stop()
	quiet()
	name := calledAs(args[0], os.LookupEnv)
	o := options(streams, name)
	cmd := tree(o)
	cmd.SetArgs(args[1:])
	failed, err := cmd.ExecuteContextC(ctx)
	if err != nil && !cli.Silent(err) {
		o.Report(ctx, failed.CommandPath(), err)
	}
	return cli.Code(err)
}

// quiet silences the loggers of the libraries, which would write to stderr on their own. What they have to say comes back
// as errors.
func quiet() {
	log.SetOutput(io.Discard)
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
}

// interruptible ends the context at the first Ctrl-C or SIGTERM; the second one ends the program.
func interruptible(cancel context.CancelCauseFunc) (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		select {
		case <-signals:
			signal.Stop(signals)
			cancel(cli.ErrInterrupted)
		case <-done:
		}
	}()
	return func() { signal.Stop(signals); close(done) }
}

// calledAs finds the name that help and advice should use.
func calledAs(arg0 string, env func(string) (string, bool)) string {
	if _, underHelm := env("HELM_PLUGIN_DIR"); underHelm {
		return "helm onyxia"
	}
	if base := filepath.Base(arg0); strings.HasPrefix(base, "kubectl-") {
		return "kubectl onyxia"
	}
	return filepath.Base(arg0)
}

// NewCommand makes the tree.
func NewCommand(streams genericiooptions.IOStreams, name string) *cobra.Command {
	return tree(options(streams, name))
}

// options are those of all commands. What an order of a certificate waits for is told as it happens.
func options(streams genericiooptions.IOStreams, name string) *cli.Options {
	o := cli.New(streams, all.Stages(), name)
	o.Stages = o.With(tls.With(tls.Options{Progress: o.Tell(stage.CertificateID)})).Stages
	return o
}

func tree(o *cli.Options) *cobra.Command {
	name := o.Command
	cmd := &cobra.Command{
		Use:   "onyxia",
		Short: "Take a Kubernetes cluster to an Onyxia datalab",
		Long: `Take a bare Kubernetes cluster to a working Onyxia datalab, stage by stage.

Every command may be run again: what is there already is left alone.

Exit codes:
    0  done, or nothing to do
    1  an error
    2  diff and --dry-run: something would change
    3  status and checks: something is not as it should be
    5  another run is at work
   64  wrong command line
  124  something did not get ready in time; run again, it continues
  130  interrupted; run again, it continues`,
		Example: `  # everything, on the cluster that kubectl talks to
  ` + name + ` up --domain example.org --dns-provider ovh --keys-file vault-keys.yaml

  # what would change
  ` + name + ` diff`,
		Annotations:       map[string]string{cobra.CommandDisplayNameAnnotation: name},
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Args:              cli.NoSuchCommand,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.SetIn(o.In)
	cmd.SetOut(o.Out)
	cmd.SetErr(o.ErrOut)
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &cli.UsageError{Err: err} })
	cmd.AddGroup(&cobra.Group{ID: "all", Title: "The whole datalab:"}, &cobra.Group{ID: "stage", Title: "Its stages:"}, &cobra.Group{ID: "other", Title: "Other commands:"})
	o.AddFlags(cmd)
	shortHelp(cmd)
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			cmd.AddCommand(c)
		}
	}
	add("all", up.NewCommand(o), diff.NewCommand(o), status.NewCommand(o), down.NewCommand(o))
	add("stage", stages.NewCommands(o)...)
	add("other", config.NewCommand(o), completion.NewCommand(o), globalFlags(o), version.NewCommand(o))
	cmd.SetHelpCommandGroupID("other")
	return cmd
}
