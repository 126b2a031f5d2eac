package helm

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
)

// pack makes a packaged chart of the files; Chart.yaml is added.
func pack(t testing.TB, name, version string, files map[string]string) []byte {
	t.Helper()
	all := map[string]string{"Chart.yaml": fmt.Sprintf("apiVersion: v2\nname: %s\nversion: %s\n", name, version)}
	maps.Copy(all, files)
	var buf bytes.Buffer
	zip := gzip.NewWriter(&buf)
	out := tar.NewWriter(zip)
	for _, file := range slices.Sorted(maps.Keys(all)) {
		if err := out.WriteHeader(&tar.Header{Name: name + "/" + file, Mode: 0o644, Size: int64(len(all[file]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Write([]byte(all[file])); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// chartDir is a directory of packaged charts.
type chartDir struct {
	t    testing.TB
	path string
}

func newChartDir(t testing.TB) chartDir { return chartDir{t, t.TempDir()} }

// add puts a chart into the directory and gives it with its sha256.
func (d chartDir) add(name, version string, files map[string]string) profile.Chart {
	d.t.Helper()
	data := pack(d.t, name, version, files)
	if err := os.WriteFile(filepath.Join(d.path, name+"-"+version+".tgz"), data, 0o644); err != nil {
		d.t.Fatal(err)
	}
	return profile.Chart{Repository: "https://charts.example.org", Name: name, Version: version, SHA256: newArchive(data).digest}
}

// lines collects warnings.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, line)
}

func (l *lines) get() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}
