package kube

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

const unseen = "its controller has not seen the last change yet"

func (e *examination) deployment(ctx context.Context, d *appsv1.Deployment) (engine.Health, error) {
	want, s := replicas(d.Spec.Replicas), d.Status
	switch {
	case s.ObservedGeneration < d.Generation:
		return engine.Health{Reason: unseen}, nil
	case d.Spec.Paused && s.UpdatedReplicas < want:
		return engine.Health{Reason: "its rollout is paused"}, nil
	case s.UpdatedReplicas >= want && s.Replicas <= s.UpdatedReplicas && s.AvailableReplicas >= want:
		return e.oldPods(ctx, d)
	}
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
			return engine.Health{Reason: oneLine(c.Reason + ": " + c.Message)}, nil
		}
	}
	fallback := fmt.Sprintf("%d of %d pods are ready", min(s.AvailableReplicas, s.UpdatedReplicas), want)
	if s.AvailableReplicas >= want && s.Replicas > s.UpdatedReplicas {
		fallback = fmt.Sprintf("%d pods of the former version are still there", s.Replicas-s.UpdatedReplicas)
	}
	return e.pods(ctx, &d.ObjectMeta, d.Spec.Selector, fallback)
}

// oldPods finds pods that are ending, if that was asked for. A rolled-out Deployment has no others that are not its own.
func (e *examination) oldPods(ctx context.Context, d *appsv1.Deployment) (engine.Health, error) {
	if !e.oldPodsGone {
		return engine.Health{Ready: true}, nil
	}
	pods, err := e.podsOf(ctx, d.Namespace, d.Spec.Selector)
	if err != nil {
		return engine.Health{}, err
	}
	for _, p := range pods {
		if p.DeletionTimestamp != nil && p.Status.Phase == corev1.PodRunning {
			return engine.Health{Reason: fmt.Sprintf("pod %s of the former version is still ending and may go on answering until %s", p.Name, p.DeletionTimestamp.UTC().Format(timeFormat))}, nil
		}
	}
	return engine.Health{Ready: true}, nil
}

func (e *examination) statefulSet(ctx context.Context, set *appsv1.StatefulSet) (engine.Health, error) {
	want, s := replicas(set.Spec.Replicas), set.Status
	if s.ObservedGeneration < set.Generation {
		return engine.Health{Reason: unseen}, nil
	}
	outdated := int32(0)
	if s.UpdateRevision != s.CurrentRevision && s.UpdateRevision != "" {
		outdated = want - s.UpdatedReplicas
	}
	if s.AvailableReplicas >= want {
		// OnDelete leaves old pods until somebody deletes them: that is its purpose (a Vault that has to be unsealed).
		if set.Spec.UpdateStrategy.Type == appsv1.OnDeleteStatefulSetStrategyType && outdated > 0 {
			return engine.Health{Ready: true, Reason: fmt.Sprintf("%d pods run the former version until they are deleted (update strategy OnDelete)", outdated)}, nil
		}
		if outdated <= partition(set) {
			return engine.Health{Ready: true}, nil
		}
	}
	return e.pods(ctx, &set.ObjectMeta, set.Spec.Selector, fmt.Sprintf("%d of %d pods are ready", s.AvailableReplicas, want))
}

// partition is how many pods a rolling update leaves alone on purpose.
func partition(set *appsv1.StatefulSet) int32 {
	if r := set.Spec.UpdateStrategy.RollingUpdate; r != nil && r.Partition != nil {
		return *r.Partition
	}
	return 0
}

func (e *examination) daemonSet(ctx context.Context, d *appsv1.DaemonSet) (engine.Health, error) {
	s := d.Status
	if s.ObservedGeneration < d.Generation {
		return engine.Health{Reason: unseen}, nil
	}
	updated := s.UpdatedNumberScheduled >= s.DesiredNumberScheduled || d.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType
	if updated && s.NumberAvailable >= s.DesiredNumberScheduled {
		return engine.Health{Ready: true}, nil
	}
	return e.pods(ctx, &d.ObjectMeta, d.Spec.Selector, fmt.Sprintf("%d of %d pods are ready", s.NumberAvailable, s.DesiredNumberScheduled))
}

func (e *examination) job(ctx context.Context, j *batchv1.Job) (engine.Health, error) {
	failed := ""
	for _, c := range j.Status.Conditions {
		if c.Status != corev1.ConditionTrue {
			continue
		}
		switch c.Type {
		case batchv1.JobComplete:
			return engine.Health{Ready: true}, nil
		case batchv1.JobSuspended:
			return engine.Health{Reason: "suspended"}, nil
		case batchv1.JobFailed:
			failed = "failed: " + oneLine(c.Reason+": "+c.Message)
		}
	}
	health, err := e.pods(ctx, &j.ObjectMeta, j.Spec.Selector, fmt.Sprintf("%d active, %d failed", j.Status.Active, j.Status.Failed))
	if failed != "" {
		health = engine.Health{Reason: failed + "; last: " + health.Reason, Hopeless: true}
	}
	return health, err
}

func replicas(wanted *int32) int32 {
	if wanted == nil {
		return 1
	}
	return *wanted
}

// pods is the reason of a workload that is not ready: what its newest unready pods say, else what is said of itself.
func (e *examination) pods(ctx context.Context, owner *metav1.ObjectMeta, selector *metav1.LabelSelector, fallback string) (engine.Health, error) {
	pods, err := e.podsOf(ctx, owner.Namespace, selector)
	if err != nil {
		return engine.Health{}, err
	}
	health := engine.Health{}
	for i := range pods {
		h, err := e.unready(ctx, &pods[i])
		if err != nil {
			return engine.Health{}, err
		}
		if health.Reason == "" || h.Hopeless {
			health = h
		}
		if health.Hopeless {
			break
		}
	}
	if health.Reason == "" {
		health.Reason, err = e.lastEvent(ctx, owner, "Warning")
	}
	if health.Reason == "" {
		health.Reason = fallback
	}
	return health, err
}
