package root

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/kubetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/internal/ttytest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

// asked is a command that waits for an answer.
type asked struct {
	*exec.Cmd
	person *os.File
	said   *bufio.Reader
}

// ask runs a command at a terminal until it has asked.
func ask(t *testing.T, args ...string) *asked {
	t.Helper()
	terminal, person := ttytest.Open(t)
	a := &asked{Cmd: exec.CommandContext(t.Context(), os.Args[0]), person: person, said: bufio.NewReader(person)}
	a.Args = append([]string{"kubectl-onyxia"}, args...)
	a.Stdin, a.Stdout, a.Stderr = terminal, terminal, terminal
	a.Dir = t.TempDir()
	a.Env = append(os.Environ(), "HOME="+a.Dir)
	if err := a.Start(); err != nil {
		t.Fatal(err)
	}
	a.hears(t, "[y/N]")
	return a
}

// hears reads until the text was said.
func (a *asked) hears(t *testing.T, text string) {
	t.Helper()
	heard := make(chan string, 1)
	go func() {
		var all strings.Builder
		for !strings.Contains(all.String(), text) {
			c, err := a.said.ReadByte()
			if err != nil {
				break
			}
			all.WriteByte(c)
		}
		heard <- all.String()
	}()
	select {
	case all := <-heard:
		if !strings.Contains(all, text) {
			t.Fatalf("never said %q:\n%s", text, all)
		}
	case <-time.After(time.Minute):
		t.Fatalf("did not say %q within a minute", text)
	}
}

// ends waits for the command's end, which has to have this exit code.
func (a *asked) ends(t *testing.T, code int) {
	t.Helper()
	_ = a.Wait()
	if got := a.ProcessState.ExitCode(); got != code {
		t.Errorf("exit code %d, want %d", got, code)
	}
}

// recordedLab is a datalab of which only the record is there.
func recordedLab(t *testing.T) *kubetest.Cluster {
	t.Helper()
	cluster := kubetest.Start(t)
	cluster.KeepReady(t)
	t.Setenv("KUBECONFIG", cluster.Kubeconfig)
	ours := map[string]string{kube.ManagedByLabel: kube.FieldManager}
	core := cluster.Clientset().CoreV1()
	if _, err := core.Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "onyxia", Labels: ours}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	record := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kubectl-onyxia", Labels: ours}, Data: map[string]string{"onyxia.yaml": "domain: demo.test\n"}}
	if _, err := core.ConfigMaps("onyxia").Create(t.Context(), record, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return cluster
}

// C2: two people are asked at the same time. The first answer counts, and the second one is told to look again.
func TestC2TwoPeopleAreAsked(t *testing.T) {
	cluster := recordedLab(t)
	first, second := ask(t, "down"), ask(t, "down")
	fmt.Fprintln(first.person, "y")
	first.hears(t, "namespace/onyxia deleted")
	first.ends(t, 0)
	mark := cluster.Mark(t)
	fmt.Fprintln(second.person, "y")
	second.hears(t, "configmap onyxia/kubectl-onyxia: another run has written the record of this datalab")
	second.hears(t, "Nothing was written. Look again")
	second.ends(t, 1)
	// A lock cannot be made where there is no namespace.
	for _, write := range mark.Writes(t) {
		if !strings.HasSuffix(write, "/leases 404") {
			t.Errorf("wrote: %s", write)
		}
	}
}

// D: Ctrl-C at a question ends the run, which says so; one press is enough.
func TestDInterruptedAtAQuestion(t *testing.T) {
	cluster := recordedLab(t)
	run := ask(t, "down")
	mark := cluster.Mark(t)
	if err := run.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	run.hears(t, "error: the datalab would be removed: interrupted: nothing was done")
	run.ends(t, 130)
	if wrote := mark.Writes(t); len(wrote) > 0 {
		t.Errorf("wrote %v", wrote)
	}
	if _, err := cluster.Clientset().CoreV1().ConfigMaps("onyxia").Get(t.Context(), "kubectl-onyxia", metav1.GetOptions{}); apierrors.IsNotFound(err) {
		t.Error("the record is gone")
	}
}
