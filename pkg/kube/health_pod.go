package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// When waiting longer will not help. The kubelet tries an image after 10, 20, 40 and 80 seconds, so by then it has
// failed four times; a container that crashed five times has been waited for as long.
const (
	patience      = 2 * time.Minute
	crashesEnough = 5
)

// podsOf lists pods, the newest first.
func (e *examination) podsOf(ctx context.Context, namespace string, selector *metav1.LabelSelector) ([]corev1.Pod, error) {
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return nil, fmt.Errorf("pods in %s: %w", namespace, err)
	}
	list, err := e.client.Clientset.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: s.String()})
	if err != nil {
		return nil, fmt.Errorf("list pods in %s: %w", namespace, err)
	}
	slices.SortStableFunc(list.Items, func(a, b corev1.Pod) int { return b.CreationTimestamp.Compare(a.CreationTimestamp.Time) })
	return list.Items, nil
}

func (e *examination) pod(ctx context.Context, p *corev1.Pod) (engine.Health, error) {
	if podReady(p) || p.Status.Phase == corev1.PodSucceeded {
		return engine.Health{Ready: true}, nil
	}
	return e.unready(ctx, p)
}

// unready is the latest that is said of a pod; empty for one that is ready or on its way out.
func (e *examination) unready(ctx context.Context, p *corev1.Pod) (engine.Health, error) {
	if podReady(p) || p.DeletionTimestamp != nil || p.Status.Phase == corev1.PodSucceeded {
		return engine.Health{}, nil
	}
	said := podSays(p, e.now)
	if said.Reason == "" {
		event, err := e.lastEvent(ctx, &p.ObjectMeta, "")
		if err != nil {
			return engine.Health{}, err
		}
		said.Reason = event
	}
	if said.Reason == "" {
		said.Reason = "is " + strings.ToLower(string(p.Status.Phase)) + " and not ready"
	}
	said.Reason = "pod " + p.Name + ": " + said.Reason
	return said, nil
}

func podReady(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// podSays is what the status of an unready pod itself tells; empty when the events have to.
func podSays(p *corev1.Pod, now time.Time) engine.Health {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return engine.Health{Reason: oneLine("not scheduled: " + c.Message)}
		}
	}
	if p.Status.Phase == corev1.PodFailed && p.Status.Message != "" {
		return engine.Health{Reason: oneLine(p.Status.Reason + ": " + p.Status.Message)}
	}
	age := now.Sub(p.CreationTimestamp.Time)
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if health := containerSays(p, s, age); health.Reason != "" {
			health.Reason = "container " + s.Name + ": " + health.Reason
			return health
		}
	}
	return engine.Health{}
}

// containerSays is what a container waits for or died of; empty when it says nothing of its own.
func containerSays(p *corev1.Pod, s corev1.ContainerStatus, age time.Duration) engine.Health {
	switch {
	case s.State.Waiting != nil:
		return waitingSays(p, s, age)
	case s.State.Terminated != nil && s.State.Terminated.ExitCode != 0:
		return engine.Health{Reason: died(p, s)}
	case s.State.Running != nil && !s.Ready && s.RestartCount > 0 && s.LastTerminationState.Terminated != nil:
		return engine.Health{Reason: "running, not ready; " + died(p, s)}
	}
	return engine.Health{}
}

func waitingSays(p *corev1.Pod, s corev1.ContainerStatus, age time.Duration) engine.Health {
	w := s.State.Waiting
	switch w.Reason {
	case "", "ContainerCreating", "PodInitializing":
		return engine.Health{}
	case "CrashLoopBackOff":
		health := engine.Health{Reason: w.Reason, Hopeless: s.RestartCount >= crashesEnough}
		if s.LastTerminationState.Terminated != nil {
			health.Reason += ": " + died(p, s)
		}
		return health
	}
	pull := slices.Contains([]string{"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"}, w.Reason)
	return engine.Health{Reason: oneLine(w.Reason + ": " + w.Message), Hopeless: pull && age >= patience}
}

// died tells how a container ended last, and where to read why when its status does not say. Logs are not shown: a program
// of somebody else's may print what is secret.
func died(p *corev1.Pod, s corev1.ContainerStatus) string {
	t, which := s.State.Terminated, ""
	if t == nil {
		t, which = s.LastTerminationState.Terminated, " --previous"
	}
	said := fmt.Sprintf("ended with exit code %d", t.ExitCode)
	if t.Reason != "" && t.Reason != "Error" {
		said += " (" + t.Reason + ")"
	}
	if t.Message != "" {
		said += ": " + lastOf(t.Message)
	}
	if s.RestartCount > 0 {
		said += fmt.Sprintf("; restarted %d times", s.RestartCount)
	}
	if t.Message == "" && t.ExitCode != 0 {
		said += fmt.Sprintf("; why: kubectl -n %s logs %s -c %s%s", p.Namespace, p.Name, s.Name, which)
	}
	return strings.Join(strings.Fields(said), " ")
}

// longest is how much of a message is shown.
const longest = 300

// oneLine makes one line of a message, the end of which may be cut off.
func oneLine(s string) string {
	s = strings.TrimSuffix(strings.TrimPrefix(strings.Join(strings.Fields(s), " "), ": "), ":")
	if r := []rune(s); len(r) > longest {
		return string(r[:longest]) + "..."
	}
	return s
}

// lastOf is the end of a message: it may be the end of a log, where the reason stands last.
func lastOf(s string) string {
	if r := []rune(strings.Join(strings.Fields(s), " ")); len(r) > longest {
		return "..." + string(r[len(r)-longest:])
	}
	return strings.TrimSpace(s)
}
