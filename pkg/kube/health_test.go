package kube_test

import (
	"context"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/kubetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

// mended creates the objects and gives them back.
func mended(t *testing.T, c *kube.Client, list ...*unstructured.Unstructured) []*unstructured.Unstructured {
	t.Helper()
	for _, o := range list {
		if err := c.Mend(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

func health(t *testing.T, c *kube.Client, list []*unstructured.Unstructured, options ...kube.HealthOption) engine.Health {
	t.Helper()
	h, err := c.Health(t.Context(), list, options...)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// putPod makes a pod with a status, as a kubelet would.
func putPod(t *testing.T, cluster *kubetest.Cluster, ns, name string, status corev1.PodStatus, change ...func(*corev1.Pod)) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"a": "b"}}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web"}}}}
	for _, f := range change {
		f(pod)
	}
	api := cluster.Clientset().CoreV1().Pods(ns)
	made, err := api.Create(t.Context(), pod, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	made.Status = status
	made, err = api.UpdateStatus(t.Context(), made, metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func putEvent(t *testing.T, cluster *kubetest.Cluster, about *metav1.ObjectMeta, kind, reason, message string, at time.Time) {
	t.Helper()
	e := &corev1.Event{ObjectMeta: metav1.ObjectMeta{GenerateName: "e-"}, InvolvedObject: corev1.ObjectReference{Name: about.Name, Namespace: about.Namespace, UID: about.UID},
		Type: kind, Reason: reason, Message: message, FirstTimestamp: metav1.NewTime(at), LastTimestamp: metav1.NewTime(at)}
	if _, err := cluster.Clientset().CoreV1().Events(about.Namespace).Create(t.Context(), e, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func waiting(reason, message string, restarts int32) corev1.PodStatus {
	s := corev1.ContainerStatus{Name: "web", RestartCount: restarts, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}}
	if restarts > 0 {
		s.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error", Message: "no\nroute"}
	}
	return corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{s}}
}

func TestHealthOfWorkloadsFollowsTheirControllers(t *testing.T) {
	cluster, c, ns := connect(t)
	list := mended(t, c,
		object(t, deployment(`[{name: a, image: b}]`), ns),
		manifest(t, "statefulset.yaml", ns)[0], manifest(t, "daemonset.yaml", ns)[0], manifest(t, "job.yaml", ns)[0],
		manifest(t, "service.yaml", ns)[0], manifest(t, "configmap.yaml", ns)[0])
	h := health(t, c, list)
	if h.Ready || h.Hopeless || !strings.HasPrefix(h.Reason, "Deployment "+ns+"/x: its controller has not seen") || !strings.HasSuffix(h.Reason, "(and 4 more not ready)") {
		t.Errorf("%+v", h)
	}
	for _, o := range list[:5] {
		if one := health(t, c, []*unstructured.Unstructured{o}); one.Ready {
			t.Errorf("%s is ready before its controller saw it: %+v", o.GetKind(), one)
		}
		cluster.MakeReady(t, o.GetKind(), ns, o.GetName())
		if one := health(t, c, []*unstructured.Unstructured{o}); !one.Ready {
			t.Errorf("%s: %+v", o.GetKind(), one)
		}
	}
	if h := health(t, c, list); !h.Ready || h.Reason != "" {
		t.Errorf("%+v", h)
	}
	mark := cluster.Mark(t)
	live := []*unstructured.Unstructured{read(t, c, list[0]), read(t, c, list[5])}
	if h, err := c.HealthOf(t.Context(), live); err != nil || !h.Ready {
		t.Errorf("%v %+v", err, h)
	}
	if got := mark.Requests(t); len(got) != 2 {
		t.Errorf("the health of ready objects that were read needs no request more: %v", got)
	}
	edit(t, c, list[0], func(o map[string]any) { set(t, o, int64(3), "spec", "replicas") })
	if h := health(t, c, list); h.Ready {
		t.Error("a changed deployment is not ready until its controller saw it")
	}
	if h := health(t, c, []*unstructured.Unstructured{object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: none}}`, ns)}); h.Ready || !strings.Contains(h.Reason, "is not there") {
		t.Errorf("%+v", h)
	}
}

func TestReasonOfAnUnreadyDeployment(t *testing.T) {
	running := func(ready bool, restarts int32) corev1.PodStatus {
		s := corev1.ContainerStatus{Name: "web", Ready: ready, RestartCount: restarts, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
		if restarts > 0 {
			s.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}
		}
		return corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{s}}
	}
	tests := map[string]struct {
		status   corev1.PodStatus
		event    string
		reason   string
		hopeless bool
	}{
		"image that is not there":  {status: waiting("ImagePullBackOff", `Back-off pulling image "web"`, 0), reason: `pod p: container web: ImagePullBackOff: Back-off pulling image "web"`},
		"crash, a few times":       {status: waiting("CrashLoopBackOff", "back-off 10s", 2), reason: "pod p: container web: CrashLoopBackOff: ended with exit code 1: no route; restarted 2 times"},
		"crash, again and again":   {status: waiting("CrashLoopBackOff", "back-off 5m", 5), reason: "pod p: container web: CrashLoopBackOff: ended with exit code 1: no route; restarted 5 times", hopeless: true},
		"secret that is not there": {status: waiting("CreateContainerConfigError", `secret "s" not found`, 0), reason: `pod p: container web: CreateContainerConfigError: secret "s" not found`},
		"volume not mounted":       {status: waiting("ContainerCreating", "", 0), event: "MountVolume.SetUp failed", reason: "pod p: Said: MountVolume.SetUp failed"},
		"probe fails":              {status: running(false, 0), event: "Readiness probe failed: HTTP probe failed with statuscode: 503", reason: "pod p: Said: Readiness probe failed: HTTP probe failed with statuscode: 503"},
		"restarted":                {status: running(false, 1), reason: "pod p: container web: running, not ready; ended with exit code 137 (OOMKilled); restarted 1 times; why: kubectl -n NS logs p -c web --previous"},
		"image gone since it ended": {status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{Name: "web", RestartCount: 1,
			State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull", Message: "no such tag"}},
			LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}}}}},
			reason: "pod p: container web: ErrImagePull: no such tag"},
		"said much": {status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{Name: "web", State: corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Message: strings.Repeat("noise ", 100) + "PANIC: no checkpoint\n"}}}}},
			reason: "pod p: container web: ended with exit code 1: ...ise " + strings.Repeat("noise ", 46) + "PANIC: no checkpoint"},
		"nowhere to go": {status: corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/1 nodes are available: 1 Insufficient cpu."}}},
			reason: "pod p: not scheduled: 0/1 nodes are available: 1 Insufficient cpu."},
		"evicted":         {status: corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted", Message: "The node was low on resource: memory."}, reason: "pod p: Evicted: The node was low on resource: memory."},
		"nothing is said": {status: corev1.PodStatus{Phase: corev1.PodPending}, reason: "pod p: is pending and not ready"},
		"init container": {status: corev1.PodStatus{Phase: corev1.PodPending, InitContainerStatuses: []corev1.ContainerStatus{{Name: "init", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 2}}}},
			ContainerStatuses: []corev1.ContainerStatus{{Name: "web", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "PodInitializing"}}}}},
			reason: "pod p: container init: ended with exit code 2; why: kubectl -n NS logs p -c init"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cluster, c, ns := connect(t)
			list := mended(t, c, object(t, deployment(`[{name: web, image: web}]`), ns))
			cluster.MakeReady(t, "Deployment", ns, "x")
			d, err := cluster.Clientset().AppsV1().Deployments(ns).Get(t.Context(), "x", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			d.Status.AvailableReplicas, d.Status.ReadyReplicas = 0, 0
			if _, err := cluster.Clientset().AppsV1().Deployments(ns).UpdateStatus(t.Context(), d, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			pod := putPod(t, cluster, ns, "p", tt.status)
			if tt.event != "" {
				putEvent(t, cluster, &pod.ObjectMeta, "Normal", "Earlier", "Pulled", time.Now().Add(-time.Minute))
				putEvent(t, cluster, &pod.ObjectMeta, "Warning", "Said", tt.event, time.Now())
			}
			h := health(t, c, list)
			if want := "Deployment " + ns + "/x: " + strings.ReplaceAll(tt.reason, " NS ", " "+ns+" "); h.Ready || h.Reason != want || h.Hopeless != tt.hopeless {
				t.Errorf("\n got %+v\nwant %q hopeless %v", h, want, tt.hopeless)
			}
		})
	}
}

func TestReasonOfAWorkloadWithoutPods(t *testing.T) {
	cluster, c, ns := connect(t)
	api := cluster.Clientset().AppsV1()
	d, s := object(t, deployment(`[{name: web, image: web}]`), ns), manifest(t, "statefulset.yaml", ns)[0]
	mended(t, c, d, s)
	made, err := api.Deployments(ns).Get(t.Context(), "x", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	made.Status = appsv1.DeploymentStatus{ObservedGeneration: 1, Conditions: []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: `pods "x" is forbidden: violates PodSecurity "restricted:latest"`}}}
	if _, err := api.Deployments(ns).UpdateStatus(t.Context(), made, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if h := health(t, c, []*unstructured.Unstructured{d}); !strings.Contains(h.Reason, `FailedCreate: pods "x" is forbidden: violates PodSecurity`) {
		t.Errorf("%+v", h)
	}
	set, err := api.StatefulSets(ns).Get(t.Context(), "db", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	set.Status.ObservedGeneration = 1
	if _, err := api.StatefulSets(ns).UpdateStatus(t.Context(), set, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if h := health(t, c, []*unstructured.Unstructured{s}); h.Reason != "StatefulSet "+ns+"/db: 0 of 1 pods are ready" {
		t.Errorf("%+v", h)
	}
	putEvent(t, cluster, &set.ObjectMeta, "Warning", "FailedCreate", "create Pod db-0 failed: exceeded quota", time.Now())
	if h := health(t, c, []*unstructured.Unstructured{s}); !strings.Contains(h.Reason, "FailedCreate: create Pod db-0 failed: exceeded quota") {
		t.Errorf("%+v", h)
	}
}

func TestOldPodsMustBeGoneWhenAsked(t *testing.T) {
	cluster, c, ns := connect(t)
	list := mended(t, c, object(t, deployment(`[{name: web, image: web}]`), ns))
	cluster.MakeReady(t, "Deployment", ns, "x")
	pods := cluster.Clientset().CoreV1().Pods(ns)
	// On a node, so that deleting it takes its grace period, as for a running pod.
	putPod(t, cluster, ns, "old", corev1.PodStatus{Phase: corev1.PodRunning}, func(p *corev1.Pod) { p.Spec.NodeName = "n" })
	if h := health(t, c, list, kube.OldPodsGone()); !h.Ready {
		t.Errorf("%+v", h)
	}
	if err := pods.Delete(t.Context(), "old", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if h := health(t, c, list); !h.Ready {
		t.Errorf("not asked: %+v", h)
	}
	if h := health(t, c, list, kube.OldPodsGone()); h.Ready || !strings.Contains(h.Reason, "pod old of the former version is still ending") {
		t.Errorf("%+v", h)
	}
	now := int64(0)
	if err := pods.Delete(t.Context(), "old", metav1.DeleteOptions{GracePeriodSeconds: &now}); err != nil {
		t.Fatal(err)
	}
	if h := health(t, c, list, kube.OldPodsGone()); !h.Ready {
		t.Errorf("%+v", h)
	}
}

func TestStatefulSetRollouts(t *testing.T) {
	tests := map[string]struct {
		strategy string
		updated  int32
		ready    bool
		reason   string
	}{
		"rolling, half way": {`{type: RollingUpdate}`, 1, false, "2 of 2 pods are ready"},
		"rolling, done":     {`{type: RollingUpdate}`, 2, true, ""},
		"partition":         {`{type: RollingUpdate, rollingUpdate: {partition: 1}}`, 1, true, ""},
		"on delete":         {`{type: OnDelete}`, 0, true, "2 pods run the former version until they are deleted (update strategy OnDelete)"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cluster, c, ns := connect(t)
			list := mended(t, c, object(t, `{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: s}, spec: {replicas: 2, updateStrategy: `+tt.strategy+`, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: b}]}}}}`, ns))
			api := cluster.Clientset().AppsV1().StatefulSets(ns)
			s, err := api.Get(t.Context(), "s", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			s.Status = appsv1.StatefulSetStatus{ObservedGeneration: 1, Replicas: 2, ReadyReplicas: 2, AvailableReplicas: 2, UpdatedReplicas: tt.updated, CurrentRevision: "one", UpdateRevision: "two"}
			if _, err := api.UpdateStatus(t.Context(), s, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			h, err := c.HealthOf(t.Context(), []*unstructured.Unstructured{read(t, c, list[0])})
			if err != nil || h.Ready != tt.ready || !strings.HasSuffix(h.Reason, tt.reason) && !tt.ready {
				t.Errorf("%v %+v", err, h)
			}
		})
	}
}

func TestJobThatFailed(t *testing.T) {
	cluster, c, ns := connect(t)
	list := mended(t, c, manifest(t, "job.yaml", ns)...)
	api := cluster.Clientset().BatchV1().Jobs(ns)
	j, err := api.Get(t.Context(), "j", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	now := metav1.Now()
	j.Status.StartTime, j.Status.Failed = &now, 1
	for _, kind := range []string{"FailureTarget", "Failed"} {
		j.Status.Conditions = append(j.Status.Conditions, jobCondition(kind, "BackoffLimitExceeded", "Job has reached the specified backoff limit"))
	}
	if _, err := api.UpdateStatus(t.Context(), j, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	putPod(t, cluster, ns, "p", corev1.PodStatus{Phase: corev1.PodFailed, ContainerStatuses: []corev1.ContainerStatus{{Name: "j", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 22}}}}},
		func(p *corev1.Pod) { p.Labels = j.Spec.Template.Labels })
	h := health(t, c, list)
	want := "Job " + ns + "/j: failed: BackoffLimitExceeded: Job has reached the specified backoff limit; last: pod p: container j: ended with exit code 22; why: kubectl -n " + ns + " logs p -c j"
	if !h.Hopeless || h.Reason != want {
		t.Errorf("%+v", h)
	}
}

func TestClaims(t *testing.T) {
	cluster, c, ns := connect(t)
	wait := storagev1.VolumeBindingWaitForFirstConsumer
	class := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: ns}, Provisioner: "example.org/none", VolumeBindingMode: &wait}
	classes := cluster.Clientset().StorageV1().StorageClasses()
	if _, err := classes.Create(t.Context(), class, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = classes.Delete(context.Background(), ns, metav1.DeleteOptions{}) })
	claim := func(name, class string) *unstructured.Unstructured {
		return object(t, `{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: `+name+`}, spec: {accessModes: [ReadWriteOnce], storageClassName: "`+class+`", resources: {requests: {storage: 1Gi}}}}`, ns)
	}
	list := mended(t, c, claim("waits", ns), claim("stuck", ""), claim("lost", ""))
	api := cluster.Clientset().CoreV1().PersistentVolumeClaims(ns)
	phase := func(name string, p corev1.PersistentVolumeClaimPhase) *corev1.PersistentVolumeClaim {
		live, err := api.Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		live.Status.Phase = p
		live, err = api.UpdateStatus(t.Context(), live, metav1.UpdateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return live
	}
	if h := health(t, c, list[:1]); !h.Ready {
		t.Errorf("a claim that waits for its pod is ready: %+v", h)
	}
	stuck := phase("stuck", corev1.ClaimPending)
	putEvent(t, cluster, &stuck.ObjectMeta, "Normal", "FailedBinding", "no persistent volumes available for this claim and no storage class is set", time.Now())
	if h := health(t, c, list[1:2]); h.Ready || h.Hopeless || !strings.Contains(h.Reason, "no storage class is set") {
		t.Errorf("%+v", h)
	}
	phase("lost", corev1.ClaimLost)
	if h := health(t, c, list); !h.Hopeless || !strings.Contains(h.Reason, "/lost: its volume") || !strings.Contains(h.Reason, "(and 1 more not ready)") {
		t.Errorf("the hopeless one speaks: %+v", h)
	}
	phase("stuck", corev1.ClaimBound)
	if h := health(t, c, list[:2]); !h.Ready {
		t.Errorf("%+v", h)
	}
}

func TestHealthOfOnePod(t *testing.T) {
	cluster, c, ns := connect(t)
	putPod(t, cluster, ns, "p", waiting("ErrImagePull", "no such image", 0))
	pod := []*unstructured.Unstructured{object(t, `{apiVersion: v1, kind: Pod, metadata: {name: p}}`, ns)}
	if h := health(t, c, pod); h.Ready || !strings.Contains(h.Reason, "ErrImagePull: no such image") {
		t.Errorf("%+v", h)
	}
	done := []*unstructured.Unstructured{object(t, `{apiVersion: v1, kind: Pod, metadata: {name: done}}`, ns)}
	putPod(t, cluster, ns, "done", corev1.PodStatus{Phase: corev1.PodSucceeded})
	if h := health(t, c, done); !h.Ready {
		t.Errorf("%+v", h)
	}
}

func TestLoadBalancerThatGetsNoAddress(t *testing.T) {
	cluster, c, ns := connect(t)
	list := mended(t, c, manifest(t, "service.yaml", ns)...)
	if h := health(t, c, list); h.Ready || h.Reason != "Service "+ns+"/web: the load balancer has no address yet" {
		t.Errorf("%+v", h)
	}
	s, err := cluster.Clientset().CoreV1().Services(ns).Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	putEvent(t, cluster, &s.ObjectMeta, "Warning", "SyncLoadBalancerFailed", "quota of addresses exceeded", time.Now())
	if h := health(t, c, list); !strings.HasSuffix(h.Reason, "no address yet: SyncLoadBalancerFailed: quota of addresses exceeded") {
		t.Errorf("%+v", h)
	}
}
