package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/installation"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
	vaultstage "github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/vault"
)

// Apply is what up and every install share: observe, plan, apply.
type Apply struct {
	*Options
	// Names of the stages.
	Names []string
	// DryRun prints the plan and applies nothing.
	DryRun bool
	// Yes agrees to changes that have a risk.
	Yes bool
	// Adopt names the steps whose things may be taken over although another party made them.
	Adopt []string
	// Timeout for one step to become ready.
	Timeout time.Duration
	// Output format.
	Output Format
	// Only narrows the run to some of the stages' steps; nil for all of them.
	Only func(engine.Step) bool
	// End is called when the run has ended, however it did; nil for nothing to end.
	End func(context.Context) error
	// WantsKeys refuses to begin when a Vault is put up and nobody said where its keys are to go.
	WantsKeys bool

	// keys are the flags about Vault's keys; nil for a command without them.
	keys   *KeyFlags
	asking sync.Mutex
}

// endTime bounds what is done after an interruption.
const endTime = 15 * time.Second

// AddApplyFlags registers the flags of a run that may have to ask.
func (a *Apply) AddApplyFlags(cmd *cobra.Command) {
	AddYesFlag(cmd, &a.Yes, "Agree to changes that have a risk, without being asked")
	cmd.Flags().StringSliceVar(&a.Adopt, "adopt", nil, "Take over what another party made, also if it holds data; the name as --dry-run prints it, may be repeated")
	completeWith(cmd, "adopt", a.adoptable)
	fs := cmd.Flags()
	addDryRunFlag(cmd, &a.DryRun, "Print the plan and apply nothing; exit code 2 if something would change")
	fs.DurationVar(&a.Timeout, "timeout", Timeout, "How long one step may take to become ready")
	AddOutputFlag(cmd, &a.Output)
}

