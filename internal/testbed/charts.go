package testbed

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// PackCharts packs the stand-in charts whose folders match a pattern ("*" for all), and gives the folder with the archives.
func PackCharts(t testing.TB, pattern string) string {
	t.Helper()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	charts, err := filepath.Glob(filepath.Join(root, "testbed", "charts", pattern, "Chart.yaml"))
	if err != nil || len(charts) == 0 {
		t.Fatalf("no charts %s: %v", pattern, err)
	}
	out := t.TempDir()
	args := []string{"run", "-C", filepath.Join(root, "testbed"), "./cmd/charts", out}
	for _, chart := range charts {
		args = append(args, filepath.Dir(chart))
	}
	if output, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		t.Fatalf("packing charts: %v\n%s", err, output)
	}
	return out
}
