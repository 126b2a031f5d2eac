// Command release builds the plugin for every platform, packs the archives, and writes their checksums and the krew
// manifest. The manifest's digests are those of the archives beside it; that of a version that people get also becomes the
// one at the top of the repository.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"github.com/Masterminds/semver/v3"
)

// krew is the manifest (krew.googlecontainertools.github.com/v1alpha2). The version of krew's index begins with a v.
const krew = `# Written by make release from the archives in dist.
apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: onyxia
spec:
  version: {{.Version}}
  homepage: https://{{.Module}}
  shortDescription: Take a cluster to an Onyxia datalab
  description: |
    Takes a bare Kubernetes cluster to a working Onyxia datalab, stage by stage:
    ingress controller, TLS certificate, login, object storage, secrets, and
    Onyxia itself. Every stage may be run again, by anyone, and changes only
    what differs.
  caveats: |
    For completion, save the output of "kubectl onyxia completion kubectl" as
    kubectl_complete-onyxia on the PATH.
  platforms:
{{- range .Archives}}
  - selector:
      matchLabels:
        os: {{.OS}}
        arch: {{.Arch}}
    uri: {{$.Releases}}/{{$.Version}}/{{.Name}}
    sha256: {{.SHA256}}
    bin: {{.Program}}
{{- end}}
`

type archive struct{ OS, Arch, Name, Program, SHA256 string }

type manifest struct {
	Version, Module, Releases string
	Archives                  []archive
}

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	version := flags.String("version", "", "version, v0.1.0 for instance")
	releases := flags.String("releases", "", "where the archives will be published, without the version")
	out := flags.String("out", "dist", "folder to write to")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *version == "" || *releases == "" || flags.NArg() == 0 {
		return errors.New("usage: release -version V -releases URL OS/ARCH [OS/ARCH]")
	}
	if !strings.HasPrefix(*version, "v") {
		*version = "v0.0.0-" + *version
	}
	if err := os.MkdirAll(*out, 0o755); err != nil {
		return err
	}
	m := manifest{Version: *version, Releases: *releases, Module: strings.TrimPrefix(strings.TrimSuffix(*releases, "/releases/download"), "https://")}
	var sums strings.Builder
	for _, platform := range flags.Args() {
		goos, goarch, ok := strings.Cut(platform, "/")
		if !ok {
			return fmt.Errorf("platform %q is not OS/ARCH", platform)
		}
		a, err := build(ctx, *out, *version, goos, goarch)
		if err != nil {
			return fmt.Errorf("%s: %w", platform, err)
		}
		m.Archives = append(m.Archives, a)
		fmt.Fprintf(&sums, "%s  %s\n", a.SHA256, a.Name)
		fmt.Println(a.SHA256, a.Name)
	}
	if err := os.WriteFile(filepath.Join(*out, "SHA256SUMS"), []byte(sums.String()), 0o644); err != nil {
		return err
	}
	if err := write(m, filepath.Join(*out, manifestName)); err != nil || !final(*version) {
		return err
	}
	return write(m, manifestName)
}

const manifestName = "krew-manifest.yaml"

// final tells v1.2.3 from what leads up to it, v1.2.3-rc.1 or v0.0.0-8c4e2f1.
func final(version string) bool {
	v, err := semver.NewVersion(version)
	return err == nil && v.Prerelease() == "" && v.Metadata() == ""
}

func build(ctx context.Context, out, version, goos, goarch string) (archive, error) {
	a := archive{OS: goos, Arch: goarch, Program: "kubectl-onyxia", Name: fmt.Sprintf("kubectl-onyxia_%s_%s.tar.gz", goos, goarch)}
	if goos == "windows" {
		a.Program += ".exe"
	}
	dir, err := os.MkdirTemp("", "release")
	if err != nil {
		return a, err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, a.Program)
	overlay, err := withVersion(dir, version)
	if err != nil {
		return a, err
	}
	// Without the commit in it the program is the same for the same sources.
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-overlay="+overlay, "-ldflags=-s -w", "-o", program, "./cmd/kubectl-onyxia")
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return a, fmt.Errorf("go build: %w", err)
	}
	var packed bytes.Buffer
	if err := pack(&packed, program, "LICENSE"); err != nil {
		return a, err
	}
	a.SHA256 = fmt.Sprintf("%x", sha256.Sum256(packed.Bytes()))
	return a, os.WriteFile(filepath.Join(out, a.Name), packed.Bytes(), 0o644)
}

// versionFile is what the program reads its version from; it is empty in the sources.
const versionFile = "pkg/cmd/version/released.txt"

// withVersion writes what lets the Go toolchain see another content of the version's file (go help build, -overlay).
func withVersion(dir, version string) (string, error) {
	place, err := filepath.Abs(versionFile)
	if err != nil {
		return "", err
	}
	content, overlay := filepath.Join(dir, "released.txt"), filepath.Join(dir, "overlay.json")
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{place: content}})
	if err != nil {
		return "", err
	}
	return overlay, errors.Join(os.WriteFile(content, []byte(version+"\n"), 0o644), os.WriteFile(overlay, text, 0o644))
}

// pack writes the program and what comes along with it, the same bytes for the same files: no owner, no date.
func pack(to io.Writer, program string, beside ...string) error {
	zip := gzip.NewWriter(to)
	archive := tar.NewWriter(zip)
	for _, file := range append([]string{program}, beside...) {
		raw, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		mode := int64(0o644)
		if file == program {
			mode = 0o755
		}
		header := &tar.Header{Name: filepath.Base(file), Mode: mode, Size: int64(len(raw)), ModTime: time.Unix(0, 0)}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := archive.Write(raw); err != nil {
			return err
		}
	}
	return errors.Join(archive.Close(), zip.Close())
}

func write(m manifest, file string) error {
	t, err := template.New("krew").Parse(krew)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := t.Execute(&text, m); err != nil {
		return err
	}
	return os.WriteFile(file, text.Bytes(), 0o644)
}
