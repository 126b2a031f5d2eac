package stages

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/cli"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3"
	s3stage "github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/s3"
)

// configureS3 is `s3 configure`: what is inside the S3 server and the realm, and each time the proof that it holds.
func configureS3(o *cli.Options) *cobra.Command {
	a := &cli.Apply{Options: o, Names: []string{s3stage.Name}, Only: engine.Inside(s3stage.Name)}
	cmd := &cobra.Command{
		Use:   "configure",
		Short: "Make clients, policies and buckets as wanted, and show that each user gets at their own files only",
		Long: `Make clients, policies and buckets as wanted, and show that each user gets at their own files only. The server itself is
left alone.

The proof is run each time: two users and a client are made in the realm, their tokens buy credentials, those write, read
and list in the bucket of their own and of their group, and are refused at the other's. All of it is removed again, also
after Ctrl-C; a later run removes what a killed one left. If a line cannot be shown, the reason is said and the exit code is 1.

For a server that is not ours (s3.mode: external), what has to be done there by hand is printed first.`,
		Example: "  " + o.Command + " s3 configure",
		Args:    cli.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runConfigureS3(cmd.Context(), a) },
	}
	a.AddApplyFlags(cmd)
	return cmd
}

func runConfigureS3(ctx context.Context, a *cli.Apply) error {
	inst, err := a.OpenToRead(ctx)
	if err != nil {
		return err
	}
	if !inst.Platform.HasS3() {
		return fmt.Errorf("there is no S3 to configure: s3.mode is %s and auth.mode is %s", inst.Platform.S3.Mode, inst.Platform.Auth.Mode)
	}
	documents, err := s3stage.Documents(inst.Platform)
	if err != nil {
		return err
	}
	out := a.Out
	if a.Output != "" {
		out = a.ErrOut
	}
	printDocuments(out, documents)
	// A dry run makes no users, so it shows what differs and nothing of a proof.
	_, err = a.Run(ctx, s3stage.With(s3stage.Options{Say: a.Say, Prove: !a.DryRun}))
	return err
}

// printDocuments prints what a person has to do elsewhere: a remark, a file, the command that uses it.
func printDocuments(out io.Writer, documents []s3.Document) {
	for _, d := range documents {
		if d.Note != "" {
			fmt.Fprintln(out, "#", d.Note)
		}
		if d.Name != "" {
			fmt.Fprintf(out, "# %s:\n%s\n", d.Name, strings.TrimRight(d.Content, "\n"))
		}
		if d.Command != "" {
			fmt.Fprintln(out, d.Command)
		}
		fmt.Fprintln(out)
	}
}
