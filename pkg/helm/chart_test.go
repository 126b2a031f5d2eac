package helm

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
)

func TestChartFromDirectory(t *testing.T) {
	dir := newChartDir(t)
	chart := dir.add("demo", "1.2.3", nil)
	dir.add("demo", "1.3.0", nil)
	dir.add("demo-extra", "9.9.9", nil)
	if err := os.Mkdir(filepath.Join(dir.path, "unpacked"), 0o755); err != nil {
		t.Fatal(err)
	}
	other := chart
	other.SHA256 = strings.Repeat("a", 64)
	missing := chart
	missing.Version = "1.2.4"
	unpinned := chart
	unpinned.SHA256 = ""

	tests := []struct {
		name  string
		chart profile.Chart
		says  []string
	}{
		{"good", chart, nil},
		{"good, digest in capitals", func() profile.Chart { c := chart; c.SHA256 = strings.ToUpper(c.SHA256); return c }(), nil},
		{"no digest", unpinned, nil},
		{"wrong digest", other, []string{"wanted " + other.SHA256, "found " + chart.SHA256, filepath.Join(dir.path, "demo-1.2.3.tgz"), "onyxia.yaml"}},
		{"missing version", missing, []string{"there is no version 1.2.4", "1.2.3, 1.3.0", "get demo-1.2.4.tgz by `helm pull demo --repo https://", " --version 1.2.4` and put it there"}},
		{"unpacked", profile.Chart{Name: "unpacked", Version: "1.0.0"}, []string{"unpacked directory", "helm package"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var warned lines
			client := &Client{ChartDir: dir.path, Warn: warned.add}
			loaded, digest, err := client.load(t.Context(), tt.chart)
			if tt.says == nil {
				if err != nil || loaded.Metadata.Version != tt.chart.Version || digest != chart.SHA256 {
					t.Fatalf("load: %v, digest %s", err, digest)
				}
			} else {
				wantError(t, err, tt.says...)
			}
			if warns := len(warned.get()) > 0; warns != (tt.chart.SHA256 == "" && tt.says == nil) {
				t.Errorf("warnings: %q", warned.get())
			}
		})
	}
}

// A warning that nobody vouches for a chart is given once, however often the chart is loaded.
func TestUnpinnedWarnsOnce(t *testing.T) {
	dir := newChartDir(t)
	chart := dir.add("demo", "1.2.3", nil)
	digest := chart.SHA256
	chart.SHA256 = ""
	var warned lines
	client := &Client{ChartDir: dir.path, Warn: warned.add}
	for range 3 {
		if err := client.Fetch(t.Context(), chart); err != nil {
			t.Fatal(err)
		}
	}
	if got := warned.get(); len(got) != 1 || !strings.Contains(got[0], "nobody vouches") || !strings.Contains(got[0], digest) {
		t.Errorf("warnings: %q", got)
	}
}

// Helm prefers a file or directory of the chart's name in the working directory. We don't look.
func TestWorkingDirectoryIsNotLookedAt(t *testing.T) {
	dir := newChartDir(t)
	chart := dir.add("demo", "1.2.3", nil)
	t.Chdir(dir.path)
	if err := os.Mkdir("demo", 0o755); err != nil {
		t.Fatal(err)
	}
	client := &Client{ChartDir: t.TempDir()}
	wantError(t, client.Fetch(t.Context(), chart), "demo 1.2.3", "no version of it is there")
}

func TestArchiveOfAnotherChart(t *testing.T) {
	dir := newChartDir(t)
	data := pack(t, "other", "1.2.3", nil)
	if err := os.WriteFile(filepath.Join(dir.path, "demo-1.2.3.tgz"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	client := &Client{ChartDir: dir.path}
	_, _, err := client.load(t.Context(), profile.Chart{Name: "demo", Version: "1.2.3"})
	wantError(t, err, "the archive holds other 1.2.3")
}

func TestCorruptArchive(t *testing.T) {
	dir := newChartDir(t)
	if err := os.WriteFile(filepath.Join(dir.path, "demo-1.2.3.tgz"), []byte("<html>not found</html>"), 0o644); err != nil {
		t.Fatal(err)
	}
	client := &Client{ChartDir: dir.path}
	_, _, err := client.load(t.Context(), profile.Chart{Name: "demo", Version: "1.2.3"})
	wantError(t, err, "chart demo 1.2.3")
}

// wantError checks that an error says all of the words, in one line.
func wantError(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q lacks %q", err, word)
		}
	}
	if strings.Contains(strings.TrimSpace(err.Error()), "\n") {
		t.Errorf("error has several lines: %q", err)
	}
	var digest *DigestError
	if errors.As(err, &digest) && (digest.From == "" || digest.Wanted == digest.Found) {
		t.Errorf("digest error without content: %#v", digest)
	}
}
