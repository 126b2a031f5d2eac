package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// choose finds a pod and the port of its container.
func (t *Tunnel) choose(ctx context.Context) (target, error) {
	api := t.client.Clientset.CoreV1()
	if t.service == "" {
		p, err := api.Pods(t.namespace).Get(ctx, t.pod, metav1.GetOptions{})
		if err != nil {
			return target{}, fmt.Errorf("read pod %s/%s: %w", t.namespace, t.pod, err)
		}
		if !t.takes(p) {
			return target{}, t.none(ctx, []corev1.Pod{*p})
		}
		return target{pod: p.Name, uid: p.UID, port: t.port}, nil
	}
	s, err := api.Services(t.namespace).Get(ctx, t.service, metav1.GetOptions{})
	if err != nil {
		return target{}, fmt.Errorf("read service %s/%s: %w", t.namespace, t.service, err)
	}
	if len(s.Spec.Selector) == 0 {
		return target{}, &NoPodError{To: t.namespace + "/" + t.service, Reason: "the service selects no pods"}
	}
	list, err := api.Pods(t.namespace).List(ctx, metav1.ListOptions{LabelSelector: labels.SelectorFromSet(s.Spec.Selector).String()})
	if err != nil {
		return target{}, fmt.Errorf("list pods of service %s/%s: %w", t.namespace, t.service, err)
	}
	slices.SortStableFunc(list.Items, func(a, b corev1.Pod) int { return b.CreationTimestamp.Compare(a.CreationTimestamp.Time) })
	for i := range list.Items {
		if p := &list.Items[i]; t.takes(p) {
			port, err := containerPort(s, p, t.port)
			return target{pod: p.Name, uid: p.UID, port: port}, err
		}
	}
	return target{}, t.none(ctx, list.Items)
}

func (t *Tunnel) takes(p *corev1.Pod) bool {
	return p.DeletionTimestamp == nil && p.Status.Phase == corev1.PodRunning && (t.unready || podReady(p))
}

// none says why there is no pod.
func (t *Tunnel) none(ctx context.Context, pods []corev1.Pod) error {
	e := &NoPodError{To: t.namespace + "/" + t.service + t.pod, Reason: "there are no pods"}
	look := examination{client: t.client, now: time.Now()}
	for i := range pods {
		health, err := look.unready(ctx, &pods[i])
		if err != nil {
			return err
		}
		if e.Reason = health.Reason; e.Reason != "" {
			return e
		}
		e.Reason = "pod " + pods[i].Name + " is ending"
	}
	return e
}

// containerPort follows a Service's port to the container's, by number or by name.
func containerPort(s *corev1.Service, p *corev1.Pod, port int) (int, error) {
	var offered []string
	for _, sp := range s.Spec.Ports {
		offered = append(offered, fmt.Sprint(sp.Port))
		if int(sp.Port) != port {
			continue
		}
		switch {
		case sp.TargetPort.StrVal != "":
			return namedPort(p, sp.TargetPort.StrVal)
		case sp.TargetPort.IntVal != 0:
			return int(sp.TargetPort.IntVal), nil
		}
		return port, nil
	}
	return 0, fmt.Errorf("service %s/%s has no port %d, only %s", s.Namespace, s.Name, port, strings.Join(offered, ", "))
}

func namedPort(p *corev1.Pod, name string) (int, error) {
	for _, c := range slices.Concat(p.Spec.Containers, p.Spec.InitContainers) {
		for _, port := range c.Ports {
			if port.Name == name {
				return int(port.ContainerPort), nil
			}
		}
	}
	return 0, fmt.Errorf("pod %s/%s has no port named %s", p.Namespace, p.Name, name)
}
