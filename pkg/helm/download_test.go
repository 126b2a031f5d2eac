package helm

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
)

// repository is a chart repository over HTTPS that counts what it is asked for.
type repository struct {
	*httptest.Server
	mu    sync.Mutex
	files map[string][]byte
	asked []string
	// fail is how many requests are answered 503 before the others.
	fail int
}

func newRepository(t testing.TB) *repository {
	r := &repository{files: map[string][]byte{}}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.asked = append(r.asked, req.URL.Path)
		if r.fail > 0 {
			r.fail--
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		data, ok := r.files[req.URL.Path]
		if !ok {
			http.NotFound(w, req)
			return
		}
		w.Write(data)
	}))
	r.Config.ErrorLog = log.New(io.Discard, "", 0)
	r.StartTLS()
	t.Cleanup(r.Close)
	return r
}

// publish puts a chart into the repository; link is what the index says for its address.
func (r *repository) publish(t testing.TB, name, version, link string) profile.Chart {
	t.Helper()
	data := pack(t, name, version, nil)
	digest := newArchive(data).digest
	r.mu.Lock()
	defer r.mu.Unlock()
	path := link
	if i := strings.Index(link, "://"); i >= 0 {
		path = link[i+3:]
		path = path[strings.Index(path, "/"):]
	} else if !strings.HasPrefix(link, "/") {
		path = "/charts/" + link
	}
	r.files[path] = data
	index := string(r.files["/charts/index.yaml"])
	if index == "" {
		index = "apiVersion: v1\nentries:\n  " + name + ":\n"
	}
	r.files["/charts/index.yaml"] = []byte(index + fmt.Sprintf("  - name: %s\n    version: %s\n    digest: %s\n    urls: [%q]\n", name, version, digest, link))
	return profile.Chart{Repository: r.URL + "/charts", Name: name, Version: version, SHA256: digest}
}

func (r *repository) requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string{}, r.asked...)
}

func (r *repository) client(t testing.TB) *Client {
	return &Client{CacheDir: t.TempDir(), HTTP: r.Server.Client()}
}

func TestDownload(t *testing.T) {
	r := newRepository(t)
	relative := r.publish(t, "demo", "1.0.0", "demo-1.0.0.tgz")
	rooted := r.publish(t, "demo", "1.1.0", "/elsewhere/demo-1.1.0.tgz")
	absolute := r.publish(t, "demo", "1.2.0", r.URL+"/releases/demo.tgz")
	for _, chart := range []profile.Chart{relative, rooted, absolute} {
		t.Run(chart.Version, func(t *testing.T) {
			client := r.client(t)
			loaded, digest, err := client.load(t.Context(), chart)
			if err != nil || loaded.Metadata.Version != chart.Version || digest != chart.SHA256 {
				t.Fatalf("load: %v, digest %s", err, digest)
			}
			info, err := os.Stat(filepath.Join(client.CacheDir, chart.SHA256+".tgz"))
			if err != nil || info.Mode().Perm() != 0o644 {
				t.Errorf("cache file: %v, %v", info, err)
			}
			before := len(r.requests())
			again := &Client{CacheDir: client.CacheDir, HTTP: r.Server.Client()}
			if err := again.Fetch(t.Context(), chart); err != nil || len(r.requests()) != before {
				t.Errorf("second run: %v, %d requests", err, len(r.requests())-before)
			}
		})
	}
}

