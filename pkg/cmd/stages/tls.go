package stages

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/cli"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/tls"
)

// importing puts a certificate in place that somebody else ordered, certbot for instance.
func importing(o *cli.Options) *cobra.Command {
	var certificate, key string
	a := &cli.Apply{Options: o, Names: []string{"tls"}}
	cmd := &cobra.Command{
		Use:     "import",
		Short:   "Put a certificate in place that you already have, after checking it",
		Example: "  " + o.Command + " tls import --cert fullchain.pem --key privkey.pem",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if certificate == "" || key == "" {
				return cli.Usagef("--cert and --key are both needed")
			}
			files, err := tls.ReadFiles(certificate, key)
			if err != nil {
				return err
			}
			_, err = a.Run(cmd.Context(), tls.With(tls.Options{Bring: files}))
			return err
		},
	}
	cmd.Flags().StringVar(&certificate, "cert", "", "PEM file with the certificate and its chain")
	cmd.Flags().StringVar(&key, "key", "", "PEM file with the private key")
	a.AddApplyFlags(cmd)
	return cmd
}

// renewing orders a new certificate before the old one is due.
func renewing(o *cli.Options) *cobra.Command {
	a := &cli.Apply{Options: o, Names: []string{"tls"}}
	cmd := &cobra.Command{
		Use:     "renew",
		Short:   "Order a new certificate now; `issue` does so by itself when it is time",
		Example: "  " + o.Command + " tls renew",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := a.Run(cmd.Context(), tls.With(tls.Options{RenewBefore: time.Now(), Progress: o.Tell(stage.CertificateID)}))
			return err
		},
	}
	a.AddApplyFlags(cmd)
	o.AddTLSFlags(cmd)
	return cli.Destroying(cmd)
}

// certificateStatus tells more about the one certificate than the common status does.
func certificateStatus(o *cli.Options) *cobra.Command {
	var format cli.Format
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show the certificate: names, issuer, expiry, next renewal",
		Example: "  " + o.Command + " tls status",
		Long:    "Show the certificate: names, issuer, expiry, next renewal.\n\nExit code 0: it is good; 3: there is none, it lacks a name, its key or its dates are wrong, or it is due.",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return showCertificate(cmd.Context(), o, format)
		},
	}
	cli.AddOutputFlag(cmd, &format)
	return cmd
}

func showCertificate(ctx context.Context, o *cli.Options, format cli.Format) error {
	inst, err := o.OpenToRead(ctx)
	if err != nil {
		return err
	}
	report, err := tls.Status(ctx, inst.Env("tls"), time.Time{})
	if err != nil {
		return err
	}
	if format != "" {
		err = cli.Structured(o.Out, format, report)
	} else {
		err = printCertificate(o.Out, report)
	}
	if err == nil && (!report.Good || report.Due) {
		err = cli.ErrCheck
	}
	return err
}

func printCertificate(out io.Writer, r tls.Report) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "secret\t%s\n", r.Secret)
	if c := r.Certificate; c != nil {
		fmt.Fprintf(w, "names\t%s\n", strings.Join(c.Names, ", "))
		if c.Key != "" {
			fmt.Fprintf(w, "key\t%s\n", c.Key)
		}
		fmt.Fprintf(w, "expires\t%s\n", c.NotAfter.UTC().Format(time.RFC3339))
		fmt.Fprintf(w, "renewal\t%s\n", r.RenewAt.UTC().Format(time.RFC3339))
		fmt.Fprintf(w, "source\t%s\n", r.Source)
	}
	if len(r.Missing) > 0 {
		fmt.Fprintf(w, "missing\t%s\n", strings.Join(r.Missing, ", "))
	}
	fmt.Fprintf(w, "state\t%s\n", r.Summary)
	return w.Flush()
}
