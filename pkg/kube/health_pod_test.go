package kube

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Waiting reasons of the kubelet (kubernetes pkg/kubelet/images/types.go, v1.36) and when they become hopeless.
func TestWhenWaitingForAPodIsHopeless(t *testing.T) {
	tests := []struct {
		reason   string
		restarts int32
		age      time.Duration
		hopeless bool
	}{
		{"ErrImagePull", 0, time.Second, false},
		{"ImagePullBackOff", 0, time.Minute, false},
		{"ImagePullBackOff", 0, 3 * time.Minute, true},
		{"ErrImageNeverPull", 0, 3 * time.Minute, true},
		{"InvalidImageName", 0, 3 * time.Minute, true},
		{"CrashLoopBackOff", 4, time.Hour, false},
		{"CrashLoopBackOff", 5, time.Minute, true},
		{"CreateContainerConfigError", 0, time.Hour, false},
		{"ContainerCreating", 0, time.Hour, false},
	}
	now := time.Now()
	for _, tt := range tests {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(now.Add(-tt.age))}, Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
			Name: "c", RestartCount: tt.restarts, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: tt.reason}},
		}}}}
		if got := podSays(pod, now); got.Hopeless != tt.hopeless {
			t.Errorf("%s after %s and %d restarts: %+v", tt.reason, tt.age, tt.restarts, got)
		}
	}
	unschedulable := &corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "no nodes"}}}}
	if got := podSays(unschedulable, now); got.Hopeless || got.Reason != "not scheduled: no nodes" {
		t.Errorf("a node may still come: %+v", got)
	}
}

func TestOneLine(t *testing.T) {
	tests := map[string]string{
		"a\n  b\tc\n":  "a b c",
		": no reason":  "no reason",
		"no message: ": "no message",
		"":             "",
	}
	for in, want := range tests {
		if got := oneLine(in); got != want {
			t.Errorf("oneLine(%q) = %q, want %q", in, got, want)
		}
	}
	if got := oneLine(strings.Repeat("é", 1000)); len([]rune(got)) != longest+3 {
		t.Errorf("%d letters", len([]rune(got)))
	}
}
