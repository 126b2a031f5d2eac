package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// plugin is the manifest as krew reads it (krew v0.4, pkg/index/types.go).
type plugin struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Version, Homepage, ShortDescription, Description, Caveats string
		Platforms                                                 []struct {
			Selector struct {
				MatchLabels map[string]string `json:"matchLabels"`
			} `json:"selector"`
			URI    string `json:"uri"`
			SHA256 string `json:"sha256"`
			Bin    string `json:"bin"`
			Files  []any  `json:"files"`
		} `json:"platforms"`
	} `json:"spec"`
}

// valid checks what krew checks before it takes a manifest (internal/index/validation), and that no two platforms overlap.
func valid(t *testing.T, text []byte) plugin {
	t.Helper()
	var p plugin
	if err := yaml.UnmarshalStrict(text, &p); err != nil {
		t.Fatal(err)
	}
	matches := func(pattern, value string) bool { return regexp.MustCompile(pattern).MatchString(value) }
	switch {
	case p.APIVersion != "krew.googlecontainertools.github.com/v1alpha2" || p.Kind != "Plugin":
		t.Errorf("apiVersion %q, kind %q", p.APIVersion, p.Kind)
	case !matches(`^[\w-]+$`, p.Metadata.Name):
		t.Errorf("name %q", p.Metadata.Name)
	case !matches(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`, p.Spec.Version):
		t.Errorf("version %q", p.Spec.Version)
	case p.Spec.ShortDescription == "" || strings.ContainsAny(p.Spec.ShortDescription, "\r\n"):
		t.Errorf("shortDescription %q", p.Spec.ShortDescription)
	case len(p.Spec.Platforms) == 0:
		t.Error("no platforms")
	}
	seen := map[string]bool{}
	for _, platform := range p.Spec.Platforms {
		labels := platform.Selector.MatchLabels
		at := labels["os"] + "/" + labels["arch"]
		switch {
		case len(labels) != 2 || seen[at]:
			t.Errorf("%s: selector %v", at, labels)
		case !matches(`^https://\S+\.(tar\.gz|zip)$`, platform.URI) || !strings.Contains(platform.URI, "/"+p.Spec.Version+"/"):
			t.Errorf("%s: uri %q", at, platform.URI)
		case !matches(`^[a-f0-9]{64}$`, platform.SHA256):
			t.Errorf("%s: sha256 %q", at, platform.SHA256)
		case platform.Bin == "" || strings.HasSuffix(platform.Bin, ".exe") != (labels["os"] == "windows"):
			t.Errorf("%s: bin %q", at, platform.Bin)
		case platform.Files != nil:
			t.Errorf("%s: without files everything of the archive is taken, and that is what is wanted", at)
		}
		seen[at] = true
	}
	return p
}

func TestManifest(t *testing.T) {
	file := filepath.Join(t.TempDir(), "krew-manifest.yaml")
	m := manifest{Version: "v1.2.3", Module: "example.org/a/b", Releases: "https://example.org/a/b/releases/download"}
	for _, at := range []string{"linux/amd64", "darwin/arm64", "windows/amd64"} {
		goos, goarch, _ := strings.Cut(at, "/")
		program := "kubectl-onyxia"
		if goos == "windows" {
			program += ".exe"
		}
		m.Archives = append(m.Archives, archive{OS: goos, Arch: goarch, Name: "kubectl-onyxia_" + goos + "_" + goarch + ".tar.gz", Program: program, SHA256: strings.Repeat("0f", 32)})
	}
	if err := write(m, file); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if p := valid(t, text); len(p.Spec.Platforms) != 3 || p.Spec.Platforms[0].URI != "https://example.org/a/b/releases/download/v1.2.3/kubectl-onyxia_linux_amd64.tar.gz" {
		t.Errorf("%+v", p.Spec)
	}
}

// The manifest at the top of the repository is one that krew takes.
func TestManifestOfTheRelease(t *testing.T) {
	text, err := os.ReadFile("../../krew-manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	valid(t, text)
}

// Archives have program and licence at the top, where krew looks for them, and the same bytes each time.
func TestPack(t *testing.T) {
	program := filepath.Join(t.TempDir(), "kubectl-onyxia")
	if err := os.WriteFile(program, []byte("program"), 0o600); err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	if err := errors.Join(pack(&first, program, "../../LICENSE"), pack(&second, program, "../../LICENSE")); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("two archives of the same files differ")
	}
	zip, err := gzip.NewReader(&first)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for files := tar.NewReader(zip); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, header.Name)
		if runs := header.Mode&0o111 != 0; runs != (header.Name == "kubectl-onyxia") {
			t.Errorf("%s has mode %o", header.Name, header.Mode)
		}
	}
	if !slices.Equal(names, []string{"kubectl-onyxia", "LICENSE"}) {
		t.Errorf("holds %v", names)
	}
}

// The file that is replaced is the one that the program embeds, and it is empty here.
func TestVersionFile(t *testing.T) {
	t.Chdir("../..")
	if text, err := os.ReadFile(versionFile); err != nil || len(text) > 0 {
		t.Errorf("%q, %v", text, err)
	}
	dir := t.TempDir()
	overlay, err := withVersion(dir, "v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	list := exec.CommandContext(t.Context(), "go", "list", "-overlay="+overlay, "-f", "{{.EmbedFiles}}", "./pkg/cmd/version")
	if out, err := list.CombinedOutput(); err != nil || !strings.Contains(string(out), "released.txt") {
		t.Errorf("%s, %v", out, err)
	}
}

// Only a version that people get changes the manifest at the top of the repository.
func TestFinal(t *testing.T) {
	for version, want := range map[string]bool{"v0.1.0": true, "v1.12.3": true, "v0.1.0-3-g12ab34c": false, "v0.0.0-12ab34c": false, "v1.0.0+dirty": false} {
		if final(version) != want {
			t.Errorf("%s: %v", version, !want)
		}
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"-version", "v1.0.0", "-releases", "https://a"}, {"-version", "v1.0.0", "linux/amd64"}, {"-version", "v1.0.0", "-releases", "https://a", "-out", filepath.Join(t.TempDir(), "dist"), "linux"}} {
		if err := run(t.Context(), args); err == nil {
			t.Errorf("%v was taken", args)
		}
	}
}
