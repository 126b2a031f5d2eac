package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/installation"
	vaultstage "github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/vault"
)

// Remove is what down and every uninstall share. What holds data stays unless it is named.
type Remove struct {
	*Options
	// Names of the stages; all of them means the record goes too.
	Names []string
	// DryRun prints the plan and removes nothing.
	DryRun bool
	// DeleteData names the steps whose data is to go.
	DeleteData []string
	// Timeout for what has to be waited for.
	Timeout time.Duration
	// Output format of a dry run.
	Output Format
	// Yes agrees to the removal.
	Yes bool
}

// AddRemoveFlags registers the flags.
func (r *Remove) AddRemoveFlags(cmd *cobra.Command) {
	fs := cmd.Flags()
	addDryRunFlag(cmd, &r.DryRun, "Print what would be removed and remove nothing; exit code 2 if something would be")
	AddYesFlag(cmd, &r.Yes, "Remove without being asked")
	fs.StringSliceVar(&r.DeleteData, "delete-data", nil, "Also remove this step, which holds data; the name as --dry-run prints it")
	fs.DurationVar(&r.Timeout, "timeout", Timeout, "How long the whole removal may take")
	AddOutputFlag(cmd, &r.Output)
	cmd.Flags().Lookup("output").Usage = "Output format of a dry run: json or yaml"
	completeWith(cmd, "delete-data", r.holders)
}

// Run does it.
func (r *Remove) Run(ctx context.Context) error {
	r.About(true, r.Names...)
	inst, err := r.begin(ctx)
	if err != nil {
		return err
	}
	named := map[engine.ID]bool{}
	for _, id := range r.DeleteData {
		named[engine.ID(id)] = true
	}
	removal, err := inst.Removal(ctx, r.told(), r.Names, named)
	if err != nil {
		return err
	}
	if r.DryRun {
		return ShowPlan(r.Options, removal.Plan, r.Output, false)
	}
	if err := removal.Plan.Err(); err != nil {
		return err
	}
	if err := r.agree(ctx, inst, removal.Plan); err != nil {
		return err
	}
	without, err := r.withoutStages(ctx, inst)
	if err != nil {
		return err
	}
	if without != nil || removal.Plan.Writes() {
		err = engine.WithLock(ctx, inst.Lock, func(ctx context.Context) error {
			if without != nil {
				if err := without(ctx); err != nil {
					return err
				}
			}
			ctx, cancel := context.WithTimeoutCause(ctx, r.Timeout, engine.ErrTimeout)
			defer cancel()
			return removal.Do(ctx)
		})
	}
	if err == nil && !removal.Plan.Writes() {
		_, err = fmt.Fprintln(r.Out, Summary(removal.Plan))
	}
	return r.resumable(err)
}

func (r *Remove) begin(ctx context.Context) (*installation.Installation, error) {
	// A Vault that others run is left as it was found, which takes rights on it.
	options := r.With(vaultstage.With(WithVaultToken(vaultstage.Options{Removing: true, Agreed: r.Yes})))
	if r.DryRun {
		inst, err := options.Open(ctx)
		return inst, r.unrecorded(err)
	}
	inst, err := options.OpenSettled(ctx, r.Timeout)
	return inst, r.unrecorded(err)
}

// agree asks before anything is taken away, with the plan in view.
func (r *Remove) agree(ctx context.Context, inst *installation.Installation, plan engine.Plan) error {
	if r.Yes || !plan.Writes() {
		return nil
	}
	what := "the datalab"
	if len(r.Names) < len(r.Stages) {
		what = strings.Join(r.Names, ", ") + " of the datalab"
	}
	r.PrintPlan(r.ErrOut, plan, true)
	if err := r.Ask(ctx, r.Yes, fmt.Sprintf("Remove %s %s from cluster %s?", what, inst.Platform.Domain, inst.Kube.Name())); err != nil {
		return fmt.Errorf("%s would be removed: %w", what, err)
	}
	return nil
}

// told prints what goes and what stays; what was not there is not worth a line.
func (r *Remove) told() func(engine.Event) {
	progress := r.Progress(r.Out)
	return func(e engine.Event) {
		if e.Kind != engine.Done || e.Change.Action != engine.Unchanged {
			progress.Report(e)
		}
	}
}

// withoutStages asks for what takes the stages out of Onyxia's own configuration before they go, nil for nothing: users would
// meet a page that calls them.
func (r *Remove) withoutStages(ctx context.Context, inst *installation.Installation) (func(context.Context) error, error) {
	run, needed, err := inst.WithoutStages(ctx, r.Progress(r.Out).Report, r.Names)
	if err != nil || !needed {
		return nil, err
	}
	plan, err := run.Plan(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range plan.Steps {
		if s.Change.Risk == "" {
			continue
		}
		if err := r.Ask(ctx, r.Yes, planLine(s)+"\nGo on?"); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", s.ID, s.Change.Risk, err)
		}
	}
	return func(ctx context.Context) error {
		return run.Apply(ctx, plan, engine.Options{Timeout: r.Timeout})
	}, nil
}
