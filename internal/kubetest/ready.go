package kubetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// LoadBalancerIP is the address that MakeReady gives to Services: loopback, so that no test sends anything off the machine.
const LoadBalancerIP = "127.0.0.1"

// MakeReady writes the status that the controllers, a node and a cloud would write: kind is Deployment, StatefulSet,
// DaemonSet, Job, PersistentVolumeClaim or Service (of type LoadBalancer).
func (c *Cluster) MakeReady(t testing.TB, kind, namespace, name string) {
	t.Helper()
	if err := c.makeReady(t.Context(), kind, namespace, name); err != nil {
		t.Fatal(err)
	}
}

// KeepReady makes everything ready in all namespaces as soon as it appears, and ends namespaces that are being deleted,
// until the test ends. It is for tests of commands that wait.
func (c *Cluster) KeepReady(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			if err := c.makeAllReady(ctx); err != nil && ctx.Err() == nil {
				done <- err
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
		done <- nil
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("workloads could not be made ready: %v", err)
		}
	})
}

func (c *Cluster) makeReady(ctx context.Context, kind, namespace, name string) error {
	get, apps := metav1.GetOptions{}, c.own.AppsV1()
	switch kind {
	case "Deployment":
		o, err := apps.Deployments(namespace).Get(ctx, name, get)
		return then(o, err, func() error { return c.readyDeployment(ctx, o) })
	case "StatefulSet":
		o, err := apps.StatefulSets(namespace).Get(ctx, name, get)
		return then(o, err, func() error { return c.readyStatefulSet(ctx, o) })
	case "DaemonSet":
		o, err := apps.DaemonSets(namespace).Get(ctx, name, get)
		return then(o, err, func() error { return c.readyDaemonSet(ctx, o) })
	case "Job":
		o, err := c.own.BatchV1().Jobs(namespace).Get(ctx, name, get)
		return then(o, err, func() error { return c.completeJob(ctx, o) })
	case "PersistentVolumeClaim":
		o, err := c.own.CoreV1().PersistentVolumeClaims(namespace).Get(ctx, name, get)
		return then(o, err, func() error { return c.bindClaim(ctx, o) })
	case "Service":
		o, err := c.own.CoreV1().Services(namespace).Get(ctx, name, get)
		return then(o, err, func() error { return c.addressService(ctx, o) })
	default:
		return fmt.Errorf("a %s cannot be made ready", kind)
	}
}

func then[T any](_ T, err error, write func() error) error {
	if err != nil {
		return err
	}
	return write()
}

// makeAllReady goes once over everything. Something that goes away or changes meanwhile is met again next time.
func (c *Cluster) makeAllReady(ctx context.Context) error {
	list, apps := metav1.ListOptions{}, c.own.AppsV1()
	deployments, e1 := apps.Deployments("").List(ctx, list)
	sets, e2 := apps.StatefulSets("").List(ctx, list)
	daemons, e3 := apps.DaemonSets("").List(ctx, list)
	jobs, e4 := c.own.BatchV1().Jobs("").List(ctx, list)
	claims, e5 := c.own.CoreV1().PersistentVolumeClaims("").List(ctx, list)
	services, e6 := c.own.CoreV1().Services("").List(ctx, list)
	namespaces, e7 := c.own.CoreV1().Namespaces().List(ctx, list)
	if err := errors.Join(e1, e2, e3, e4, e5, e6, e7); err != nil {
		return err
	}
	var errs []error
	errs = append(errs, each(ctx, deployments.Items, c.readyDeployment), each(ctx, sets.Items, c.readyStatefulSet),
		each(ctx, daemons.Items, c.readyDaemonSet), each(ctx, jobs.Items, c.completeJob),
		each(ctx, claims.Items, c.bindClaim), each(ctx, services.Items, c.addressService),
		each(ctx, namespaces.Items, c.endNamespace))
	return errors.Join(errs...)
}

func each[T any](ctx context.Context, items []T, write func(context.Context, *T) error) error {
	for i := range items {
		if err := write(ctx, &items[i]); err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return err
		}
	}
	return nil
}

