package helm

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
)

// registry answers the four reading requests of the OCI distribution specification 1.1 that a pull makes: manifests by
// tag and by digest, blobs, and the list of tags.
type ociRegistry struct {
	*httptest.Server
	tags  map[string][]byte
	blobs map[string][]byte
}

func digestOf(data []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(data)) }

func newOCIRegistry(t testing.TB, charts map[string][]byte) *ociRegistry {
	r := &ociRegistry{tags: map[string][]byte{}, blobs: map[string][]byte{}}
	for version, data := range charts {
		config := []byte(`{"name":"demo","version":"` + version + `","apiVersion":"v2"}`)
		manifest, err := json.Marshal(map[string]any{
			"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
			"config": map[string]any{"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": digestOf(config), "size": len(config)},
			"layers": []any{map[string]any{"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "digest": digestOf(data), "size": len(data)}},
		})
		if err != nil {
			t.Fatal(err)
		}
		tag := strings.ReplaceAll(version, "+", "_")
		r.tags[tag], r.blobs[digestOf(config)], r.blobs[digestOf(data)] = manifest, config, data
		r.tags[digestOf(manifest)] = manifest
	}
	r.Server = httptest.NewTLSServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.Close)
	return r
}

func (r *ociRegistry) serve(w http.ResponseWriter, req *http.Request) {
	rest, ok := strings.CutPrefix(req.URL.Path, "/v2/charts/demo/")
	kind, name, _ := strings.Cut(rest, "/")
	var body []byte
	switch {
	case !ok:
	case kind == "manifests":
		body = r.tags[name]
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
	case kind == "blobs":
		body = r.blobs[name]
		w.Header().Set("Content-Type", "application/octet-stream")
	case rest == "tags/list":
		var tags []string
		for tag := range r.tags {
			if !strings.Contains(tag, ":") {
				tags = append(tags, tag)
			}
		}
		body, _ = json.Marshal(map[string]any{"name": "charts/demo", "tags": tags})
	}
	if body == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Docker-Content-Digest", digestOf(body))
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	if req.Method != http.MethodHead {
		w.Write(body)
	}
}

func TestOCI(t *testing.T) {
	t.Setenv("HELM_CONFIG_HOME", t.TempDir())
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	plain, plus := pack(t, "demo", "1.0.0", nil), pack(t, "demo", "1.1.0+build.2", nil)
	r := newOCIRegistry(t, map[string][]byte{"1.0.0": plain, "1.1.0+build.2": plus})
	prefix := "oci://" + r.Listener.Addr().String() + "/charts"
	client := &Client{CacheDir: t.TempDir(), HTTP: r.Client()}

	for version, data := range map[string][]byte{"1.0.0": plain, "1.1.0+build.2": plus} {
		chart := profile.Chart{Repository: prefix, Name: "demo", Version: version, SHA256: newArchive(data).digest}
		if _, digest, err := client.load(t.Context(), chart); err != nil || digest != chart.SHA256 {
			t.Errorf("%s: %v, digest %s", version, err, digest)
		}
	}
	wrong := profile.Chart{Repository: prefix, Name: "demo", Version: "1.0.0", SHA256: strings.Repeat("c", 64)}
	wantError(t, client.Fetch(t.Context(), wrong), "wanted "+wrong.SHA256, "found "+newArchive(plain).digest, "charts/demo:1.0.0", "--chart-dir")
	missing := profile.Chart{Repository: prefix, Name: "demo", Version: "1.0.7", SHA256: testDigest}
	wantError(t, client.Fetch(t.Context(), missing), "there is no version 1.0.7", "1.0.0", "--chart-dir")
	absent := profile.Chart{Repository: prefix, Name: "none", Version: "1.0.0", SHA256: testDigest}
	wantError(t, client.Fetch(t.Context(), absent), "none:1.0.0", "--chart-dir")
}

// D (review of 2026-11): what a registry sends was read without a limit, and index.yaml up to 100 MiB.
func TestDDownloadsAreLimited(t *testing.T) {
	t.Setenv("HELM_CONFIG_HOME", t.TempDir())
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	registry := newOCIRegistry(t, map[string][]byte{"1.0.0": make([]byte, maxChart+1)})
	index := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for part, n := make([]byte, 1<<20), 0; n <= maxIndex>>20; n++ {
			if _, err := w.Write(part); err != nil {
				return
			}
		}
	}))
	t.Cleanup(index.Close)
	for name, tt := range map[string]struct {
		server *httptest.Server
		scheme string
		say    string
	}{
		"OCI":        {registry.Server, "oci://", "larger than 20 MiB"},
		"index.yaml": {index, "https://", "larger than 32 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			client := &Client{HTTP: tt.server.Client()}
			chart := profile.Chart{Repository: tt.scheme + tt.server.Listener.Addr().String() + "/charts", Name: "demo", Version: "1.0.0", SHA256: testDigest}
			wantError(t, client.Fetch(t.Context(), chart), tt.say, "--chart-dir")
		})
	}
}

// D: a registry that takes requests and never answers.
func TestDSilentRegistry(t *testing.T) {
	t.Setenv("HELM_CONFIG_HOME", t.TempDir())
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() }))
	t.Cleanup(server.Close)
	client := &Client{HTTP: &http.Client{Transport: server.Client().Transport, Timeout: 200 * time.Millisecond}}
	chart := profile.Chart{Repository: "oci://" + server.Listener.Addr().String() + "/charts", Name: "demo", Version: "1.0.0", SHA256: testDigest}
	wantError(t, client.Fetch(t.Context(), chart), "can't be had", "--chart-dir")
}
