package main

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFullName(t *testing.T) {
	for name, want := range map[string]string{
		"busybox":                               "docker.io/library/busybox:latest",
		"traefik:v3.7.15":                       "docker.io/library/traefik:v3.7.15",
		"inseefrlab/onyxia-api:v4.12.0":         "docker.io/inseefrlab/onyxia-api:v4.12.0",
		"quay.io/minio/mc":                      "quay.io/minio/mc:latest",
		"registry.k8s.io/pause:3.10":            "registry.k8s.io/pause:3.10",
		"docker.io/pgsty/silo:R.2026@sha256:ab": "docker.io/pgsty/silo@sha256:ab",
		"localhost:5000/x@sha256:ab":            "localhost:5000/x@sha256:ab",
		"localhost/x":                           "localhost/x:latest",
		"registry.test:5000/onyxia/tiny":        "registry.test:5000/onyxia/tiny:latest",
	} {
		if got := fullName(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

// folder makes a layer's folder with one file.
func folder(t *testing.T, name, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func pack(t *testing.T, args ...string) map[string][]byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "image.tar")
	if err := run(t.Context(), append([]string{"-output", out}, args...), io.Discard); err != nil {
		t.Fatal(err)
	}
	return untar(t, out)
}

func untar(t *testing.T, path string) map[string][]byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	files := map[string][]byte{}
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

func decode(t *testing.T, data []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
}

// TestLayout follows the image from its index to its layer as a container runtime does, checking every sum.
func TestLayout(t *testing.T) {
	files := pack(t, "-layer", folder(t, "program", "#!/bin/true"), "-entrypoint", `["/program","api"]`,
		"-env", "MODE=test", "-user", "101", "traefik:v3.7.15", "quay.io/minio/mc")
	for name, data := range files {
		if hexsum, ok := strings.CutPrefix(name, "blobs/sha256/"); ok {
			if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != hexsum {
				t.Errorf("%s does not hold what its name says", name)
			}
		}
	}
	var index struct{ Manifests []descriptor }
	decode(t, files["index.json"], &index)
	var names []string
	for _, d := range index.Manifests {
		names = append(names, d.Annotations["io.containerd.image.name"])
	}
	if want := []string{"docker.io/library/traefik:v3.7.15", "quay.io/minio/mc:latest"}; !slices.Equal(names, want) {
		t.Errorf("names %q, want %q", names, want)
	}
	var manifest struct {
		Config descriptor
		Layers []descriptor
	}
	decode(t, files[blobPath(index.Manifests[0].Digest)], &manifest)
	var config struct {
		Config containerConfig
		Rootfs struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	decode(t, files[blobPath(manifest.Config.Digest)], &config)
	if c := config.Config; !slices.Equal(c.Entrypoint, []string{"/program", "api"}) || c.User != "101" || !slices.Contains(c.Env, "MODE=test") {
		t.Errorf("configuration is %+v", c)
	}
	if len(manifest.Layers) != 1 || !slices.Equal(config.Rootfs.DiffIDs, []string{manifest.Layers[0].Digest}) {
		t.Fatalf("layers %v, diff_ids %v", manifest.Layers, config.Rootfs.DiffIDs)
	}
	l := filepath.Join(t.TempDir(), "layer.tar")
	if err := os.WriteFile(l, files[blobPath(manifest.Layers[0].Digest)], 0o600); err != nil {
		t.Fatal(err)
	}
	if got := string(untar(t, l)["./program"]); got != "#!/bin/true" {
		t.Errorf("program in the layer is %q", got)
	}
}

// TestSameContentsGiveTheSameDigest is what "there already" rests on.
func TestSameContentsGiveTheSameDigest(t *testing.T) {
	digest := func(args ...string) string {
		var index struct{ Manifests []descriptor }
		decode(t, pack(t, args...)["index.json"], &index)
		return index.Manifests[0].Digest
	}
	a, b := folder(t, "program", "one"), folder(t, "program", "one")
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(b, "program"), old, old); err != nil {
		t.Fatal(err)
	}
	if digest("-layer", a, "x") != digest("-layer", b, "y") {
		t.Error("the same contents under another name and date have another digest")
	}
	if digest("-layer", a, "x") == digest("-layer", folder(t, "program", "two"), "x") {
		t.Error("other contents have the same digest")
	}
	if digest("-layer", a, "x") == digest("-layer", a, "-cmd", `["serve"]`, "x") {
		t.Error("another command has the same digest")
	}
}

func TestSumOfALayerIsKeptUntilItChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l.tar")
	sum := func(text string, age time.Duration) string {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		l, err := readLayer(path)
		if err != nil {
			t.Fatal(err)
		}
		return l.digest
	}
	first := sum("one", time.Hour)
	if again := sum("two", time.Hour); again != first {
		t.Error("the sum kept beside an older file was not used")
	}
	if changed := sum("two", -time.Hour); changed == first {
		t.Error("the sum kept beside a newer file was used")
	}
}

func TestRunRefuses(t *testing.T) {
	dir := folder(t, "program", "x")
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no name":        {[]string{"-layer", dir}, "needs a name"},
		"no layer":       {[]string{"x"}, "needs a name"},
		"missing layer":  {[]string{"-layer", dir + "/none", "x"}, "no such file"},
		"bad entrypoint": {[]string{"-layer", dir, "-entrypoint", "/program", "x"}, "invalid character"},
		"no containerd":  {[]string{"-layer", dir, "-ctr", "false", "x"}, "is the cluster up?"},
	} {
		t.Run(name, func(t *testing.T) {
			err := run(t.Context(), tc.args, io.Discard)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
}