func (c *Cluster) readyDeployment(ctx context.Context, o *appsv1.Deployment) error {
	n := *o.Spec.Replicas
	if o.Status.ObservedGeneration == o.Generation && o.Status.AvailableReplicas == n {
		return nil
	}
	o.Status = appsv1.DeploymentStatus{ObservedGeneration: o.Generation, Replicas: n, UpdatedReplicas: n, ReadyReplicas: n, AvailableReplicas: n}
	for _, kind := range []appsv1.DeploymentConditionType{appsv1.DeploymentAvailable, appsv1.DeploymentProgressing} {
		o.Status.Conditions = append(o.Status.Conditions, appsv1.DeploymentCondition{Type: kind, Status: corev1.ConditionTrue, LastUpdateTime: metav1.Now(), LastTransitionTime: metav1.Now()})
	}
	_, err := c.own.AppsV1().Deployments(o.Namespace).UpdateStatus(ctx, o, metav1.UpdateOptions{})
	return err
}

func (c *Cluster) readyStatefulSet(ctx context.Context, o *appsv1.StatefulSet) error {
	n := *o.Spec.Replicas
	if o.Status.ObservedGeneration == o.Generation && o.Status.AvailableReplicas == n {
		return nil
	}
	revision := fmt.Sprintf("%s-%d", o.Name, o.Generation)
	o.Status = appsv1.StatefulSetStatus{ObservedGeneration: o.Generation, Replicas: n, ReadyReplicas: n, AvailableReplicas: n, UpdatedReplicas: n, CurrentReplicas: n, CurrentRevision: revision, UpdateRevision: revision}
	_, err := c.own.AppsV1().StatefulSets(o.Namespace).UpdateStatus(ctx, o, metav1.UpdateOptions{})
	return err
}

func (c *Cluster) readyDaemonSet(ctx context.Context, o *appsv1.DaemonSet) error {
	if o.Status.ObservedGeneration == o.Generation && o.Status.NumberAvailable == 1 {
		return nil
	}
	o.Status = appsv1.DaemonSetStatus{ObservedGeneration: o.Generation, DesiredNumberScheduled: 1, CurrentNumberScheduled: 1, UpdatedNumberScheduled: 1, NumberReady: 1, NumberAvailable: 1}
	_, err := c.own.AppsV1().DaemonSets(o.Namespace).UpdateStatus(ctx, o, metav1.UpdateOptions{})
	return err
}

func (c *Cluster) completeJob(ctx context.Context, o *batchv1.Job) error {
	if o.Status.CompletionTime != nil {
		return nil
	}
	now := metav1.Now()
	o.Status = batchv1.JobStatus{StartTime: &now, CompletionTime: &now, Succeeded: *o.Spec.Completions}
	for _, kind := range []batchv1.JobConditionType{batchv1.JobSuccessCriteriaMet, batchv1.JobComplete} {
		o.Status.Conditions = append(o.Status.Conditions, batchv1.JobCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: now})
	}
	_, err := c.own.BatchV1().Jobs(o.Namespace).UpdateStatus(ctx, o, metav1.UpdateOptions{})
	return err
}

func (c *Cluster) bindClaim(ctx context.Context, o *corev1.PersistentVolumeClaim) error {
	if o.Status.Phase == corev1.ClaimBound {
		return nil
	}
	o.Status.Phase = corev1.ClaimBound
	_, err := c.own.CoreV1().PersistentVolumeClaims(o.Namespace).UpdateStatus(ctx, o, metav1.UpdateOptions{})
	return err
}

func (c *Cluster) addressService(ctx context.Context, o *corev1.Service) error {
	if o.Spec.Type != corev1.ServiceTypeLoadBalancer || len(o.Status.LoadBalancer.Ingress) > 0 {
		return nil
	}
	o.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: LoadBalancerIP}}
	_, err := c.own.CoreV1().Services(o.Namespace).UpdateStatus(ctx, o, metav1.UpdateOptions{})
	return err
}
