package s3

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// audit is told by MinIO what it was asked for (audit webhook), by whomever.
type audit struct {
	server *httptest.Server
	mu     sync.Mutex
	calls  []call
}

// call is one request as MinIO names it: "PutBucketTagging /projet-group1".
type call struct {
	API struct {
		Name string `json:"name"`
	} `json:"api"`
	Path string `json:"requestPath"`
}

func (c call) String() string { return c.API.Name + " " + c.Path }

func newAudit(t *testing.T) *audit {
	t.Helper()
	a := &audit{}
	a.server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var each call
		if json.NewDecoder(r.Body).Decode(&each) == nil {
			a.mu.Lock()
			a.calls = append(a.calls, each)
			a.mu.Unlock()
		}
	}))
	t.Cleanup(a.server.Close)
	return a
}

func (a *audit) env() []string {
	return []string{"MINIO_AUDIT_WEBHOOK_ENABLE_TEST=on", "MINIO_AUDIT_WEBHOOK_ENDPOINT_TEST=" + a.server.URL}
}

func (a *audit) all() []call {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.calls)
}

// mark waits until all that was asked for by now has been told, and is where that ends.
func (m *minioProcess) mark(t *testing.T) int {
	t.Helper()
	marker := fmt.Sprintf("/mark-%d", time.Now().UnixNano())
	res, err := http.Get(m.url() + marker)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if at := slices.IndexFunc(m.audit.all(), func(c call) bool { return strings.HasPrefix(c.Path, marker) }); at >= 0 {
			return at + 1
		}
		if time.Now().After(deadline) {
			t.Fatal("MinIO tells nothing of what it was asked for")
		}
	}
}

// writes are the requests since a mark that do more than read.
func (m *minioProcess) writes(t *testing.T, since int) []string {
	t.Helper()
	end := m.mark(t)
	var list []string
	for _, each := range m.audit.all()[since : end-1] {
		if !slices.ContainsFunc([]string{"Get", "Head", "List", "Info"}, func(verb string) bool { return strings.HasPrefix(each.API.Name, verb) }) {
			list = append(list, each.String())
		}
	}
	return list
}
