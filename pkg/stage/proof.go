package stage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// Proof is the step by which a stage shows that it serves the users of Onyxia's pages, and serves each their own things only.
// Showing it takes writing, so it is done once for each configuration, and whenever it is asked for; a ConfigMap remembers for
// which configuration.
type Proof struct {
	// Stage that is shown to work, and the Note of it.
	Stage string
	Note  ProofNote
	// Digest stands for all that the proof depends on.
	Digest string
	// Asked says that it is to be shown whatever the note says.
	Asked bool
	// How says what is done for it, in a few words.
	How string
	// Show does it. What it could not show, for want of something that only a person can give, comes back in words; empty when
	// all was shown.
	Show func(context.Context) (missing string, err error)

	// shown says that this run has done it.
	shown bool
}

// Observe reads what was shown last.
func (p *Proof) Observe(ctx context.Context) (Shown, error) {
	seen, err := p.Note.Read(ctx)
	seen.Asked = p.Asked && !p.shown
	return seen, err
}

// Plan compares.
func (p *Proof) Plan(seen Shown) engine.Change {
	switch {
	case seen.Digest == "":
		return engine.Change{Action: engine.Create, Why: "not shown yet: " + p.How}
	case seen.Digest != p.Digest:
		return engine.Change{Action: engine.Configure, Why: "shown for another configuration: " + p.How}
	case seen.Asked:
		return engine.Change{Action: engine.Configure, Why: "to be shown again: " + p.How}
	case seen.Missing != "":
		return engine.Change{Action: engine.Unchanged, Why: "not shown: " + seen.Missing + "; the rest was shown at " + seen.At}
	}
	return engine.Change{Action: engine.Unchanged, Why: "shown at " + seen.At}
}

// Apply runs the proof, and notes it where that is news. When it fails, what was shown before does not hold any more, and is
// forgotten; when it was stopped, nothing is known.
func (p *Proof) Apply(ctx context.Context, seen Shown) error {
	missing, err := p.Show(ctx)
	if err != nil {
		err = fmt.Errorf("%s is not shown to work: %w", p.Stage, err)
		if ctx.Err() != nil || seen.Digest == "" {
			return err
		}
		return errors.Join(err, p.Note.Remove(ctx))
	}
	p.shown = true
	if seen.Digest == p.Digest && (seen.Missing == "" || missing != "") {
		return nil
	}
	return p.Note.Write(ctx, Shown{Digest: p.Digest, At: time.Now().UTC().Format(time.RFC3339), Missing: missing})
}

// Remove forgets it.
func (p *Proof) Remove(ctx context.Context) error { return p.Note.Remove(ctx) }
