package helm

import (
	"context"
	"fmt"
	"time"

	helmkube "helm.sh/helm/v3/pkg/kube"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// WatchUntilReady waits for a hook: a job until it completed, a pod until it succeeded; anything else is done when it is there.
func (k *kubeClient) WatchUntilReady(list helmkube.ResourceList, timeout time.Duration) error {
	for _, info := range list {
		want, ok := info.Object.(object)
		if !ok {
			continue
		}
		if k.failure = k.awaitHook(located(want, info), timeout); k.failure != nil {
			return k.failure
		}
	}
	return nil
}

func (k *kubeClient) awaitHook(want object, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(k.ctx, timeout)
	defer cancel()
	name, latest := label(want, k.Namespace), "nothing is known of it yet"
	err := poll(ctx, func() (bool, error) {
		live, err := k.helm.Kube.Get(ctx, want)
		if err != nil {
			return false, err
		}
		if live == nil {
			return false, &HookError{Hook: name, Reason: "it was deleted while it ran"}
		}
		state := hookState(live)
		if state == hookRunning || state == hookFailed {
			if reason := k.reason(ctx, live); reason != "" && reason != latest {
				latest = reason
				k.helm.waiting(ReleaseID(k.release), "hook "+name+": "+reason)
			}
		}
		if state == hookFailed {
			return false, &HookError{Hook: name, Reason: latest}
		}
		return state == hookDone, nil
	})
	if ctx.Err() != nil && k.ctx.Err() == nil {
		return &HookError{Hook: name, Reason: fmt.Sprintf("not done after %s: %s", timeout, latest)}
	}
	return err
}

// reason is what the cluster says on an object's pods.
func (k *kubeClient) reason(ctx context.Context, live object) string {
	health, err := k.helm.Kube.HealthOf(ctx, []object{live})
	if err != nil {
		return err.Error()
	}
	return health.Reason
}

// The states of a hook.
const (
	hookRunning = iota
	hookDone
	hookFailed
)

// hookState reads how far a hook is.
func hookState(u object) int {
	switch u.GetKind() {
	case "Job":
		if conditionTrue(u, "Complete") {
			return hookDone
		}
		if conditionTrue(u, "Failed") {
			return hookFailed
		}
		return hookRunning
	case "Pod":
		phase, _, err := unstructured.NestedString(u.Object, "status", "phase")
		switch {
		case err != nil || phase == "Failed":
			return hookFailed
		case phase == "Succeeded":
			return hookDone
		}
		return hookRunning
	}
	return hookDone
}

// waiting tells who listens what a release waits for.
func (c *Client) waiting(id engine.ID, reason string) {
	if c.Waiting != nil {
		c.Waiting(id, reason)
	}
}
