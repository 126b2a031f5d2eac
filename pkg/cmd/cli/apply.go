package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/installation"
)

// Apply is what up and every install share: observe, plan, apply.
type Apply struct {
	*Options
	// Names of the stages.
	Names []string
	// DryRun prints the plan and applies nothing.
	DryRun bool
	// Yes agrees to changes that may lose data.
	Yes bool
	// Timeout for one step to become ready.
	Timeout time.Duration
	// Output format: empty, json or yaml.
	Output string
	// Only narrows the run to some of the stages' steps; nil for all of them.
	Only func(engine.Step) bool
	// End is called when the run has ended, however it did; nil for nothing to end.
	End func(context.Context) error
}

// endTime bounds what is done after an interruption.
const endTime = 15 * time.Second

// AddApplyFlags registers the flags.
func (a *Apply) AddApplyFlags(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.BoolVar(&a.DryRun, "dry-run", false, "Print the plan and apply nothing; exit code 2 if something would change")
	fs.BoolVarP(&a.Yes, "yes", "y", false, "Agree to changes that may lose data")
	fs.DurationVar(&a.Timeout, "timeout", Timeout, "How long one step may take to become ready")
	fs.StringVarP(&a.Output, "output", "o", "", "Output format: json or yaml")
}

// Run does it. It returns the installation so that the caller can say what comes next; nil after a dry run.
func (a *Apply) Run(ctx context.Context) (*installation.Installation, error) {
	inst, err := a.run(ctx)
	if a.End == nil {
		return inst, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	if endErr := a.End(ctx); endErr != nil {
		a.Warn(endErr.Error())
	}
	return inst, err
}

func (a *Apply) run(ctx context.Context) (*installation.Installation, error) {
	if err := CheckFormat(a.Output, "json", "yaml"); err != nil {
		return nil, err
	}
	a.About(true, a.Names...)
	inst, err := a.begin(ctx)
	if err != nil {
		return nil, err
	}
	lines := a.Out
	if a.Output != "" {
		lines = nil
	}
	run, err := inst.Run(ctx, NewProgress(lines, a.ErrOut).Report, a.Names...)
	if err != nil {
		return nil, err
	}
	run.Selected = a.narrowed(run.Selected)
	plan, err := run.Plan(ctx)
	if err != nil {
		return nil, err
	}
	if a.DryRun {
		return nil, ShowPlan(a.Options, plan, a.Output)
	}
	if err := plan.Err(); err != nil {
		return nil, err
	}
	if err := a.agree(plan); err != nil {
		return nil, err
	}
	apply := func(ctx context.Context) error {
		return run.Apply(ctx, plan, engine.Options{Timeout: a.Timeout, Consent: a.consent})
	}
	if plan.Settled() {
		err = apply(ctx)
	} else {
		run.Report = a.alsoTellDNS(ctx, inst, run)
		err = engine.WithLock(ctx, inst.Lock, apply)
	}
	if err != nil {
		return inst, a.resumable(err)
	}
	inst.TellDoubts(ctx, a.Names...)
	if a.Output != "" {
		return inst, Structured(a.Out, a.Output, plan)
	}
	return inst, nil
}

func (a *Apply) begin(ctx context.Context) (*installation.Installation, error) {
	options := *a.Options
	options.Records = a.tellRecords
	if options.DNSWait == dnsWait {
		options.DNSWait = min(dnsWait, a.Timeout)
	}
	a.Options = &options
	if a.DryRun {
		return a.Open(ctx)
	}
	return a.OpenSettled(ctx, a.Timeout)
}

// narrowed are the steps that are both selected and wanted.
func (a *Apply) narrowed(selected func(engine.Step) bool) func(engine.Step) bool {
	if a.Only == nil {
		return selected
	}
	return func(s engine.Step) bool { return selected(s) && a.Only(s) }
}

// ShowPlan prints a plan in the format asked for, and returns ErrChanges when it would change something.
func ShowPlan(o *Options, plan engine.Plan, format string) error {
	if format != "" {
		if err := Structured(o.Out, format, plan); err != nil {
			return err
		}
	} else {
		PrintPlan(o.Out, plan)
	}
	if err := plan.Err(); err != nil {
		return err
	}
	if plan.Writes() {
		return ErrChanges
	}
	return nil
}

// agree asks before anything that the plan itself says may lose data.
func (a *Apply) agree(plan engine.Plan) error {
	for _, s := range plan.Steps {
		if s.Change.Risk != "" {
			if err := a.ask(planLine(s)); err != nil {
				return fmt.Errorf("%s: %w", s.ID, err)
			}
		}
	}
	return nil
}

// consent is asked for what only came up during the apply.
func (a *Apply) consent(_ context.Context, id engine.ID, planned, now engine.Change) error {
	return a.ask(fmt.Sprintf("%s: the plan said %s, now it would be: %s %s", id, planned.Action, now.Action, now.Why+now.Risk))
}

// Confirm asks before something that a command does beside its plan.
func (a *Apply) Confirm(question string) error { return a.ask(question) }

// ask puts a question to a person at a terminal; elsewhere the answer is the flag.
func (a *Apply) ask(question string) error {
	if a.Yes {
		return nil
	}
	if !terminal(a.In) || !terminal(a.ErrOut) {
		return errors.New("may lose data, and nobody is there to ask: look at the plan with --dry-run, then give --yes")
	}
	fmt.Fprintf(a.ErrOut, "%s\nGo on? [y/N] ", question)
	answer, err := bufio.NewReader(a.In).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("answer: %w", err)
	}
	if word := strings.ToLower(strings.TrimSpace(answer)); word != "y" && word != "yes" {
		return errors.New("not agreed to: nothing was done")
	}
	return nil
}

func terminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// resumable adds to an interrupted run how it is continued.
func (o *Options) resumable(err error) error {
	if errors.Is(err, ErrInterrupted) {
		return fmt.Errorf("%w; what was done stays, and the same command continues: %s %s", ErrInterrupted, o.Command, again(os.Args[1:]))
	}
	return err
}

// again are the arguments as they may be shown: kubectl's own --token is the one that holds a secret.
func again(args []string) string {
	shown := slices.Clone(args)
	for i, arg := range args {
		switch {
		case strings.HasPrefix(arg, "--token="):
			shown[i] = "--token=..."
		case arg == "--token" && i+1 < len(args):
			shown[i+1] = "..."
		}
	}
	return strings.Join(shown, " ")
}
