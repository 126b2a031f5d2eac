package stages

import (
	"io"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/cli"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/installation"
	vaultstage "github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/vault"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

// The keys are said to be in a file only where a run has seen that they open this Vault (B3).
func TestB3WhereTheKeysAre(t *testing.T) {
	out := &strings.Builder{}
	o := cli.New(genericiooptions.IOStreams{In: strings.NewReader(""), Out: out, ErrOut: io.Discard}, nil, "kubectl onyxia")
	i := &initialisation{Apply: &cli.Apply{Options: o}, keys: &vaultstage.Keys{File: "keys.yaml"}}
	if err := i.next(); err != nil {
		t.Fatal(err)
	}
	if said := out.String(); strings.Contains(said, "The keys are in") || !strings.Contains(said, "Whether those in the file keys.yaml open it shows with: kubectl onyxia vault unseal --keys-file keys.yaml") {
		t.Errorf("said: %s", said)
	}
}

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
