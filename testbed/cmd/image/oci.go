package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// Media types of the OCI image specification v1.1.
const (
	typeIndex    = "application/vnd.oci.image.index.v1+json"
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	typeLayer    = "application/vnd.oci.image.layer.v1.tar"
)

// nameAnnotation is where containerd looks for the name to store an image of an archive under.
const nameAnnotation = "io.containerd.image.name"

// containerConfig is how the container starts (the "config" object of an image configuration).
type containerConfig struct {
	User       string   `json:"User,omitempty"`
	Env        []string `json:"Env,omitempty"`
	Entrypoint []string `json:"Entrypoint,omitempty"`
	Cmd        []string `json:"Cmd,omitempty"`
	WorkingDir string   `json:"WorkingDir,omitempty"`
}

// layer is an uncompressed tar file and its sha256, as "sha256:<hex>".
type layer struct {
	path   string
	digest string
	size   int64
}

// readLayer sums a tar file. The sum of a large one is kept beside it, since it is asked for at every start of the
// cluster; it counts as long as the tar file is not newer.
func readLayer(path string) (layer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return layer{}, err
	}
	l := layer{path: path, size: info.Size()}
	beside := path + ".sha256"
	if sum, err := os.ReadFile(beside); err == nil {
		if at, err := os.Stat(beside); err == nil && !info.ModTime().After(at.ModTime()) {
			l.digest = strings.TrimSpace(string(sum))
			return l, nil
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return layer{}, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return layer{}, err
	}
	l.digest = "sha256:" + hex.EncodeToString(h.Sum(nil))
	// whole or not at all: half a sum would be believed at every later start
	part := beside + ".part"
	if err := os.WriteFile(part, []byte(l.digest+"\n"), 0o600); err != nil {
		return layer{}, err
	}
	return l, os.Rename(part, beside)
}

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// blob is a small JSON document of the image.
type blob struct {
	digest string
	data   []byte
}

func newBlob(v any) (blob, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return blob{}, err
	}
	sum := sha256.Sum256(data)
	return blob{digest: "sha256:" + hex.EncodeToString(sum[:]), data: data}, nil
}

func (b blob) descriptor(mediaType string) descriptor {
	return descriptor{MediaType: mediaType, Digest: b.digest, Size: int64(len(b.data))}
}

// image is a whole image, ready to be written as an OCI layout.
type image struct {
	layers   []layer
	config   blob
	manifest blob
	index    blob
}

// newImage describes an image for linux on the given architecture. The same layers and configuration give the same
// manifest digest, whatever the names.
func newImage(names []string, layers []layer, c containerConfig, arch string) (*image, error) {
	diffs := make([]string, 0, len(layers))
	descriptors := make([]descriptor, 0, len(layers))
	for _, l := range layers {
		diffs = append(diffs, l.digest)
		descriptors = append(descriptors, descriptor{MediaType: typeLayer, Digest: l.digest, Size: l.size})
	}
	config, err := newBlob(map[string]any{
		"architecture": arch, "os": "linux", "config": c,
		"rootfs": map[string]any{"type": "layers", "diff_ids": diffs},
	})
	if err != nil {
		return nil, err
	}
	manifest, err := newBlob(map[string]any{
		"schemaVersion": 2, "mediaType": typeManifest, "config": config.descriptor(typeConfig), "layers": descriptors,
	})
	if err != nil {
		return nil, err
	}
	var named []descriptor
	for _, name := range names {
		d := manifest.descriptor(typeManifest)
		d.Annotations = map[string]string{nameAnnotation: name}
		named = append(named, d)
	}
	index, err := newBlob(map[string]any{"schemaVersion": 2, "mediaType": typeIndex, "manifests": named})
	if err != nil {
		return nil, err
	}
	return &image{layers: layers, config: config, manifest: manifest, index: index}, nil
}

// write writes the image as a tar of an OCI layout.
func (img *image) write(w io.Writer) error {
	tw := tar.NewWriter(w)
	files := []struct {
		name string
		data []byte
	}{
		{"oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)},
		{"index.json", img.index.data},
		{blobPath(img.config.digest), img.config.data},
		{blobPath(img.manifest.digest), img.manifest.data},
	}
	for _, f := range files {
		if err := add(tw, f.name, int64(len(f.data)), bytes.NewReader(f.data)); err != nil {
			return err
		}
	}
	for _, l := range img.layers {
		if err := addFile(tw, l); err != nil {
			return fmt.Errorf("layer %s: %w", l.path, err)
		}
	}
	return tw.Close()
}

func addFile(tw *tar.Writer, l layer) error {
	f, err := os.Open(l.path)
	if err != nil {
		return err
	}
	defer f.Close()
	return add(tw, blobPath(l.digest), l.size, f)
}

func add(tw *tar.Writer, name string, size int64, r io.Reader) error {
	if err := tw.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: size, Format: tar.FormatPAX}); err != nil {
		return err
	}
	_, err := io.Copy(tw, r)
	return err
}

func blobPath(digest string) string {
	return "blobs/" + strings.Replace(digest, ":", "/", 1)
}