// Run does it, with the given stages in place of those of the same names. It returns the installation so that the caller
// can say what comes next; nil after a dry run.
func (a *Apply) Run(ctx context.Context, instead ...stage.Stage) (*installation.Installation, error) {
	if a.keys != nil {
		keyed, err := a.keyed()
		if err != nil {
			return nil, err
		}
		instead = append([]stage.Stage{keyed}, instead...)
	}
	inst, err := a.run(ctx, instead)
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

func (a *Apply) run(ctx context.Context, instead []stage.Stage) (*installation.Installation, error) {
	a.About(true, a.Names...)
	inst, err := a.begin(ctx, instead)
	if err != nil {
		return nil, err
	}
	lines := a.Out
	if a.Output != "" {
		lines = nil
	}
	run, err := inst.Run(ctx, a.Progress(lines).Report, a.Names...)
	if err != nil {
		return nil, err
	}
	run.Selected = a.narrowed(run.Selected)
	if run.Adopt, err = a.adopted(run); err != nil {
		return nil, err
	}
	plan, err := run.Plan(ctx)
	if err != nil {
		return nil, err
	}
	if a.DryRun {
		return nil, ShowPlan(a.Options, plan, a.Output, false)
	}
	if err := plan.Err(); err != nil {
		return nil, errors.Join(err, a.unadopted(plan))
	}
	if a.WantsKeys && vaultstage.LacksPlace(plan) {
		return nil, errors.New("nothing was written: Vault will need a place for its keys: give --keys-file FILE, or set vault.mode: none")
	}
	stand, rest := standing(a.Names, plan)
	inst.TellDoubts(ctx, stand...)
	if err := a.agree(ctx, plan); err != nil {
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
	inst.TellDoubts(ctx, rest...)
	if a.Output != "" {
		return inst, Structured(a.Out, a.Output, plan)
	}
	return inst, nil
}

// standing tells the stages of which everything is there from those of which something has yet to be made.
func standing(names []string, plan engine.Plan) (stand, rest []string) {
	for _, name := range names {
		made := slices.ContainsFunc(plan.Steps, func(s engine.Planned) bool { return s.Stage == name && s.Change.Action == engine.Create })
		if made {
			rest = append(rest, name)
		} else {
			stand = append(stand, name)
		}
	}
	return stand, rest
}

func (a *Apply) begin(ctx context.Context, instead []stage.Stage) (*installation.Installation, error) {
	options := a.With(instead...)
	options.Records = a.tellRecords
	if options.DNSWait == dnsWait {
		options.DNSWait = min(dnsWait, a.Timeout)
	}
	if a.DryRun {
		return options.Open(ctx)
	}
	return options.OpenSettled(ctx, a.Timeout)
}

// narrowed are the steps that are both selected and wanted.
func (a *Apply) narrowed(selected func(engine.Step) bool) func(engine.Step) bool {
	if a.Only == nil {
		return selected
	}
	return func(s engine.Step) bool { return selected(s) && a.Only(s) }
}

// ShowPlan prints a plan in the format asked for, and returns ErrChanges when it would change something. For people it sums
// up what is known later, unless all lines are wanted.
func ShowPlan(o *Options, plan engine.Plan, format Format, all bool) error {
	if format != "" {
		if err := Structured(o.Out, format, plan); err != nil {
			return err
		}
	} else {
		o.PrintPlan(o.Out, plan, all)
	}
	if err := plan.Err(); err != nil {
		return said(plan, err)
	}
	if plan.Writes() {
		return ErrChanges
	}
	return nil
}

// said leaves out of a plan's error what its lines told a person already.
func said(plan engine.Plan, err error) error {
	for _, s := range plan.Steps {
		if s.Err != nil {
			return err
		}
	}
	return ErrBlocked
}

// agree asks before anything that the plan itself says has a risk. Where there is no one to ask, all of it is said at once.
func (a *Apply) agree(ctx context.Context, plan engine.Plan) error {
	var errs []error
	for _, s := range plan.Steps {
		if s.Change.Risk == "" {
			continue
		}
		err := a.Confirm(ctx, planLine(s)+lostLines(s.Change))
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", s.ID, s.Change.Risk, err))
		}
		if err != nil && !errors.Is(err, ErrUnasked) {
			break
		}
	}
	return errors.Join(errs...)
}

// lostLines are the differences that a person has to see before another party's thing is taken over, a line each.
func lostLines(c engine.Change) string {
	if c.Adopts == nil {
		return ""
	}
	var out strings.Builder
	for _, f := range c.Fields {
		out.WriteString("\n    " + fieldLine(f))
	}
	return out.String()
}

// unadopted says what a person would still have to agree to once nothing is blocked any more.
func (a *Apply) unadopted(plan engine.Plan) error {
	var errs []error
	for _, s := range plan.Steps {
		if s.Change.Adopts != nil && s.Change.Risk != "" && !a.Yes {
			errs = append(errs, fmt.Errorf("%s: %s; agree to that with --adopt %s", s.ID, s.Change.Risk, s.ID))
		}
	}
	return errors.Join(errs...)
}

// adopted are the steps that --adopt names. A slip must not go unnoticed.
func (a *Apply) adopted(run engine.Run) (map[engine.ID]bool, error) {
	named := map[engine.ID]bool{}
	for _, id := range a.Adopt {
		if !slices.ContainsFunc(run.Steps, func(s engine.Step) bool { return s.ID == engine.ID(id) && run.Selected(s) }) {
			return nil, fmt.Errorf("--adopt %s: no such step in this run: give a name as --dry-run prints it", id)
		}
		named[engine.ID(id)] = true
	}
	return named, nil
}

// consent is asked for what only came up during the apply.
func (a *Apply) consent(ctx context.Context, id engine.ID, planned, now engine.Change) error {
	// Steps that run at the same time may ask, and a person answers one question after another.
	a.asking.Lock()
	defer a.asking.Unlock()
	what := strings.Join(slices.DeleteFunc([]string{now.Why, now.Risk}, func(s string) bool { return s == "" }), "; ")
	if err := a.Confirm(ctx, fmt.Sprintf("%s: the plan said %s, now it would be: %s: %s", id, planned.Action, now.Action, what)); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// Confirm asks before something that has a risk.
func (a *Apply) Confirm(ctx context.Context, question string) error {
	return a.Ask(ctx, a.Yes, question+"\nGo on?")
}

// resumable adds to an interrupted run how it is continued.
func (o *Options) resumable(err error) error {
	if errors.Is(err, ErrInterrupted) {
		args := os.Args[1:]
		return fmt.Errorf("%w; what was done stays, and the same command continues: %s %s", ErrInterrupted, o.call(args), again(args))
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
