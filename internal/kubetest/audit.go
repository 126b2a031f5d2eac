package kubetest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
)

// Mark is a place in the API server's audit log.
type Mark struct {
	cluster *Cluster
	offset  int64
}

// Mark remembers the present end of the audit log: what was answered before is before it.
func (c *Cluster) Mark(t testing.TB) Mark {
	t.Helper()
	return Mark{cluster: c, offset: c.flushed(t)}
}

// Writes are the writing requests that clients made since the mark, whatever their outcome, in the form
// "patch /api/v1/namespaces/x/secrets/y 200". Reviews of rights and tokens and dry runs write nothing and are left out, and so are
// the test's own requests.
func (m Mark) Writes(t testing.TB) []string {
	t.Helper()
	return m.requests(t, "create", "update", "patch", "delete", "deletecollection")
}

// Requests are all requests that clients made since the mark, in the form of Writes.
func (m Mark) Requests(t testing.TB) []string {
	t.Helper()
	return m.requests(t)
}

type auditEvent struct {
	Verb           string `json:"verb"`
	RequestURI     string `json:"requestURI"`
	ResponseStatus struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
}

func (m Mark) requests(t testing.TB, verbs ...string) []string {
	t.Helper()
	end := m.cluster.flushed(t)
	f, err := os.Open(m.cluster.auditLog())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var lines []string
	scanner := bufio.NewScanner(io.NewSectionReader(f, m.offset, end-m.offset))
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var e auditEvent
		if err := json.Unmarshal(scanner.Bytes(), &e); err != nil {
			t.Fatalf("audit log: %v", err)
		}
		uri, query, _ := strings.Cut(e.RequestURI, "?")
		own := strings.HasPrefix(query, markQuery)
		review := strings.HasPrefix(uri, "/apis/authorization.k8s.io") || strings.HasPrefix(uri, "/apis/authentication.k8s.io")
		dry := strings.Contains(query, "dryRun=")
		if own || len(verbs) > 0 && (review || dry || !slices.Contains(verbs, e.Verb)) {
			continue
		}
		lines = append(lines, fmt.Sprintf("%s %s %d", e.Verb, uri, e.ResponseStatus.Code))
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// markQuery is how the requests that flush the log are told from others.
const markQuery = "kubetest-mark="

// flushed makes a request that can be told from others and waits until it is in the log. The log is written in the
// order of the answers, so what was answered before is in it then too. It returns the length of the log.
func (c *Cluster) flushed(t testing.TB) int64 {
	t.Helper()
	mark := markQuery + randomText(16)
	set, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	name, value, _ := strings.Cut(mark, "=")
	if err := set.Discovery().RESTClient().Get().AbsPath("/version").Param(name, value).Do(t.Context()).Error(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		log, err := os.ReadFile(c.auditLog())
		if err != nil {
			t.Fatal(err)
		}
		if i := bytes.LastIndex(log, []byte(mark)); i >= 0 {
			if n := bytes.IndexByte(log[i:], '\n'); n >= 0 {
				return int64(i + n + 1)
			}
		}
	}
	t.Fatal("the API server's audit log does not show the test's own request")
	return 0
}
