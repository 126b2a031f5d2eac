package kubetest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
)

// Program stands for what runs in a pod's container: it is given a command as `kubectl exec` sends it and returns its
// exit code.
type Program func(command []string, stdin io.Reader, stdout, stderr io.Writer) int

// execProtocol is the form in which the API server speaks to kubelets (k8s.io/apimachinery pkg/util/remotecommand).
const execProtocol = "v4.channel.k8s.io"

// Execute makes `kubectl exec` into a pod run a program on this machine, by way of the real API server. Make the pod with
// BackPod.
func (c *Cluster) Execute(t testing.TB, namespace, pod string, run Program) {
	t.Helper()
	c.startNode(t)
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	c.node.programs[namespace+"/"+pod] = run
}

// exec answers /exec/NAMESPACE/POD/CONTAINER as a kubelet does: one SPDY stream each for stdin, stdout, stderr and the end.
func (n *node) exec(w http.ResponseWriter, r *http.Request, target string) {
	pod := target[:strings.LastIndex(target, "/")]
	n.mu.Lock()
	run := n.programs[pod]
	n.mu.Unlock()
	if run == nil {
		http.Error(w, "no such pod: "+pod, http.StatusNotFound)
		return
	}
	query := r.URL.Query()
	wanted := []string{corev1.StreamTypeError}
	for parameter, kind := range map[string]string{
		corev1.ExecStdinParam: corev1.StreamTypeStdin, corev1.ExecStdoutParam: corev1.StreamTypeStdout, corev1.ExecStderrParam: corev1.StreamTypeStderr,
	} {
		if query.Get(parameter) == "1" {
			wanted = append(wanted, kind)
		}
	}
	if _, err := httpstream.Handshake(r, w, []string{execProtocol}); err != nil {
		return
	}
	made := make(chan httpstream.Stream, len(wanted))
	conn := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(s httpstream.Stream, _ <-chan struct{}) error {
		made <- s
		return nil
	})
	if conn == nil {
		return
	}
	defer conn.Close()
	streams := map[string]httpstream.Stream{}
	for range wanted {
		select {
		case s := <-made:
			streams[s.Headers().Get(corev1.StreamType)] = s
		case <-time.After(10 * time.Second):
			return
		}
	}
	var stdin io.Reader = strings.NewReader("")
	if s := streams[corev1.StreamTypeStdin]; s != nil {
		stdin = s
	}
	code := run(query[corev1.ExecCommandParam], stdin, streams[corev1.StreamTypeStdout], streams[corev1.StreamTypeStderr])
	for _, kind := range []string{corev1.StreamTypeStdout, corev1.StreamTypeStderr} {
		_ = streams[kind].Close()
	}
	_ = json.NewEncoder(streams[corev1.StreamTypeError]).Encode(ended(code))
	_ = streams[corev1.StreamTypeError].Close()
	// The other end closes the connection when it has read all.
	select {
	case <-conn.CloseChan():
	case <-time.After(5 * time.Second):
	}
}

// ended is how a kubelet tells an exit code (k8s.io/cri-streaming pkg/streaming/remotecommand).
func ended(code int) metav1.Status {
	if code == 0 {
		return metav1.Status{Status: metav1.StatusSuccess}
	}
	return metav1.Status{Status: metav1.StatusFailure, Reason: "NonZeroExitCode", Message: fmt.Sprintf("command terminated with exit code %d", code),
		Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{Type: "ExitCode", Message: fmt.Sprint(code)}}}}
}
