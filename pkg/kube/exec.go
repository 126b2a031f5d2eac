package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"
	"k8s.io/streaming/pkg/httpstream"
)

// ExecError says that a command in a container ran and failed.
type ExecError struct {
	// Pod as namespace/name.
	Pod  string
	Code int
	// Stderr is what the command said, in one line.
	Stderr string
}

func (e *ExecError) Error() string {
	text := fmt.Sprintf("a command in pod %s ended with exit code %d", e.Pod, e.Code)
	if e.Stderr != "" {
		text += ": " + e.Stderr
	}
	return text
}

// Exec runs a command in a container, as kubectl exec does, and gives what it printed on stdout. It goes over a WebSocket,
// or over SPDY where the API server or a proxy before it has none. A command that fails is an *ExecError; the command
// itself stands in no error. A command that reads stdin to its end must have a sign of its own for the end: not every
// version of the protocol has one.
func (c *Client) Exec(ctx context.Context, namespace, pod, container string, command []string, stdin []byte) ([]byte, error) {
	executor, err := c.executor(namespace, pod, &corev1.PodExecOptions{
		Container: container, Command: command, Stdin: len(stdin) > 0, Stdout: true, Stderr: true,
	})
	if err != nil {
		return nil, fmt.Errorf("exec in pod %s/%s: %w", namespace, pod, err)
	}
	var stdout, stderr bytes.Buffer
	streams := remotecommand.StreamOptions{Stdout: &stdout, Stderr: &stderr}
	if len(stdin) > 0 {
		streams.Stdin = bytes.NewReader(stdin)
	}
	err = executor.StreamWithContext(ctx, streams)
	var failed exec.CodeExitError
	switch {
	case errors.As(err, &failed):
		return nil, &ExecError{Pod: namespace + "/" + pod, Code: failed.Code, Stderr: oneLine(stderr.String())}
	case ctx.Err() != nil:
		return nil, fmt.Errorf("exec in pod %s/%s: %w", namespace, pod, context.Cause(ctx))
	case err != nil:
		return nil, fmt.Errorf("exec in pod %s/%s: %w", namespace, pod, Explain(err))
	}
	return stdout.Bytes(), nil
}

func (c *Client) executor(namespace, pod string, options *corev1.PodExecOptions) (remotecommand.Executor, error) {
	url := c.Clientset.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).SubResource("exec").
		VersionedParams(options, scheme.ParameterCodec).URL()
	socket, err := remotecommand.NewWebSocketExecutor(c.Config, http.MethodGet, url.String())
	if err != nil {
		return nil, err
	}
	spdy, err := remotecommand.NewSPDYExecutor(c.Config, http.MethodPost, url)
	if err != nil {
		return nil, err
	}
	return remotecommand.NewFallbackExecutor(socket, spdy, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
}
