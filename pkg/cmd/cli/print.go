package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// Progress prints events: change lines on out, everything else on errOut. It is safe for concurrent use.
type Progress struct {
	mu          sync.Mutex
	out, errOut io.Writer
	worded      func(string) string
	failed      map[string]bool
	// reasons are what was said last of each step that is waited for.
	reasons map[engine.ID]string
}

// Progress makes one that prints change lines on out; nil prints none.
func (o *Options) Progress(out io.Writer) *Progress {
	return &Progress{out: out, errOut: o.ErrOut, worded: o.Worded, failed: map[string]bool{}, reasons: map[engine.ID]string{}}
}

// Report is an engine.Run's listener.
func (p *Progress) Report(e engine.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e.Kind {
	case engine.Done:
		if p.out != nil {
			fmt.Fprintf(p.out, "%s %s%s\n", e.ID, e.Result, p.worded(remark(e.Change)))
		}
	case engine.Waiting:
		reason := ": " + oneLine(e.Reason)
		if p.reasons[e.ID] == reason {
			reason = ""
		} else {
			p.reasons[e.ID] = reason
		}
		fmt.Fprintf(p.errOut, "waiting for %s (%s)%s\n", e.ID, e.Elapsed.Round(time.Second), p.worded(reason))
	case engine.Failed:
		p.failed["needs "+string(e.ID)] = true
		fmt.Fprintf(p.errOut, "%s failed\n", e.ID)
	case engine.Skipped:
		// What needs something that was skipped, or was not begun when the run was stopped, is worth no line of its own.
		if p.failed[e.Reason] {
			fmt.Fprintf(p.errOut, "%s skipped: %s\n", e.ID, oneLine(e.Reason))
		}
	case engine.Started:
	}
}

// remark is what stands behind a change line that is not self-evident.
func remark(c engine.Change) string {
	switch {
	case c.Action == engine.Kept:
		return ": " + strings.TrimSuffix(c.Why+" ("+c.Fix+")", " ()")
	case (c.Action == engine.Configure || c.Action == engine.Replace) && c.Why != "":
		return ": " + oneLine(c.Why)
	}
	return ""
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func planLine(s engine.Planned) string {
	line := fmt.Sprintf("%s %s", s.ID, s.Change.Action)
	if s.Change.After != "" {
		line += ", known after " + string(s.Change.After)
	}
	for _, more := range []string{s.Change.Why, s.Change.Fix} {
		if more != "" {
			line += ": " + oneLine(more)
		}
	}
	if s.Change.Risk != "" {
		line += " (risk: " + s.Change.Risk + ")"
	}
	return line
}

func fieldLine(f engine.Field) string {
	switch {
	case f.Secret:
		return f.Path + ": (secret)"
	case f.From == "":
		return f.Path + ": + " + oneLine(f.To)
	case f.To == "":
		return f.Path + ": - " + oneLine(f.From)
	}
	return fmt.Sprintf("%s: %s -> %s", f.Path, oneLine(f.From), oneLine(f.To))
}

// Summary counts a plan's actions in one line.
func Summary(plan engine.Plan) string {
	counts := map[engine.Action]int{}
	for _, s := range plan.Steps {
		if s.Err == nil {
			counts[s.Change.Action]++
		}
	}
	var parts []string
	for _, a := range []engine.Action{engine.Create, engine.Configure, engine.Replace, engine.Delete, engine.Pending, engine.Blocked, engine.Kept, engine.Unchanged} {
		if n := counts[a]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, phrase(a)))
		}
	}
	if len(parts) == 0 {
		return "nothing to do"
	}
	return strings.Join(parts, ", ")
}

func phrase(a engine.Action) string {
	switch a {
	case engine.Create, engine.Configure, engine.Replace, engine.Delete:
		return "to " + string(a)
	}
	return string(a)
}
