package auth

import (
	"context"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

// startTime is how long a pod may take until its program runs.
const startTime = time.Minute

// createTime and removeTime bound what goes on after Ctrl-C: a Job that is being made, and its removal.
const (
	createTime = 30 * time.Second
	removeTime = 10 * time.Second
)

// send runs one pod to its end, and takes it away. An error is that the cluster could not be asked, or that the run was
// stopped; a pod that did not get to try is an outcome.
func (r *reach) send(ctx context.Context) (outcome, error) {
	if len(r.trip.ca) > mostCA {
		return outcome{result: untold, said: fmt.Sprintf("trust.caBundle has more than the %d kB that can be handed to a pod", mostCA>>10)}, nil
	}
	job := r.trip.job(r.stamp.Namespace, jobName+"-"+rand.String(5))
	err := r.create(ctx, job)
	if err == nil {
		defer r.takeAway(ctx, job.Name)
	}
	if ctx.Err() != nil {
		return outcome{}, context.Cause(ctx)
	}
	if err != nil {
		return outcome{result: untold, said: kube.Explain(err).Error()}, nil
	}
	for began := time.Now(); ; {
		got, done, err := r.look(ctx, job, time.Since(began))
		switch {
		case ctx.Err() != nil:
			return outcome{}, context.Cause(ctx)
		case err != nil || done:
			return got, err
		}
		select {
		case <-ctx.Done():
			return outcome{}, context.Cause(ctx)
		case <-time.After(r.pause):
		}
	}
}

// create waits for the answer after Ctrl-C as well: only then is it known whether there is a Job to take away.
func (r *reach) create(ctx context.Context, job *batchv1.Job) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), createTime)
	defer cancel()
	_, err := r.env.Kube.Clientset.BatchV1().Jobs(job.Namespace).Create(ctx, job, metav1.CreateOptions{FieldManager: kube.FieldManager})
	return err
}

// look asks the pod first: a Job says that it failed, not of what.
func (r *reach) look(ctx context.Context, job *batchv1.Job, age time.Duration) (outcome, bool, error) {
	pods, err := r.env.Kube.Clientset.CoreV1().Pods(job.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/instance=" + job.Name})
	if err != nil {
		return outcome{}, false, fmt.Errorf("the pod that asks %s: %w", r.trip.url, kube.Explain(err))
	}
	running := false
	for _, pod := range pods.Items {
		if got, done := ended(pod); done {
			return got, true, nil
		}
		running = running || pod.Status.Phase == corev1.PodRunning
	}
	// It says why there is no pod, too: a quota, an admission.
	health, err := r.env.Kube.Health(ctx, []*unstructured.Unstructured{reference(job)})
	switch {
	case err != nil:
		return outcome{}, false, fmt.Errorf("the job that asks %s: %w", r.trip.url, kube.Explain(err))
	case health.Ready:
		return outcome{result: reached}, true, nil
	case health.Hopeless, age > startTime && !running, age > jobSeconds*time.Second:
		return outcome{result: untold, said: health.Reason}, true, nil
	}
	return outcome{}, false, nil
}

// takeAway deletes a Job with its pod, whatever became of the run. Should that fail, Kubernetes does it: see keptSeconds.
func (r *reach) takeAway(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTime)
	defer cancel()
	if err := r.deleteJob(ctx, name); err != nil {
		r.env.Warn(fmt.Sprintf("job %s/%s could not be deleted, and goes by itself within %d minutes: %v", r.stamp.Namespace, name, (jobSeconds+keptSeconds)/60, err))
	}
}

// sweep takes away what a run left that was killed.
func (r *reach) sweep(ctx context.Context) error {
	left, err := r.env.Kube.Clientset.BatchV1().Jobs(r.stamp.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=" + jobName + "," + kube.ManagedByLabel + "=" + kube.FieldManager})
	if err != nil {
		return fmt.Errorf("jobs of former runs: %w", kube.Explain(err))
	}
	for _, job := range left.Items {
		if err := r.deleteJob(ctx, job.Name); err != nil {
			return err
		}
	}
	return nil
}

func (r *reach) deleteJob(ctx context.Context, name string) error {
	background := metav1.DeletePropagationBackground
	err := r.env.Kube.Clientset.BatchV1().Jobs(r.stamp.Namespace).Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: &background})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("job %s/%s: %w", r.stamp.Namespace, name, kube.Explain(err))
	}
	return nil
}

func reference(job *batchv1.Job) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "batch/v1", "kind": "Job", "metadata": map[string]any{"namespace": job.Namespace, "name": job.Name},
	}}
}
