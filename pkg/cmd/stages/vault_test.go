package stages

import (
	"io"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/cli"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/installation"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

// A volume is never deleted without a person's word, whatever stopped the initialisation.
func TestResetAsks(t *testing.T) {
	for name, lost := range map[string]*vault.LostError{"half initialised": {Half: true, Sealed: true}, "its answer lost": {Sealed: true}} {
		o := &cli.Options{IOStreams: genericiooptions.IOStreams{In: strings.NewReader("y\n"), Out: io.Discard, ErrOut: io.Discard}}
		i := &initialisation{Apply: &cli.Apply{Options: o}, reset: true}
		// Nothing of this installation can be reached, so going on would end otherwise.
		err := i.renew(t.Context(), &installation.Installation{}, lost)
		if err == nil || !strings.Contains(err.Error(), "vault is not reset") || !strings.Contains(err.Error(), "--yes") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
