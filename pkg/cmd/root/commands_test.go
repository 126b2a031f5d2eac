package root

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// patience is how long a script waits for something that has to happen.
const patience = 3 * time.Minute

type command = func(*testscript.TestScript, bool, []string)

// commands are what scripts have besides testscript's own; testdata/script/README.md tells what they do.
func (w *world) commands(t *testing.T) map[string]command {
	positive := func(usage string, atLeast int, do func(*testscript.TestScript, []string)) command {
		return func(ts *testscript.TestScript, neg bool, args []string) {
			if neg || len(args) < atLeast {
				ts.Fatalf("usage: %s", usage)
			}
			do(ts, args)
		}
	}
	return map[string]command{
		"code":     positive("code N COMMAND...", 2, code),
		"cut":      positive("cut SIGNAL TEXT N COMMAND...", 4, w.cut),
		"until":    positive("until COMMAND...", 1, until),
		"json":     positive("json KIND", 1, parses),
		"pending":  positive("pending NAMESPACE RELEASE", 2, func(ts *testscript.TestScript, args []string) { w.pending(t, ts, args[0], args[1]) }),
		"theirs":   positive("theirs NAMESPACE RELEASE CHART VERSION VALUES MANIFEST", 6, func(ts *testscript.TestScript, args []string) { w.theirs(t, ts, args) }),
		"stuck":    positive("stuck NAMESPACE DEPLOYMENT REASON MESSAGE", 4, func(ts *testscript.TestScript, args []string) { w.stuck(t, ts, args) }),
		"node":     positive("node", 0, func(*testscript.TestScript, []string) { w.cluster.KeepReady(t) }),
		"norecord": positive("norecord NAME...", 1, func(ts *testscript.TestScript, args []string) { w.noRecord(t, ts, args) }),
		"record": positive("record LINE...", 1, func(ts *testscript.TestScript, args []string) {
			for _, line := range args {
				w.dns.Add(t, line)
			}
		}),
		"mark": positive("mark", 0, func(*testscript.TestScript, []string) {
			w.mark = w.cluster.Mark(t)
			if w.ca != nil {
				w.asked = w.ca.Requests()
			}
		}),
		"nowrites": positive("nowrites", 0, func(ts *testscript.TestScript, _ []string) { w.noWrites(t, ts) }),
		"noacme": positive("noacme", 0, func(ts *testscript.TestScript, _ []string) {
			if asked := w.ca.Requests(); asked > w.asked {
				ts.Fatalf("the ACME server was asked %d times", asked-w.asked)
			}
		}),
	}
}

// code runs a command that has to end with that exit code.
func code(ts *testscript.TestScript, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	if got := exitCode(ts, err); strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

// exitCode is the one that a shell would show: 128 and the signal for a program that was killed.
func exitCode(ts *testscript.TestScript, err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &exit):
		ts.Fatalf("%v", err)
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return exit.ExitCode()
}

// cut runs a command, sends it a signal as soon as it has printed a text, and checks its exit code.
func (w *world) cut(ts *testscript.TestScript, args []string) {
	signals := map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL}
	signal, known := signals[args[0]]
	if !known {
		ts.Fatalf("signal %q: one of %v is expected", args[0], slices.Sorted(maps.Keys(signals)))
	}
	program, err := w.lookPath(ts, args[3])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args[4:]...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range w.names {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	seen := &watched{text: args[1], found: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = seen.of(ts.Stdout()), seen.of(ts.Stderr())
	ts.Check(cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-seen.found:
		ts.Check(cmd.Process.Signal(signal))
		err = <-ended
	case err = <-ended:
		ts.Fatalf("ended (%v) before it printed %q", err, args[1])
	}
	if got := exitCode(ts, err); strconv.Itoa(got) != args[2] {
		ts.Fatalf("exit code %d, want %s", got, args[2])
	}
}

// lookPath finds a program on the script's PATH, which is not the test's.
func (w *world) lookPath(ts *testscript.TestScript, name string) (string, error) {
	for _, folder := range strings.Split(ts.Getenv("PATH"), ":") {
		if path, err := exec.LookPath(folder + "/" + name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("no program %s on the PATH", name)
}

// watched looks for a text in what a program prints.
type watched struct {
	text  string
	found chan struct{}
	once  sync.Once
	mu    sync.Mutex
}

type watchedStream struct {
	*watched
	to   io.Writer
	tail bytes.Buffer
}

func (w *watched) of(to io.Writer) *watchedStream {
	return &watchedStream{watched: w, to: to}
}

func (s *watchedStream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tail.Write(p)
	if strings.Contains(s.tail.String(), s.text) {
		s.once.Do(func() { close(s.found) })
	}
	return s.to.Write(p)
}

// until runs a command again and again until it succeeds.
func until(ts *testscript.TestScript, args []string) {
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if err = ts.Exec(args[0], args[1:]...); err == nil {
			return
		}
	}
	ts.Fatalf("not within %s: %v", patience, err)
}

// parses checks that the last output is one JSON document of that kind.
func parses(ts *testscript.TestScript, args []string) {
	var document struct {
		APIVersion, Kind string
		Steps            []struct{ ID, Stage string }
	}
	decoder := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	ts.Check(decoder.Decode(&document))
	if decoder.More() {
		ts.Fatalf("there is more than one document")
	}
	if document.Kind != args[0] || document.APIVersion == "" || len(document.Steps) == 0 {
		ts.Fatalf("not a %s with steps: %+v", args[0], document)
	}
}

// stuck is a pod of the deployment whose container waits for that reason, as a kubelet reports it.
func (w *world) stuck(t *testing.T, ts *testscript.TestScript, args []string) {
	deployment, err := w.cluster.Clientset().AppsV1().Deployments(args[0]).Get(t.Context(), args[1], metav1.GetOptions{})
	ts.Check(err)
	pods := w.cluster.Clientset().CoreV1().Pods(args[0])
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: args[1] + "-x", Labels: deployment.Spec.Selector.MatchLabels}, Spec: deployment.Spec.Template.Spec}
	pod, err = pods.Create(t.Context(), pod, metav1.CreateOptions{})
	ts.Check(err)
	waits := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: args[2], Message: args[3]}}
	pod.Status = corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{{Name: pod.Spec.Containers[0].Name, State: waits}}}
	_, err = pods.UpdateStatus(t.Context(), pod, metav1.UpdateOptions{})
	ts.Check(err)
}

// noRecord checks that the name server has no TXT record at the names.
func (w *world) noRecord(t *testing.T, ts *testscript.TestScript, names []string) {
	for _, name := range names {
		if left := w.dns.TXT(t, name); len(left) > 0 {
			ts.Fatalf("%s still has %v", name, left)
		}
	}
}

// noWrites checks that clients wrote nothing since the mark, the lock aside.
func (w *world) noWrites(t *testing.T, ts *testscript.TestScript) {
	var writes []string
	for _, line := range w.mark.Writes(t) {
		if !strings.Contains(line, "/leases") {
			writes = append(writes, line)
		}
	}
	if len(writes) > 0 {
		ts.Fatalf("clients wrote:\n%s", strings.Join(writes, "\n"))
	}
}
