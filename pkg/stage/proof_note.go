package stage

import (
	"context"
	"fmt"
)

// ProofNote is the note of a stage that is shown to work: when, and for which configuration.
type ProofNote struct {
	stage string
	note  Note
}

// NewProofNote is the note of a stage's proof, the ConfigMap STAGE-proof.
func NewProofNote(env Env, stage string) ProofNote {
	return ProofNote{stage, NewNote(env, stage+"-proof")}
}

// Shown is what was shown last.
type Shown struct {
	// Digest stands for a configuration; empty when nothing was shown.
	Digest string
	At     string
	// Missing is what was not shown then, in words; empty when all was.
	Missing string
	// Asked says that it has to be shown again whatever was shown before. It is not noted.
	Asked bool
}

// Read gives what was shown last; the zero value for nothing.
func (p ProofNote) Read(ctx context.Context) (Shown, error) {
	says, err := p.note.Read(ctx)
	if err != nil {
		return Shown{}, fmt.Errorf("when %s was shown to work: %w", p.stage, err)
	}
	return Shown{Digest: says["configuration"], At: says["shown"], Missing: says["notShown"]}, nil
}

// Write notes what was shown.
func (p ProofNote) Write(ctx context.Context, shown Shown) error {
	says := map[string]string{"configuration": shown.Digest, "shown": shown.At}
	if shown.Missing != "" {
		says["notShown"] = shown.Missing
	}
	if err := p.note.Write(ctx, says); err != nil {
		return fmt.Errorf("%s works, but that could not be noted: %w", p.stage, err)
	}
	return nil
}

// Remove forgets it.
func (p ProofNote) Remove(ctx context.Context) error { return p.note.Remove(ctx) }
