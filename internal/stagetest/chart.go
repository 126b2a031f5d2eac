package stagetest

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/testbed"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// UseChart packs the testbed's chart of a component, puts it into the profile and lets Helm find it.
func UseChart(t *testing.T, env *stage.Env, name string) {
	t.Helper()
	out := testbed.PackCharts(t, name)
	component, err := env.Profile.Component(name)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(out, name+"-"+component.Chart.Version+".tgz"))
	if err != nil {
		t.Fatal(err)
	}
	if env.Profile, err = env.Profile.WithChart(name, profile.Chart{SHA256: fmt.Sprintf("%x", sha256.Sum256(raw))}); err != nil {
		t.Fatal(err)
	}
	env.Helm.ChartDir = out
}
