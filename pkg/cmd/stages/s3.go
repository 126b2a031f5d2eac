package stages

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/cli"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
	s3stage "github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/s3"
)

// configureS3 is `s3 configure`: what is inside the S3 server and the realm, and each time the proof that it holds.
func configureS3(o *cli.Options) *cobra.Command {
	a := &cli.Apply{Options: o, Names: []string{s3stage.Name}, Only: engine.Inside(s3stage.Name)}
	var userToken string
	cmd := &cobra.Command{
		Use:   "configure",
		Short: "Make clients, policies and buckets as wanted, and show that each user gets at their own files only",
		Long: `Make clients, policies and buckets as wanted, and show that each user gets at their own files only. The server itself is
left alone.

The proof is run each time: two users and a client are made in the realm, their tokens buy credentials, those write, read
and list in the bucket of their own and of their group, and are refused at the other's. All of it is removed again, also
after Ctrl-C; a later run removes what a killed one left. If a line cannot be shown, the reason is said and the exit code is 1.

Users of another issuer (auth.mode: oidc) are not made. Give the access token of one for client onyxia-minio in a file: its
claims are looked at, it is exchanged, the user's own bucket is written and read, and the user is refused at a neighbour's.

For a server that is not ours (s3.mode: external), what has to be done there by hand is printed first.`,
		Example: "  " + o.Command + " s3 configure",
		Args:    cli.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runConfigureS3(cmd.Context(), a, userToken) },
	}
	cmd.Flags().StringVar(&userToken, "user-token", "", "File that holds an access token of a user for client onyxia-minio, \"-\" for standard input; for auth.mode oidc")
	a.AddApplyFlags(cmd)
	return cmd
}

func runConfigureS3(ctx context.Context, a *cli.Apply, tokenFile string) error {
	inst, err := a.OpenToRead(ctx)
	if err != nil {
		return err
	}
	if !inst.Platform.HasS3() {
		return fmt.Errorf("there is no S3 to configure: s3.mode is %s and auth.mode is %s", inst.Platform.S3.Mode, inst.Platform.Auth.Mode)
	}
	token, err := userToken(a.In, tokenFile, inst.Platform.Auth.Mode)
	if err != nil {
		return err
	}
	documents, err := s3stage.Documents(ctx, inst.Platform)
	if err != nil {
		return err
	}
	out := a.Out
	if a.Output != "" {
		out = a.ErrOut
	}
	printDocuments(out, documents)
	// A dry run makes no users, so it shows what differs and nothing of a proof.
	_, err = a.Run(ctx, s3stage.With(s3stage.Options{Say: a.Say, Prove: !a.DryRun, UserToken: token}))
	return err
}

// userToken reads the token of a user from a file; empty where none is named.
func userToken(stdin io.Reader, file, mode string) (secret.Text, error) {
	if file == "" {
		return secret.Text{}, nil
	}
	if mode != platform.AuthOIDC {
		return secret.Text{}, cli.Usagef("--user-token is for auth.mode oidc: with auth.mode %s users are made for the proof", mode)
	}
	read := func() ([]byte, error) { return secret.ReadFile(file) }
	if file == "-" {
		read = func() ([]byte, error) { return io.ReadAll(stdin) }
	}
	raw, err := read()
	if err != nil {
		return secret.Text{}, fmt.Errorf("--user-token: %w", err)
	}
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return secret.Text{}, fmt.Errorf("--user-token: %s is empty; it has to hold an access token for client %s", file, platform.S3ClientID)
	}
	return secret.New(string(raw)), nil
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
