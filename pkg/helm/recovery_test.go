package helm

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"helm.sh/helm/v3/pkg/release"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
)

// withHook adds a job that runs before or after.
func withHook(event string) map[string]string {
	files := demoFiles()
	files["templates/job.yaml"] = `apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-migrate
  annotations: {helm.sh/hook: "` + event + `", helm.sh/hook-delete-policy: "before-hook-creation,hook-succeeded"}
spec:
  backoffLimit: 0
  template:
    spec: {restartPolicy: Never, containers: [{name: main, image: none}]}
`
	return files
}

// setStatus writes a status into the newest record, as a run leaves it that is cut off.
func (s site) setStatus(revision int, status release.Status) {
	s.t.Helper()
	config, _, err := s.client().configuration(s.t.Context(), "demo", s.namespace)
	if err != nil {
		s.t.Fatal(err)
	}
	rel, err := config.Releases.Get("demo", revision)
	if err != nil {
		s.t.Fatal(err)
	}
	rel.SetStatus(status, "written by a test")
	if err := config.Releases.Update(rel); err != nil {
		s.t.Fatal(err)
	}
}

func TestPendingIsTakenOver(t *testing.T) {
	for _, status := range []release.Status{release.StatusPendingInstall, release.StatusPendingUpgrade, release.StatusPendingRollback} {
		t.Run(status.String(), func(t *testing.T) {
			s := newSite(t)
			r := s.release(s.charts.add("demo", "1.0.0", demoFiles()), nil)
			s.apply(r)
			// The run was cut off before it had made everything.
			if err := s.cluster.Clientset().CoreV1().Services(s.namespace).Delete(t.Context(), "demo", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			s.setStatus(1, status)
			wantChange(t, s.apply(r), engine.Configure, "a run that was cut off left it "+status.String()+" (revision 1)")
			if _, err := s.cluster.Clientset().CoreV1().Services(s.namespace).Get(t.Context(), "demo", metav1.GetOptions{}); err != nil {
				t.Error(err)
			}
			s.wantRevisions("1 superseded", "2 deployed")
			if s.record(2).Labels[labelManagedBy] == "" {
				t.Error("the label of ours was lost")
			}
		})
	}
}

// What another living run has in its hands was not cut off: it is waited for, and left alone.
func TestPendingInTheHandsOfAnotherRun(t *testing.T) {
	for status, want := range map[release.Status]string{
		release.StatusPendingInstall:  "being installed by ana@desk/7 since noon",
		release.StatusPendingUpgrade:  "being upgraded by ana@desk/7 since noon",
		release.StatusPendingRollback: "being rolled back by ana@desk/7 since noon",
		release.StatusUninstalling:    "being removed by ana@desk/7 since noon",
	} {
		t.Run(status.String(), func(t *testing.T) {
			s := newSite(t)
			r := s.release(s.charts.add("demo", "1.0.0", demoFiles()), nil)
			s.apply(r)
			s.setStatus(1, status)
			who, asked := "ana@desk/7 since noon", 0
			client := s.client()
			client.Busy = func(context.Context) (string, error) { asked++; return who, nil }
			resource := client.Release(r)
			look := func() engine.Change {
				t.Helper()
				resource.store.shared.Forget()
				seen, err := resource.Observe(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				return resource.Plan(seen)
			}
			wantChange(t, look(), engine.Pending, want)
			if health, err := resource.Ready(t.Context()); err != nil || health.Ready || health.Reason != want {
				t.Errorf("health %+v, %v", health, err)
			}
			// That run has died.
			who = ""
			if change := look(); !change.Action.Writes() || !strings.Contains(change.Why, "a run that was cut off") {
				t.Errorf("%+v", change)
			}
			// A release that is finished is nobody's.
			s.setStatus(1, release.StatusDeployed)
			asked = 0
			wantChange(t, look(), engine.Unchanged, "")
			if asked > 0 {
				t.Errorf("asked %d times who is at work", asked)
			}
		})
	}
}

// A pending upgrade on top of a deployed revision: the deployed one is what the next upgrade starts from.
func TestPendingUpgradeAfterADeployedRevision(t *testing.T) {
	s := newSite(t)
	chart := s.charts.add("demo", "1.0.0", demoFiles())
	s.apply(s.release(chart, nil))
	s.apply(s.release(chart, map[string]any{"greeting": "2"}))
	s.setStatus(1, release.StatusDeployed)
	s.setStatus(2, release.StatusPendingUpgrade)
	wantChange(t, s.apply(s.release(chart, map[string]any{"greeting": "3"})), engine.Configure, "pending-upgrade (revision 2)", "values.greeting")
	s.wantRevisions("1 superseded", "2 failed", "3 deployed")
}

func TestSupersededOnly(t *testing.T) {
	s := newSite(t)
	r := s.release(s.charts.add("demo", "1.0.0", demoFiles()), nil)
	s.apply(r)
	s.setStatus(1, release.StatusSuperseded)
	wantChange(t, s.apply(r), engine.Configure, "no revision of it is deployed")
}

func TestUninstalledWithHistoryIsInstalledAnew(t *testing.T) {
	s := newSite(t)
	r := s.release(s.charts.add("demo", "1.0.0", demoFiles()), nil)
	s.apply(r)
	resource, seen, _ := s.plan(r)
	if err := resource.uninstall(t.Context(), seen.Stored); err != nil {
		t.Fatal(err)
	}
	s.wantRevisions()
	s.apply(r)
	s.deleteObjects(r)
	s.setStatus(1, release.StatusUninstalled)
	wantChange(t, s.apply(r), engine.Create, "its history kept")
	s.wantRevisions("1 superseded", "2 deployed")
}

func TestHalfUninstalledIsFinishedAndInstalledAnew(t *testing.T) {
	s := newSite(t)
	r := s.release(s.charts.add("demo", "1.0.0", demoFiles()), nil)
	s.apply(r)
	if err := s.cluster.Clientset().CoreV1().Services(s.namespace).Delete(t.Context(), "demo", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	s.setStatus(1, release.StatusUninstalling)
	wantChange(t, s.apply(r), engine.Replace, "half uninstalled")
	s.wantRevisions("1 deployed")
}

// deleteObjects takes away what a release made, but not its records.
func (s site) deleteObjects(r Release) {
	s.t.Helper()
	resource, seen, _ := s.plan(r)
	objects, err := resource.client.objects(seen.Stored)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, u := range objects {
		mapping, err := resource.client.Kube.Mapper.RESTMapping(u.GroupVersionKind().GroupKind())
		if err != nil {
			s.t.Fatal(err)
		}
		if err := resource.client.Kube.Dynamic.Resource(mapping.Resource).Namespace(u.GetNamespace()).Delete(s.t.Context(), u.GetName(), metav1.DeleteOptions{}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// A run that is interrupted in a hook records the release as failed, leaves nothing running behind, and the next run
// finishes.
func TestInterruptedInAHook(t *testing.T) {
	s := newSite(t)
	r := s.release(s.charts.add("demo", "1.0.0", withHook("pre-install,pre-upgrade")), nil)
	resource, seen, _ := s.plan(r)
	ctx, cancel := context.WithCancelCause(t.Context())
	began := make(chan time.Time, 1)
	go func() {
		s.awaitJob()
		began <- time.Now()
		cancel(errors.New("interrupted by the user"))
	}()
	err := resource.Apply(ctx, seen)
	wantError(t, err, "interrupted by the user", "the next run takes it up")
	select {
	case at := <-began:
		if took := time.Since(at); took > time.Minute {
			t.Errorf("the interrupt took %s", took)
		}
	default:
		t.Error("it failed before it was interrupted")
	}
	s.wantRevisions("1 failed")
	nothingGoesOn(t)
	s.cluster.KeepReady(t)
	wantChange(t, s.apply(r), engine.Configure, "the last run failed (revision 1)")
	s.wantRevisions("1 superseded", "2 deployed")
}

// nothingGoesOn wants all goroutines of Helm and of this package to come to their end, but for the test's own.
func nothingGoesOn(t *testing.T) {
	t.Helper()
	at := regexp.MustCompile(`(?m)^(helm\.sh/helm/|.*/pkg/helm\.)`)
	var left []string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		text := make([]byte, 4<<20)
		text = text[:runtime.Stack(text, true)]
		left = nil
		for _, goroutine := range strings.Split(string(text), "\n\n") {
			if at.MatchString(goroutine) && !strings.Contains(goroutine, "testing.tRunner(") && !strings.Contains(goroutine, "testing.(*M).Run(") {
				left = append(left, goroutine)
			}
		}
		if len(left) == 0 {
			return
		}
	}
	t.Errorf("something goes on behind:\n%s", strings.Join(left, "\n\n"))
}

func (s site) awaitJob() {
	for s.t.Context().Err() == nil {
		if _, err := s.cluster.Clientset().BatchV1().Jobs(s.namespace).Get(s.t.Context(), "demo-migrate", metav1.GetOptions{}); err == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// child is what a process that a test starts needs.
type child struct {
	Kubeconfig, Namespace, Charts string
	Chart                         profile.Chart
}

// childEnv names the variable that turns a test into its own child process.
const childEnv = "KUBECTL_ONYXIA_TEST_CHILD"

// command makes a process that runs one test of this binary as a child.
func (s site) command(test string, chart profile.Chart) *exec.Cmd {
	s.t.Helper()
	job, err := json.Marshal(child{s.cluster.Kubeconfig, s.namespace, s.charts.path, chart})
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$")
	cmd.Env = append(os.Environ(), childEnv+"="+string(job))
	return cmd
}

// install installs in a child process.
func (c child) install(t *testing.T, job string) {
	if err := json.Unmarshal([]byte(job), &c); err != nil {
		t.Fatal(err)
	}
	s := site{t: t, namespace: c.Namespace, charts: chartDir{t, c.Charts}, warned: &lines{}}
	resource := s.clientOf(c.Kubeconfig).Release(s.release(c.Chart, nil))
	seen, err := resource.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := resource.Apply(t.Context(), seen); err != nil {
		t.Fatal(err)
	}
}

// TestKilled kills a process in the middle of an install with SIGKILL; the next run finishes its work.
func TestKilled(t *testing.T) {
	if job := os.Getenv(childEnv); job != "" {
		child{}.install(t, job)
		return
	}
	s := newSite(t)
	chart := s.charts.add("demo", "1.0.0", withHook("post-install,post-upgrade"))
	cmd := s.command("TestKilled", chart)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.awaitJob()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the child ended by itself")
	}
	s.wantRevisions("1 pending-install")
	s.cluster.KeepReady(t)
	wantChange(t, s.apply(s.release(chart, nil)), engine.Configure, "cut off left it pending-install")
	s.wantRevisions("1 superseded", "2 deployed")
}

// A hook that fails says why, in the words of its pod.
func TestHookFailureSaysThePodsReason(t *testing.T) {
	s := newSite(t)
	r := s.release(s.charts.add("demo", "1.0.0", withHook("pre-install,pre-upgrade")), nil)
	go func() {
		s.awaitJob()
		s.failJob()
	}()
	err := s.fails(r)
	// No job may be left that can't be completed any more: other tests complete all that they see.
	background := metav1.DeletePropagationBackground
	if err := s.cluster.Clientset().BatchV1().Jobs(s.namespace).Delete(t.Context(), "demo-migrate", metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
		t.Error(err)
	}
	wantError(t, err, "release demo", "hook job/demo-migrate", "did not succeed", "backoff limit", "no space left on device")
	s.wantRevisions("1 failed")
}

// failJob writes what the job controller and a node write of a job that failed.
func (s site) failJob() {
	own, ctx, now := s.cluster.Clientset(), s.t.Context(), metav1.Now()
	job, err := own.BatchV1().Jobs(s.namespace).Get(ctx, "demo-migrate", metav1.GetOptions{})
	if err != nil {
		s.t.Error(err)
		return
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "demo-migrate-x", Namespace: s.namespace, Labels: job.Spec.Template.Labels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(job, batchv1.SchemeGroupVersion.WithKind("Job"))}},
		Spec: job.Spec.Template.Spec,
	}
	made, err := own.CoreV1().Pods(s.namespace).Create(ctx, pod, metav1.CreateOptions{})
	if err != nil {
		s.t.Error(err)
		return
	}
	made.Status = corev1.PodStatus{Phase: corev1.PodFailed, ContainerStatuses: []corev1.ContainerStatus{{Name: "main",
		State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error", Message: "no space left on device"}}}}}
	if _, err := own.CoreV1().Pods(s.namespace).UpdateStatus(ctx, made, metav1.UpdateOptions{}); err != nil {
		s.t.Error(err)
	}
	job.Status = batchv1.JobStatus{StartTime: &now, Failed: 1, Conditions: []batchv1.JobCondition{
		{Type: batchv1.JobFailureTarget, Status: corev1.ConditionTrue, LastTransitionTime: now, Reason: "BackoffLimitExceeded", Message: "Job has reached the specified backoff limit"},
		{Type: batchv1.JobFailed, Status: corev1.ConditionTrue, LastTransitionTime: now, Reason: "BackoffLimitExceeded", Message: "Job has reached the specified backoff limit"},
	}}
	if _, err := own.BatchV1().Jobs(s.namespace).UpdateStatus(ctx, job, metav1.UpdateOptions{}); err != nil {
		s.t.Error(err)
	}
}

func TestHookThatTakesTooLong(t *testing.T) {
	s := newSite(t)
	resource, seen, _ := s.plan(s.release(s.charts.add("demo", "1.0.0", withHook("post-install")), nil))
	resource.patience = time.Second
	wantError(t, resource.Apply(t.Context(), seen), "hook job/demo-migrate", "not done after 1s")
}

// Helm, the loader and client-go keep away from stdout and stderr.
func TestHelmIsQuiet(t *testing.T) {
	if job := os.Getenv(childEnv); job != "" {
		child{}.install(t, job)
		return
	}
	s := newSite(t)
	files := withHook("pre-install")
	files["templates/NOTES.txt"] = "notes\n"
	files["crds/thing.yaml"] = thingCRD("quiet")
	s.cluster.KeepReady(t)
	out, err := s.command("TestHelmIsQuiet", s.charts.add("demo", "1.0.0", files)).CombinedOutput()
	if err != nil || string(out) != "PASS\n" {
		t.Errorf("%v, output: %s", err, out)
	}
}
