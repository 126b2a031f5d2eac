package auth

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/kubetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// field is a cluster with a node that makes pods of Jobs and ends them as told; on it the step is tried.
type field struct {
	cluster   *kubetest.Cluster
	namespace string
	reach     *reach
	said      *[]string
	mu        sync.Mutex
	pods      []corev1.Pod
}

func newField(t *testing.T, auth platform.Auth, ca string) *field {
	t.Helper()
	f := &field{cluster: kubetest.Start(t)}
	f.namespace = f.cluster.Namespace(t)
	client, err := kube.Connect(f.cluster.Flags(t))
	if err != nil {
		t.Fatal(err)
	}
	auth.Namespace = f.namespace
	env, said := datalab(t, auth)
	env.Kube, env.Platform.App.Namespace, env.Platform.CAPEM = client, f.namespace, []byte(ca)
	f.said, f.reach = said, newReach(env, "docker.io/curlimages/curl:8.22.0")
	f.reach.pause = 20 * time.Millisecond
	return f
}

// node plays the Job controller and the kubelet: each Job gets one pod, which ends with the next of these exit codes and words.
func (f *field) node(t *testing.T, ends ...corev1.ContainerStateTerminated) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.serve(ctx, ends) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func (f *field) serve(ctx context.Context, ends []corev1.ContainerStateTerminated) error {
	core, met := f.cluster.Clientset(), map[string]bool{}
	for ctx.Err() == nil {
		jobs, err := core.BatchV1().Jobs(f.namespace).List(ctx, metav1.ListOptions{})
		if err != nil && ctx.Err() == nil {
			return err
		}
		for i := range jobs.Items {
			job := &jobs.Items[i]
			if met[job.Name] || len(ends) == 0 {
				continue
			}
			met[job.Name] = true
			if err := f.end(ctx, job, ends[0]); err != nil && ctx.Err() == nil {
				return err
			}
			ends = ends[1:]
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

func (f *field) end(ctx context.Context, job *batchv1.Job, how corev1.ContainerStateTerminated) error {
	pods := f.cluster.Clientset().CoreV1().Pods(f.namespace)
	pod := &corev1.Pod{ObjectMeta: *job.Spec.Template.ObjectMeta.DeepCopy(), Spec: job.Spec.Template.Spec}
	pod.Name, pod.Namespace = job.Name+"-x", f.namespace
	made, err := pods.Create(ctx, pod, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.pods = append(f.pods, *made)
	f.mu.Unlock()
	made.Status.Phase = corev1.PodFailed
	if how.ExitCode == 0 {
		made.Status.Phase = corev1.PodSucceeded
	}
	made.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "reach", State: corev1.ContainerState{Terminated: &how}}}
	_, err = pods.UpdateStatus(ctx, made, metav1.UpdateOptions{})
	return err
}

func (f *field) left(t *testing.T) int {
	t.Helper()
	jobs, err := f.cluster.Clientset().BatchV1().Jobs(f.namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return len(jobs.Items)
}

func (f *field) plan(t *testing.T) engine.Change {
	t.Helper()
	seen, err := f.reach.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return f.reach.Plan(seen)
}

func (f *field) apply(t *testing.T) error {
	t.Helper()
	seen, err := f.reach.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return f.reach.Apply(t.Context(), seen)
}

var errNobody = errors.New("stopped by nobody")

// The pod gets there, goes, and is not sent again; another address is tried anew; what was noted goes with the stage.
func TestReach(t *testing.T) {
	f := newField(t, platform.Auth{}, "a bundle")
	f.node(t, corev1.ContainerStateTerminated{}, corev1.ContainerStateTerminated{})
	if c := f.plan(t); c.Action != engine.Create || !strings.Contains(c.Why, "https://auth.lab.demo.test/") {
		t.Errorf("%+v", c)
	}
	if err := f.apply(t); err != nil {
		t.Fatal(err)
	}
	if f.left(t) != 0 || len(*f.said) != 0 {
		t.Errorf("%d jobs are left, said %q", f.left(t), *f.said)
	}
	mark := f.cluster.Mark(t)
	if c := f.plan(t); c.Action != engine.Unchanged || !strings.Contains(c.Why, "pods got there at 2") {
		t.Errorf("%+v", c)
	}
	if got := mark.Requests(t); len(got) != 1 || len(mark.Writes(t)) != 0 {
		t.Errorf("the second look is one read, not %q", got)
	}
	f.reach.trip.ca = []byte("another bundle")
	if c := f.plan(t); c.Action != engine.Configure {
		t.Errorf("other authorities: %+v", c)
	}
	if err := f.apply(t); err != nil {
		t.Fatal(err)
	}
	if c := f.plan(t); c.Action != engine.Unchanged {
		t.Errorf("%+v", c)
	}
	if err := f.reach.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	if there, err := f.reach.Present(t.Context()); there || err != nil {
		t.Errorf("%v, %v", there, err)
	}
}

// A login that stands from before there was such a step is left in peace.
func TestReachOfALoginThatStands(t *testing.T) {
	f := newField(t, platform.Auth{}, "")
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "keycloak-http"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}
	if _, err := f.cluster.Clientset().CoreV1().Services(f.namespace).Create(t.Context(), service, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if c := f.plan(t); c.Action != engine.Unchanged || c.Why != "the login stands" {
		t.Errorf("%+v", c)
	}
}

// What is in the way stops the run, in words, with the fix; the pod goes all the same, and the next run tries again.
func TestReachInTheWay(t *testing.T) {
	f := newField(t, platform.Auth{}, "")
	f.node(t, corev1.ContainerStateTerminated{ExitCode: 60, Message: "curl: (60) SSL certificate problem: self-signed certificate\n"})
	err := f.apply(t)
	if err == nil || !strings.Contains(err.Error(), "pods do not trust the certificate of auth.lab.demo.test (curl: (60) SSL certificate problem: self-signed certificate); name the PEM file") {
		t.Errorf("got %v", err)
	}
	if f.left(t) != 0 || f.plan(t).Action != engine.Create {
		t.Errorf("%d jobs are left, then %+v", f.left(t), f.plan(t))
	}
}

// A record that is being made, a load balancer that is not through yet: that is said once, and tried again.
func TestReachTriesAgain(t *testing.T) {
	f := newField(t, platform.Auth{}, "")
	f.node(t,
		corev1.ContainerStateTerminated{ExitCode: 6, Message: "curl: (6) Could not resolve host: auth.lab.demo.test"},
		corev1.ContainerStateTerminated{ExitCode: 6, Message: "curl: (6) Could not resolve host: auth.lab.demo.test"},
		corev1.ContainerStateTerminated{ExitCode: 28, Message: "curl: (28) Connection timed out"},
		corev1.ContainerStateTerminated{})
	if err := f.apply(t); err != nil {
		t.Fatal(err)
	}
	if len(*f.said) != 2 || !strings.Contains((*f.said)[0], "cannot look up") || !strings.Contains((*f.said)[1], "do not get through") {
		t.Errorf("said %q", *f.said)
	}
	if f.left(t) != 0 {
		t.Errorf("%d jobs are left", f.left(t))
	}
}

// A pod that cannot try is no reason to stop: it is said, noted, and not tried at every run.
func TestReachUntold(t *testing.T) {
	f := newField(t, platform.Auth{Mode: "oidc", URL: "https://idp.a.org"}, "")
	f.node(t, corev1.ContainerStateTerminated{ExitCode: 127, Message: "sh: curl: not found"})
	if err := f.apply(t); err != nil {
		t.Fatal(err)
	}
	if len(*f.said) != 1 || !strings.Contains((*f.said)[0], "sh: curl: not found") || !strings.Contains((*f.said)[0], "images.curl") {
		t.Errorf("said %q", *f.said)
	}
	if c := f.plan(t); c.Action != engine.Unchanged || !strings.Contains(c.Why, "could not be tried") {
		t.Errorf("%+v", c)
	}
	f.reach.trip.ca = make([]byte, mostCA+1)
	if err := f.apply(t); err != nil || !strings.Contains((*f.said)[1], "trust.caBundle has more than the 250 kB") {
		t.Errorf("%v, said %q", err, *f.said)
	}
}

// Ctrl-C while the pod is on its way: it is taken away, and nothing is noted.
func TestReachInterrupted(t *testing.T) {
	f := newField(t, platform.Auth{}, "")
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.reach.Apply(ctx, reachSeen{}) }()
	wait(t, "no job is made", func() bool { return f.left(t) > 0 })
	cancel(errNobody)
	if err := <-ended; !errors.Is(err, errNobody) {
		t.Errorf("got %v", err)
	}
	if f.left(t) != 0 || f.plan(t).Action != engine.Create {
		t.Errorf("%d jobs are left, then %+v", f.left(t), f.plan(t))
	}
}

// transport is a function that carries requests.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Ctrl-C while the Job is being made: it is taken away as well.
func TestReachInterruptedAtOnce(t *testing.T) {
	f := newField(t, platform.Auth{}, "")
	ctx, cancel := context.WithCancelCause(t.Context())
	config := rest.CopyConfig(f.cluster.Config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return transport(func(r *http.Request) (*http.Response, error) {
			response, err := next.RoundTrip(r)
			if r.Method == http.MethodPost {
				cancel(errNobody)
			}
			return response, err
		})
	})
	var err error
	if f.reach.env.Kube.Clientset, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	if err := f.reach.Apply(ctx, reachSeen{}); !errors.Is(err, errNobody) || f.left(t) != 0 {
		t.Errorf("%v, %d jobs are left", err, f.left(t))
	}
}

// A killed run leaves its Job, which the next one takes away before it sends its own; Kubernetes would as well.
func TestReachAfterAKill(t *testing.T) {
	f := newField(t, platform.Auth{}, "")
	old := f.reach.trip.job(f.namespace, "onyxia-reach-old")
	if _, err := f.cluster.Clientset().BatchV1().Jobs(f.namespace).Create(t.Context(), old, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := f.reach.sweep(t.Context()); err != nil || f.left(t) != 0 {
		t.Errorf("%v, %d jobs are left", err, f.left(t))
	}
	if *old.Spec.TTLSecondsAfterFinished > 60 || *old.Spec.ActiveDeadlineSeconds > 300 {
		t.Errorf("%+v", old.Spec)
	}
}

// The API server itself says that the pod meets the level "restricted", and takes it where limits are demanded.
func TestReachPodIsRestricted(t *testing.T) {
	f := newField(t, platform.Auth{}, "a bundle")
	core := f.cluster.Clientset()
	namespace, err := core.CoreV1().Namespaces().Get(t.Context(), f.namespace, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	namespace.Labels["pod-security.kubernetes.io/enforce"] = "restricted"
	if _, err := core.CoreV1().Namespaces().Update(t.Context(), namespace, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	refused := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "root", Namespace: f.namespace}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "a"}}}}
	// the API server learns of its own namespaces by a watch, a moment later
	wait(t, "the level is not enforced here, so this test shows nothing", func() bool {
		_, err := core.CoreV1().Pods(f.namespace).Create(t.Context(), refused, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return apierrors.IsForbidden(err)
	})
	f.node(t, corev1.ContainerStateTerminated{})
	if err := f.apply(t); err != nil || len(f.pods) != 1 {
		t.Fatalf("%v, %d pods", err, len(f.pods))
	}
	pod := f.pods[0]
	if *pod.Spec.AutomountServiceAccountToken || pod.Spec.Containers[0].Resources.Limits.Memory().IsZero() || pod.Annotations[caAnnotation] != "a bundle" {
		t.Errorf("%+v", pod)
	}
}

// A cluster that only says that the Job is complete is believed; one that makes no pod of it is not waited for without end.
func TestReachByTheJobAlone(t *testing.T) {
	f := newField(t, platform.Auth{}, "")
	f.cluster.KeepReady(t)
	if err := f.apply(t); err != nil {
		t.Fatal(err)
	}
	job := f.reach.trip.job(f.namespace, "onyxia-reach-slow")
	job.Spec.Suspend = new(bool)
	*job.Spec.Suspend = true
	if _, done, err := f.reach.look(t.Context(), job, time.Second); done || err != nil {
		t.Errorf("a job that is not there yet: %v, %v", done, err)
	}
	if got, done, err := f.reach.look(t.Context(), job, startTime+time.Second); !done || got.result != untold || err != nil {
		t.Errorf("%+v, %v, %v", got, done, err)
	}
}
