// Package status is the command that shows what is there and whether it works.
package status

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/cli"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/installation"
)

// Options of the command.
type Options struct {
	*cli.Options
	Names  []string
	Output cli.Format
}

// NewCommand makes the command.
func NewCommand(o *cli.Options) *cobra.Command {
	s := &Options{Options: o}
	cmd := &cobra.Command{
		Use:        "status [STAGE...]",
		Short:      "Show what is there, whether it works, and what differs",
		Long:       "Show what is there, whether it works, and what differs from what is wanted. Nothing is written.\n\nExit code 0: all is well; 3: something is not.",
		SuggestFor: []string{"get", "list", "check", "describe"},
		ValidArgs:  cli.StageNames(o.Stages),
		Example:    "  " + o.Command + " status\n  " + o.Command + " status auth -o json",
		Args:       cli.OnlyStages(o.Stages),
		RunE: func(cmd *cobra.Command, args []string) error {
			s.Names = args
			return s.Run(cmd.Context())
		},
	}
	cli.AddOutputFlag(cmd, &s.Output)
	return cmd
}

// Run observes and prints.
func (s *Options) Run(ctx context.Context) error {
	s.About(false, s.Names...)
	inst, err := s.OpenToRead(ctx)
	if err != nil {
		return err
	}
	names := s.Names
	if len(names) == 0 {
		for _, name := range inst.StageNames() {
			if inst.Present[name] {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return s.nothing(inst)
	}
	run, err := inst.Run(ctx, nil, names...)
	if err != nil {
		return err
	}
	plan, err := run.Plan(ctx)
	if err != nil {
		return err
	}
	if s.Output != "" {
		err = cli.Structured(s.Out, s.Output, plan)
	} else {
		err = s.table(plan)
	}
	if err == nil && !plan.Settled() {
		err = cli.ErrCheck
	}
	return err
}

// nothing says what it means that no stage is installed.
func (s *Options) nothing(inst *installation.Installation) error {
	if inst.Recorded {
		fmt.Fprintf(s.ErrOut, "nothing is installed here, and there is a record in namespace %s: a run was begun, or data was kept. Continue with `%s up`\n", inst.Platform.Namespace(), s.Call())
	} else {
		fmt.Fprintf(s.ErrOut, "nothing is installed here (no record in namespace %s): begin with `%s up`\n", inst.Platform.Namespace(), s.Call())
	}
	if s.Output != "" {
		if err := cli.Structured(s.Out, s.Output, engine.NewPlan()); err != nil {
			return err
		}
	}
	return cli.ErrCheck
}

func (s *Options) table(plan engine.Plan) error {
	w := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "STAGE\tNAME\tSTATE\tREASON")
	told := map[string]bool{}
	for _, line := range plan.Steps {
		if line.Change.After != "" && told[line.Change.Why] {
			line.Change.Why = ""
		}
		told[line.Change.Why] = true
		state, reason := state(line)
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", line.Stage, line.ID, state, s.Worded(strings.Join(strings.Fields(reason), " ")))
	}
	return w.Flush()
}

// state sums up a line: is it there, is it as wanted, does it work.
func state(line engine.Planned) (word, reason string) {
	c := line.Change
	switch {
	case line.Err != nil:
		return "unknown", line.Error
	case c.Action == engine.Create && c.After != "":
		return "unknown", strings.TrimSuffix("known after "+string(c.After)+": "+c.Why, ": ")
	case c.Action == engine.Create:
		return "missing", c.Why
	case c.Action == engine.Configure || c.Action == engine.Replace:
		return "differs", differing(c)
	case c.Action != engine.Unchanged:
		return string(c.Action), c.Why
	case line.Health != nil && !line.Health.Ready:
		return "not ready", line.Health.Reason
	}
	return "ready", c.Why
}

func differing(c engine.Change) string {
	if c.Why != "" {
		return c.Why
	}
	paths := make([]string, 0, len(c.Fields))
	for _, f := range c.Fields {
		paths = append(paths, f.Path)
	}
	return strings.Join(paths, ", ")
}
