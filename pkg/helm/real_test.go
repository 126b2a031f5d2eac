package helm

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
)

// TestRealCharts installs every chart of the directory CHARTS with its own defaults, and then shows that a second run
// finds nothing to do, and how long that takes. The small charts of the other tests don't spell things in all the ways
// that published charts do.
func TestRealCharts(t *testing.T) {
	dir := os.Getenv("CHARTS")
	if dir == "" {
		t.Skip("CHARTS names no directory of packaged charts")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no charts in %s: %v", dir, err)
	}
	for _, file := range files {
		match := regexp.MustCompile(`^(.+?)-(v?\d.*)\.tgz$`).FindStringSubmatch(filepath.Base(file))
		if match == nil {
			t.Errorf("%s is not named like a packaged chart", file)
			continue
		}
		t.Run(match[1], func(t *testing.T) { realChart(t, dir, profile.Chart{Name: match[1], Version: match[2]}) })
	}
}

func realChart(t *testing.T, dir string, chart profile.Chart) {
	s := newSite(t)
	s.charts.path = dir
	s.cluster.KeepReady(t)
	r := s.release(chart, nil)
	began := time.Now()
	wantChange(t, s.apply(r), engine.Create, "")
	installed := time.Since(began)

	mark := s.cluster.Mark(t)
	resource := s.client().Release(r)
	if _, err := resource.Observe(t.Context()); err != nil {
		t.Fatal(err)
	}
	resource.store.shared.Forget()
	requests := len(mark.Requests(t))
	began = time.Now()
	seen, err := resource.Observe(t.Context())
	took := time.Since(began)
	if err != nil {
		t.Fatal(err)
	}
	wantChange(t, resource.Plan(seen), engine.Unchanged, "")
	if writes := mark.Writes(t); len(writes) > 0 {
		t.Errorf("writes: %q", writes)
	}
	t.Logf("%s %s: %d objects, %d definitions; installed in %s; no-op decision in %s, %d requests (with discovery), record of %d kB",
		chart.Name, chart.Version, strings.Count(seen.Stored.Manifest, "\nkind:"), len(seen.Stored.CRDs), installed, took, requests,
		len(s.record(1).Data["release"])>>10)
	if err := s.client().Release(r).Remove(t.Context()); err != nil && !strings.Contains(err.Error(), "persistentvolumeclaim") {
		t.Error(err)
	}
}