func TestCorruptedCacheIsFetchedAnew(t *testing.T) {
	r := newRepository(t)
	chart := r.publish(t, "demo", "1.0.0", "demo-1.0.0.tgz")
	var warned lines
	client := r.client(t)
	client.Warn = warned.add
	file := filepath.Join(client.CacheDir, chart.SHA256+".tgz")
	if err := os.WriteFile(file, []byte("half a cha"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := client.Fetch(t.Context(), chart); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil || newArchive(data).digest != chart.SHA256 {
		t.Errorf("the cache was not mended: %v", err)
	}
	if got := warned.get(); len(got) != 1 || !strings.Contains(got[0], "damaged") {
		t.Errorf("warnings: %q", got)
	}
}

func TestDownloadErrors(t *testing.T) {
	r := newRepository(t)
	chart := r.publish(t, "demo", "1.0.0", "demo-1.0.0.tgz")
	r.publish(t, "demo", "1.5.0", "demo-1.5.0.tgz")
	with := func(change func(*profile.Chart)) profile.Chart { c := chart; change(&c); return c }
	tests := []struct {
		name  string
		chart profile.Chart
		says  []string
	}{
		{"wrong digest", with(func(c *profile.Chart) { c.SHA256 = strings.Repeat("b", 64) }),
			[]string{"wanted " + strings.Repeat("b", 64), "found " + chart.SHA256, r.URL + "/charts/demo-1.0.0.tgz", "--chart-dir"}},
		{"missing version", with(func(c *profile.Chart) { c.Version = "1.4.0" }), []string{"there is no version 1.4.0", "1.0.0, 1.5.0", "--chart-dir"}},
		{"missing chart", with(func(c *profile.Chart) { c.Name = "else" }), []string{"the index has no chart else", "index.yaml", "--chart-dir"}},
		{"no such repository", with(func(c *profile.Chart) { c.Repository = r.URL + "/none" }), []string{"404", r.URL + "/none/index.yaml", "--chart-dir"}},
		{"nobody listens", with(func(c *profile.Chart) { c.Repository = "https://127.0.0.1:1/charts" }), []string{"connection refused", "--chart-dir"}},
		{"not a repository", with(func(c *profile.Chart) { c.Repository = "./charts" }), []string{"https:// or oci://"}},
		{"plain http without a digest", with(func(c *profile.Chart) { c.Repository = "http://127.0.0.1:1"; c.SHA256 = "" }), []string{"plain http and no sha256"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client := r.client(t)
			err := client.Fetch(t.Context(), tt.chart)
			wantError(t, err, tt.says...)
			var chartErr *ChartError
			if !errors.As(err, &chartErr) {
				t.Errorf("error is a %T", err)
			}
			if left, err := filepath.Glob(filepath.Join(client.CacheDir, "*")); err != nil || len(left) > 0 {
				t.Errorf("the cache holds %v, %v", left, err)
			}
		})
	}
}

// The index's digest stands in only where the profile has none.
func TestIndexDigestWithoutPin(t *testing.T) {
	r := newRepository(t)
	chart := r.publish(t, "demo", "1.0.0", "demo-1.0.0.tgz")
	chart.SHA256 = ""
	r.files["/charts/demo-1.0.0.tgz"] = pack(t, "demo", "1.0.0", map[string]string{"values.yaml": "evil: true\n"})
	wantError(t, r.client(t).Fetch(t.Context(), chart), "wrong sha256")
}

func TestDownloadTriesAgain(t *testing.T) {
	r := newRepository(t)
	chart := r.publish(t, "demo", "1.0.0", "demo-1.0.0.tgz")
	r.fail = 2
	if err := r.client(t).Fetch(t.Context(), chart); err != nil {
		t.Fatal(err)
	}
	if got := r.requests(); len(got) != 4 {
		t.Errorf("requests: %v, want the index three times and the chart once", got)
	}
	r.fail = 9
	err := r.client(t).Fetch(t.Context(), chart)
	wantError(t, err, "503")
	if got := r.requests(); len(got) != 7 {
		t.Errorf("requests: %v, want three more", got)
	}
}

func TestDownloadEndsWithTheContext(t *testing.T) {
	hold := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hold }))
	defer server.Close()
	defer close(hold)
	for _, repository := range []string{server.URL, "oci://" + server.Listener.Addr().String() + "/charts"} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		client := &Client{HTTP: server.Client()}
		began := time.Now()
		err := client.Fetch(ctx, profile.Chart{Repository: repository, Name: "demo", Version: "1.0.0", SHA256: testDigest})
		if err == nil || time.Since(began) > time.Minute {
			t.Errorf("%s: %v after %s", repository, err, time.Since(began))
		}
		if !errors.Is(err, context.DeadlineExceeded) && strings.HasPrefix(repository, "http") {
			t.Errorf("%s: %v", repository, err)
		}
	}
}

// A registry's certificate that nobody vouches for is an error, not a fallback to plain HTTP.
func TestUntrustedCertificate(t *testing.T) {
	r := newRepository(t)
	chart := r.publish(t, "demo", "1.0.0", "demo-1.0.0.tgz")
	client := &Client{HTTP: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}}}
	wantError(t, client.Fetch(t.Context(), chart), "certificate", "--chart-dir")
}
