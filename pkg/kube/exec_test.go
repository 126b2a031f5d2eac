package kube_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

// A command goes through the real API server to what stands for the container; what it prints and how it ends comes back.
func TestExec(t *testing.T) {
	cluster, c, ns := connect(t)
	pod := cluster.BackPod(t, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "vault-0", Namespace: ns}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "vault", Image: "none"}}}}, 8200, "127.0.0.1:1")
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	cluster.Execute(t, ns, pod, func(command []string, stdin io.Reader, stdout, stderr io.Writer) int {
		switch command[0] {
		case "echo":
			fmt.Fprint(stdout, strings.Join(command[1:], " "))
		case "line":
			line, err := bufio.NewReader(stdin).ReadString('\n')
			fmt.Fprintf(stdout, "%q %v", line, err)
		case "fail":
			fmt.Fprint(stdout, "half an answer")
			fmt.Fprint(stderr, "no room left\non device\n")
			return 7
		case "hang":
			<-hang
		}
		return 0
	})
	run := func(ctx context.Context, pod, container string, stdin string, command ...string) (string, error) {
		out, err := c.Exec(ctx, ns, pod, container, command, []byte(stdin))
		return string(out), err
	}
	if out, err := run(t.Context(), pod, "vault", "", "echo", "a b", "ü"); err != nil || out != "a b ü" {
		t.Errorf("arguments: %q, %v", out, err)
	}
	if out, err := run(t.Context(), pod, "vault", "key\n.\n", "line"); err != nil || out != `"key\n" <nil>` {
		t.Errorf("stdin: %q, %v", out, err)
	}
	out, err := run(t.Context(), pod, "vault", "", "fail", "secret-argument")
	var failed *kube.ExecError
	if !errors.As(err, &failed) || failed.Code != 7 || !strings.Contains(err.Error(), "no room left on device") || strings.Contains(err.Error(), "secret-argument") || out != "" {
		t.Errorf("a command that fails: %q, %v", out, err)
	}
	if _, err := run(t.Context(), "vault-1", "vault", "", "echo"); err == nil || !strings.Contains(err.Error(), "vault-1") {
		t.Errorf("a pod that is not there: %v", err)
	}
	if _, err := run(t.Context(), pod, "sidecar", "", "echo"); err == nil {
		t.Error("a container that is not there was taken")
	}
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := run(short, pod, "vault", "", "hang"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a command that hangs: %v", err)
	}
}
