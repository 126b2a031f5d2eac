package vault

import (
	"context"
	"fmt"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// stampName is the ConfigMap that says for which configuration the proof was run.
const stampName = "vault-proof"

// stamp is that ConfigMap.
type stamp struct{ stage.Note }

func newStamp(env stage.Env) stamp {
	return stamp{stage.Note{Kube: env.Kube, Namespace: env.Platform.Namespace(), Name: stampName}}
}

// read gives what was shown last; the zero value for nothing.
func (s stamp) read(ctx context.Context) (proofSeen, error) {
	says, err := s.Read(ctx)
	if err != nil {
		return proofSeen{}, fmt.Errorf("when vault was shown to work: %w", err)
	}
	return proofSeen{Digest: says["configuration"], At: says["shown"]}, nil
}

func (s stamp) write(ctx context.Context, shown proofSeen) error {
	if err := s.Write(ctx, map[string]string{"configuration": shown.Digest, "shown": shown.At}); err != nil {
		return fmt.Errorf("vault works, but that could not be noted: %w", err)
	}
	return nil
}
