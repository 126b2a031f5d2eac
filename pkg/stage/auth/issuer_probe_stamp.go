package auth

import (
	"context"
	"fmt"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// stampName is the ConfigMap that says for which address the way was tried.
const stampName = "auth-reach"

// stamp is that ConfigMap.
type stamp struct{ stage.Note }

func newStamp(env stage.Env) stamp {
	return stamp{stage.NewNote(env, stampName)}
}

// note is what it says.
type note struct {
	// Digest stands for an address and authorities; empty when nothing was tried.
	Digest string
	At     string
	// Untold is why it could not be tried; empty when pods got there.
	Untold string
}

func (n note) words() string {
	if n.Untold != "" {
		return "could not be tried at " + n.At + ": " + n.Untold
	}
	return "pods got there at " + n.At
}

// read gives what was tried last; the zero value for nothing.
func (s stamp) read(ctx context.Context) (note, error) {
	says, err := s.Read(ctx)
	if err != nil {
		return note{}, fmt.Errorf("when pods were shown to reach the login: %w", err)
	}
	return note{Digest: says["configuration"], At: says["tried"], Untold: says["untold"]}, nil
}

func (s stamp) write(ctx context.Context, n note) error {
	if err := s.Write(ctx, map[string]string{"configuration": n.Digest, "tried": n.At, "untold": n.Untold}); err != nil {
		return fmt.Errorf("that pods were sent to the login could not be noted: %w", err)
	}
	return nil
}
