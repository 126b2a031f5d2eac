package vault

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// recorder stands for a Vault with 3 shares of which 2 open it. It keeps all that it is sent, and takes any share and token.
type recorder struct {
	*httptest.Server
	id string

	mu          sync.Mutex
	initialised bool
	sealed      bool
	progress    int
	received    strings.Builder
}

func startRecorder(t *testing.T, id string) *recorder {
	t.Helper()
	r := &recorder{id: id}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *recorder) is(initialised, sealed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.initialised, r.sealed, r.progress = initialised, sealed, 0
}

// got is all that was received, requests and commands.
func (r *recorder) got() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.received.String()
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(&r.received, "%s %s %v %s\n", req.Method, req.URL, req.Header, body)
	var answer map[string]any
	switch path := strings.TrimPrefix(req.URL.Path, "/v1/"); path {
	case "sys/unseal":
		var in struct{ Key string }
		_ = json.Unmarshal(body, &in)
		if r.progress++; in.Key == "" {
			r.progress = 0
		}
		if r.progress == 2 {
			r.sealed, r.progress = false, 0
		}
		answer = r.seal()
	case "sys/seal-status", "sys/health":
		answer = r.seal()
	case "auth/token/lookup-self":
		answer = map[string]any{"data": map[string]any{"policies": []string{"root"}}}
	case "auth/token/create-orphan":
		answer = map[string]any{"auth": map[string]any{"client_token": "hvs.session"}}
	default:
		answer = map[string]any{"data": map[string]any{}}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (r *recorder) seal() map[string]any {
	seal := map[string]any{"type": "shamir", "version": "1.14.1", "initialized": r.initialised, "sealed": r.sealed || !r.initialised, "progress": r.progress}
	if r.initialised {
		seal["n"], seal["t"] = 3, 2
	}
	if r.initialised && !r.sealed {
		seal["cluster_id"] = r.id
	}
	return seal
}

// record makes the pod of the lab's Vault lead to the recorder. Commands in the pod break off.
func (l *lab) record(t *testing.T, r *recorder) {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "vault-0", Namespace: l.namespace()}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "vault", Image: "none"}}}}
	l.cluster.BackPod(t, pod, port, strings.TrimPrefix(r.URL, "http://"))
	l.cluster.Execute(t, l.namespace(), "vault-0", func(command []string, stdin io.Reader, _, stderr io.Writer) int {
		text, _ := io.ReadAll(stdin)
		r.mu.Lock()
		defer r.mu.Unlock()
		fmt.Fprintf(&r.received, "exec %v %s\n", command, text)
		if strings.Contains(fmt.Sprint(command), " collect ") {
			return 0
		}
		fmt.Fprintln(stderr, "the connection broke")
		return 1
	})
}
