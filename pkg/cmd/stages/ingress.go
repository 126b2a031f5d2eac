package stages

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/cli"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/ingress"
)

// lookInterval is how often the records are looked for with --wait.
const lookInterval = 5 * time.Second

// dnsOptions of `ingress dns`.
type dnsOptions struct {
	*cli.Options
	wait     bool
	timeout  time.Duration
	resolver string
	output   cli.Format
}

func dns(o *cli.Options) *cobra.Command {
	d := &dnsOptions{Options: o}
	cmd := &cobra.Command{
		Use:     "dns",
		Short:   "Print the DNS records that have to exist, and which are seen",
		Long:    "Print the DNS records that have to exist, as lines of a zone file, and what a resolver answers.\n\nExit code 0: all are seen; 3: some are not.",
		Example: "  " + o.Command + " ingress dns --wait",
		Args:    cli.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return d.run(cmd.Context()) },
	}
	fs := cmd.Flags()
	fs.BoolVar(&d.wait, "wait", false, "Wait until all records are seen")
	fs.DurationVar(&d.timeout, "timeout", cli.Timeout, "How long to wait")
	fs.StringVar(&d.resolver, "resolver", "", "Ask this resolver (host:port) instead of the system's")
	cli.AddOutputFlag(cmd, &d.output)
	return cmd
}

func (d *dnsOptions) run(ctx context.Context) error {
	records, err := d.records(ctx)
	if err != nil {
		return err
	}
	if d.output == "" {
		for _, r := range records {
			fmt.Fprintln(d.Out, r)
		}
	}
	// The end of the time ends the wait and cuts no look short, whose answer would be another one then.
	waiting, cancel := context.WithTimeoutCause(ctx, d.timeout, engine.ErrTimeout)
	defer cancel()
	for {
		seen := ingress.Look(ctx, d.lookup(), records)
		missing := unseen(seen)
		if len(missing) == 0 || !d.wait {
			return d.print(seen, missing)
		}
		fmt.Fprintf(d.ErrOut, "waiting for DNS: %s\n", strings.Join(missing, "; "))
		select {
		case <-waiting.Done():
			return fmt.Errorf("%w: %s", context.Cause(waiting), strings.Join(missing, "; "))
		case <-time.After(lookInterval):
		}
	}
}

// records are read from the external address of the ingress controller.
func (d *dnsOptions) records(ctx context.Context) ([]ingress.Record, error) {
	inst, err := d.OpenToRead(ctx)
	if err != nil {
		return nil, err
	}
	env := inst.Env("ingress")
	steps, err := ingress.Stage().Steps(ctx, env)
	if err != nil {
		return nil, err
	}
	run := engine.Run{Steps: steps, Selected: func(s engine.Step) bool { return s.ID == stage.AddressID }}
	if _, err := run.Plan(ctx); err != nil {
		return nil, err
	}
	addresses, err := env.Links.Address.Get()
	if err != nil {
		return nil, errors.New("the ingress controller has no external address yet: see `" + d.Call() + " ingress status`")
	}
	return ingress.Records(inst.Platform, addresses), nil
}

func (d *dnsOptions) lookup() *net.Resolver {
	if d.resolver == "" {
		return net.DefaultResolver
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, network, d.resolver)
	}}
}

func (d *dnsOptions) print(seen []ingress.Seen, missing []string) error {
	if d.output != "" {
		if err := cli.Structured(d.Out, d.output, seen); err != nil {
			return err
		}
	}
	for _, m := range missing {
		fmt.Fprintln(d.ErrOut, "not seen:", m)
	}
	if len(missing) > 0 {
		return cli.ErrCheck
	}
	return nil
}

func unseen(seen []ingress.Seen) []string {
	var out []string
	for _, s := range seen {
		if s.OK {
			continue
		}
		answer := s.Error
		if answer == "" {
			answer = "answered with " + strings.Join(s.Found, ", ")
		}
		out = append(out, fmt.Sprintf("%s: wanted %s, %s", s.Name, strings.Join(s.Wanted, ", "), answer))
	}
	return out
}
