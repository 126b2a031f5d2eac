package kubetest_test

import (
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/kubetest"
)

func TestMain(m *testing.M) { os.Exit(kubetest.Run(m)) }

func connect(t *testing.T, kubeconfig string) kubernetes.Interface {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	set, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestWritesCountsEveryWritingRequestOfClientsOnly(t *testing.T) {
	c := kubetest.Start(t)
	set := connect(t, c.Kubeconfig)
	ns := c.Namespace(t)
	mark := c.Mark(t)
	if _, err := set.CoreV1().ConfigMaps(ns).List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := mark.Writes(t); len(got) != 0 {
		t.Errorf("a list counts as writes: %v", got)
	}
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "m"}}
	if _, err := set.CoreV1().ConfigMaps(ns).Create(t.Context(), m, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := set.CoreV1().ConfigMaps(ns).Delete(t.Context(), "none", metav1.DeleteOptions{}); !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	m.Name = "own"
	if _, err := c.Clientset().CoreV1().ConfigMaps(ns).Create(t.Context(), m, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	base := "/api/v1/namespaces/" + ns + "/configmaps"
	want := []string{"create " + base + " 201", "delete " + base + "/none 404"}
	if got := mark.Writes(t); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := mark.Requests(t); len(got) != 3 {
		t.Errorf("want the list as well: %v", got)
	}
}

func TestUserHasNoRights(t *testing.T) {
	c := kubetest.Start(t)
	_, err := connect(t, c.User(t, "bob")).CoreV1().Secrets("default").List(t.Context(), metav1.ListOptions{})
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `User "bob"`) {
		t.Errorf("got %v", err)
	}
}

func TestMakeReady(t *testing.T) {
	c := kubetest.Start(t)
	ns, set := c.Namespace(t), c.Clientset()
	meta := metav1.ObjectMeta{Name: "x", Namespace: ns}
	labels := map[string]string{"app": "x"}
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "x", Image: "x"}}}}
	job := *template.DeepCopy()
	job.Spec.RestartPolicy = corev1.RestartPolicyNever
	selector, opts := &metav1.LabelSelector{MatchLabels: labels}, metav1.CreateOptions{}
	_, e1 := set.AppsV1().Deployments(ns).Create(t.Context(), &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Selector: selector, Template: template}}, opts)
	_, e2 := set.AppsV1().StatefulSets(ns).Create(t.Context(), &appsv1.StatefulSet{ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Selector: selector, Template: template}}, opts)
	_, e3 := set.AppsV1().DaemonSets(ns).Create(t.Context(), &appsv1.DaemonSet{ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Selector: selector, Template: template}}, opts)
	_, e4 := set.BatchV1().Jobs(ns).Create(t.Context(), &batchv1.Job{ObjectMeta: meta, Spec: batchv1.JobSpec{Template: job}}, opts)
	_, e5 := set.CoreV1().Services(ns).Create(t.Context(), &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Ports: []corev1.ServicePort{{Port: 80}}}}, opts)
	if err := errors.Join(e1, e2, e3, e4, e5); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet", "Job", "Service"} {
		c.MakeReady(t, kind, ns, "x")
	}
	d, err := set.AppsV1().Deployments(ns).Get(t.Context(), "x", metav1.GetOptions{})
	if err != nil || d.Status.AvailableReplicas != 1 || d.Status.ObservedGeneration != d.Generation {
		t.Errorf("deployment: %v %+v", err, d.Status)
	}
	s, err := set.CoreV1().Services(ns).Get(t.Context(), "x", metav1.GetOptions{})
	if err != nil || s.Status.LoadBalancer.Ingress[0].IP != kubetest.LoadBalancerIP {
		t.Errorf("service: %v %+v", err, s.Status)
	}
	j, err := set.BatchV1().Jobs(ns).Get(t.Context(), "x", metav1.GetOptions{})
	if err != nil || j.Status.Succeeded != 1 {
		t.Errorf("job: %v %+v", err, j.Status)
	}
}

func TestBackReachesAProgramThroughTheAPIServer(t *testing.T) {
	c := kubetest.Start(t)
	ns := c.Namespace(t)
	labels := map[string]string{"app": "web"}
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Port: 80}}}}
	if _, err := c.Clientset().CoreV1().Services(ns).Create(t.Context(), s, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	pod := c.Back(t, ns, "web", 8080, "127.0.0.1:1")
	got, err := c.Clientset().CoreV1().Pods(ns).Get(t.Context(), pod, metav1.GetOptions{})
	if err != nil || got.Status.Phase != corev1.PodRunning || got.Labels["app"] != "web" {
		t.Errorf("%v %+v", err, got)
	}
	// An upgrade request is let through to the node; a plain one is refused by it, not by the API server.
	response, err := c.Clientset().CoreV1().RESTClient().Get().AbsPath("/api/v1/namespaces/" + ns + "/pods/" + pod + "/portforward").DoRaw(t.Context())
	var status *apierrors.StatusError
	if !errors.As(err, &status) || status.ErrStatus.Code != http.StatusBadRequest {
		t.Errorf("got %q, %v", response, err)
	}
}

func TestKeepReadyMakesWhatAppearsReady(t *testing.T) {
	c := kubetest.Start(t)
	ns, set := c.Namespace(t), c.Clientset()
	c.KeepReady(t)
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "x"}, Spec: corev1.PersistentVolumeClaimSpec{AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}}}}
	if _, err := set.CoreV1().PersistentVolumeClaims(ns).Create(t.Context(), claim, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		live, err := set.CoreV1().PersistentVolumeClaims(ns).Get(t.Context(), "x", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if live.Status.Phase == corev1.ClaimBound {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("still %s", live.Status.Phase)
		}
	}
}
