package cli

import (
	"context"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/installation"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/ingress"
)

// dnsWait is how long the DNS record of the login is waited for when nobody says otherwise. Whoever has just made it sees
// the run go on; whoever has to ask somebody for it is not kept waiting.
const dnsWait = 2 * time.Minute

// AddDNSFlags registers what a run does that needs the DNS record of the login.
func (a *Apply) AddDNSFlags(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&a.DNSWait, "dns-wait", dnsWait, "How long to wait for the DNS record of the login, if it is missing")
}

// tellRecords lists the records that a run waits for, in the form of `ingress dns`.
func (a *Apply) tellRecords(records []ingress.Record) {
	fmt.Fprintf(a.ErrOut, "create these DNS records (`%s ingress dns` prints them again):\n", a.Call())
	out := a.Out
	if a.Output != "" {
		out = a.ErrOut
	}
	for _, r := range records {
		fmt.Fprintln(out, r)
	}
}

// lookupTimeout bounds the question whether the DNS records are there.
const lookupTimeout = 2 * time.Second

// alsoTellDNS says, as soon as the external address is known, that records have to be made. A run that needs them says so
// itself.
func (a *Apply) alsoTellDNS(ctx context.Context, inst *installation.Installation, run engine.Run) func(engine.Event) {
	if waitsForRecord(run, inst.Platform) {
		return run.Report
	}
	return func(e engine.Event) {
		run.Report(e)
		if e.ID != stage.AddressID || e.Kind != engine.Done || inst.Platform.Ingress.PrivateDNS {
			return
		}
		ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
		defer cancel()
		if _, err := net.DefaultResolver.LookupHost(ctx, inst.Platform.OnyxiaHost()); err != nil {
			a.Warn(fmt.Sprintf("%s and *.%s cannot be looked up from here: create the DNS records that `%s ingress dns` prints (address %s)",
				inst.Platform.OnyxiaHost(), inst.Platform.LabDomain(), a.Call(), e.Change.Why))
		}
	}
}

// waitsForRecord tells whether the run itself waits for the DNS record of the login.
func waitsForRecord(run engine.Run, p platform.Platform) bool {
	host, ours := ingress.IssuerHost(p)
	return ours && slices.ContainsFunc(run.Steps, func(s engine.Step) bool { return s.ID == ingress.IssuerRecordID(host) })
}
