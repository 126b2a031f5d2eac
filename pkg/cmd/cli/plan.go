package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// PrintPlan prints a plan for people: what would change and why, stage by stage. Unchanged steps are counted, not listed.
// Each reason is said once. Steps inside a server that does not run yet are summed up after the first of them, unless all
// lines are wanted.
func (o *Options) PrintPlan(out io.Writer, plan engine.Plan, all bool) {
	p := printing{out: out, worded: o.Worded, all: all, told: map[string]bool{}}
	several := len(stagesOf(plan)) > 1
	for _, name := range stagesOf(plan) {
		if several {
			fmt.Fprintf(out, "%s:\n", name)
		}
		p.stage(plan, name)
	}
	fmt.Fprintln(out, Summary(plan))
}

// stagesOf are the stages that have something to say, in the plan's order.
func stagesOf(plan engine.Plan) []string {
	var names []string
	seen := map[string]bool{}
	for _, s := range plan.Steps {
		if worthALine(s) && !seen[s.Stage] {
			seen[s.Stage] = true
			names = append(names, s.Stage)
		}
	}
	return names
}

func worthALine(s engine.Planned) bool { return s.Err == nil && s.Change.Action != engine.Unchanged }

// printing is a plan on its way to people.
type printing struct {
	out    io.Writer
	worded func(string) string
	all    bool
	// told are the reasons that were said.
	told map[string]bool
}

func (p printing) stage(plan engine.Plan, name string) {
	more := map[string]int{}
	var systems []string
	for _, s := range plan.Steps {
		if s.Stage != name || !worthALine(s) {
			continue
		}
		system := inside(s)
		if !p.all && system != "" && p.told[reasonOf(s)] {
			if more[system] == 0 {
				systems = append(systems, system)
			}
			more[system]++
			continue
		}
		p.line(s)
	}
	for _, system := range systems {
		fmt.Fprintf(p.out, "%d more inside %s, known once it runs\n", more[system], system)
	}
}

func (p printing) line(s engine.Planned) {
	reason := reasonOf(s)
	if p.told[reason] && s.Change.Risk == "" {
		s.Change.Why, s.Change.Fix = "", ""
	}
	p.told[reason] = true
	fmt.Fprintln(p.out, p.worded(planLine(s)))
	for _, f := range s.Change.Fields {
		fmt.Fprintln(p.out, "    "+fieldLine(f))
	}
}

// reasonOf is what a line says besides what happens to which step.
func reasonOf(s engine.Planned) string { return s.Change.Why + "\x00" + s.Change.Fix }

// inside names the server that a step is inside of and that does not run yet; empty for other steps.
func inside(s engine.Planned) string {
	if s.Change.Action != engine.Create || s.Change.After == "" {
		return ""
	}
	kind, _, _ := strings.Cut(string(s.ID), "/")
	_, system, _ := strings.Cut(kind, ".")
	return map[string]string{"keycloak": "Keycloak", "vault": "Vault", "s3": "the S3 server"}[system]
}
