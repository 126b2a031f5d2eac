package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func chartFolder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

var traefik = map[string]string{
	"Chart.yaml":            "apiVersion: v2\nname: traefik\nversion: 39.0.0\nappVersion: v3.6.7\ndependencies:\n  - name: other\n    version: 1.0.0\n",
	"values.yaml":           "a: 1\n",
	"templates/NOTES.txt":   "stand-in",
	"templates/b/inner.tpl": "{{/* nothing */}}",
}

func TestPack(t *testing.T) {
	folder, out := chartFolder(t, traefik), t.TempDir()
	var printed strings.Builder
	if err := run([]string{out, folder}, &printed); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(printed.String(), "  traefik-39.0.0.tgz\n") || len(strings.Fields(printed.String())[0]) != 64 {
		t.Errorf("printed %q", printed.String())
	}
	f, err := os.Open(filepath.Join(out, "traefik-39.0.0.tgz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if want := traefik[strings.TrimPrefix(h.Name, "traefik/")]; string(text) != want {
			t.Errorf("%s holds %q, want %q", h.Name, text, want)
		}
		names = append(names, h.Name)
	}
	want := []string{"traefik/Chart.yaml", "traefik/templates/NOTES.txt", "traefik/templates/b/inner.tpl", "traefik/values.yaml"}
	if !slices.Equal(names, want) {
		t.Errorf("files %q, want %q", names, want)
	}
}

func TestPackGivesTheSameBytesForTheSameFolder(t *testing.T) {
	sum := func(files map[string]string, age time.Duration) string {
		folder := chartFolder(t, files)
		at := time.Now().Add(-age)
		if err := os.Chtimes(filepath.Join(folder, "values.yaml"), at, at); err != nil {
			t.Fatal(err)
		}
		var printed strings.Builder
		if err := run([]string{t.TempDir(), folder}, &printed); err != nil {
			t.Fatal(err)
		}
		return printed.String()
	}
	if sum(traefik, 0) != sum(traefik, time.Hour) {
		t.Error("the same files of another date give other bytes")
	}
}

func TestPackRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no folder":  {[]string{t.TempDir()}, "usage"},
		"no chart":   {[]string{t.TempDir(), t.TempDir()}, "is not a chart"},
		"no version": {[]string{t.TempDir(), chartFolder(t, map[string]string{"Chart.yaml": "name: x\n"})}, "no name or no version"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := run(tc.args, io.Discard); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
}

// TestStandIns packs the stand-in charts of this repository and wants each to say what it is.
func TestStandIns(t *testing.T) {
	folders, err := filepath.Glob("../../charts/*/Chart.yaml")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no charts found: %v", err)
	}
	for _, file := range folders {
		folder := filepath.Dir(file)
		t.Run(filepath.Base(folder), func(t *testing.T) {
			if err := run([]string{t.TempDir(), folder}, io.Discard); err != nil {
				t.Error(err)
			}
			for name, want := range map[string]string{
				"Chart.yaml": `stand-in: "true"`, "README.md": "stand-in", "values.schema.json": `"additionalProperties": false`,
			} {
				text, err := os.ReadFile(filepath.Join(folder, name))
				if err != nil || !strings.Contains(string(text), want) {
					t.Errorf("%s does not hold %q (%v)", name, want, err)
				}
			}
		})
	}
}
