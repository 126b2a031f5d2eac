package ingress

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// address is the external address of the controller: read, never written, waited for.
type address struct {
	kube               *kube.Client
	namespace, service string
	// nodes: without a load balancer the addresses are the nodes' own.
	nodes bool
	// release that makes the service; empty for a controller that somebody else installed.
	release engine.ID
	out     *engine.Output[[]kube.Address]
}

// Observe reads the addresses and makes them known.
func (a *address) Observe(ctx context.Context) ([]kube.Address, error) {
	found, err := a.kube.Addresses(ctx, a.namespace, a.service)
	if apierrors.IsNotFound(err) && a.release == "" {
		return nil, fmt.Errorf("there is no Service %s/%s: name the controller's load balancer by the key ingress.service (`kubectl get services -A`)", a.namespace, a.service)
	}
	if apierrors.IsNotFound(err) {
		return nil, &engine.NotYetError{After: a.release, Why: fmt.Sprintf("service %s/%s is not there", a.namespace, a.service)}
	}
	if err != nil {
		return nil, err
	}
	if len(found) == 0 && a.nodes {
		if found, err = a.nodeAddresses(ctx); err != nil {
			return nil, err
		}
	}
	if len(found) > 0 {
		a.out.Set(found)
	}
	return found, nil
}

// nodeAddresses are those of the nodes themselves, outside ones first: where the controller listens on node ports.
func (a *address) nodeAddresses(ctx context.Context) ([]kube.Address, error) {
	nodes, err := a.kube.Clientset.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("the addresses of the nodes: %w", kube.Explain(err))
	}
	for _, kind := range []corev1.NodeAddressType{corev1.NodeExternalIP, corev1.NodeInternalIP} {
		var found []kube.Address
		for _, node := range nodes.Items {
			for _, each := range node.Status.Addresses {
				if ip, err := netip.ParseAddr(each.Address); err == nil && each.Type == kind {
					found = append(found, kube.Address{IP: ip})
				}
			}
		}
		if len(found) > 0 {
			return found, nil
		}
	}
	return nil, nil
}

// Plan waits as long as there is none.
func (a *address) Plan(found []kube.Address) engine.Change {
	if len(found) == 0 {
		return engine.Change{Action: engine.Pending, Why: "no external address yet"}
	}
	return engine.Change{Action: engine.Unchanged, Why: words(found)}
}

// Apply has nothing to write.
func (a *address) Apply(context.Context, []kube.Address) error { return nil }

// Ready tells why there is no address yet, in the words of the cloud's controller where it has any.
func (a *address) Ready(ctx context.Context) (engine.Health, error) {
	found, err := a.Observe(ctx)
	if err != nil || len(found) > 0 {
		return engine.Health{Ready: err == nil}, err
	}
	service := &unstructured.Unstructured{}
	service.SetAPIVersion("v1")
	service.SetKind("Service")
	service.SetNamespace(a.namespace)
	service.SetName(a.service)
	health, err := a.kube.Health(ctx, []*unstructured.Unstructured{service})
	if err != nil {
		return engine.Health{}, err
	}
	return engine.Health{Reason: fmt.Sprintf("service %s/%s has no external address (%s); a cluster without load balancers needs one such as MetalLB, or ingress.provider: baremetal with externalIPs in ingress.values",
		a.namespace, a.service, health.Reason)}, nil
}

func words(found []kube.Address) string {
	list := make([]string, len(found))
	for i, a := range found {
		list[i] = a.String()
	}
	return strings.Join(list, ", ")
}

// existingService finds the load balancer of a controller that is there: the one named, or the only one there is.
func existingService(ctx context.Context, env stage.Env) (namespace, name string, err error) {
	if named := env.Platform.Ingress.Service; named != "" {
		namespace, name, _ := strings.Cut(named, "/")
		return namespace, name, nil
	}
	services, err := env.Kube.Clientset.CoreV1().Services("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", "", fmt.Errorf("the ingress controller's service: %w", kube.Explain(err))
	}
	var found []string
	for _, s := range services.Items {
		if s.Spec.Type == corev1.ServiceTypeLoadBalancer && hasPort(s, 80) && hasPort(s, 443) {
			namespace, name = s.Namespace, s.Name
			found = append(found, s.Namespace+"/"+s.Name)
		}
	}
	if len(found) == 0 {
		return "", "", errors.New("which service is the ingress controller's? No load balancer has the ports 80 and 443: name the service by the key ingress.service, as namespace/name")
	}
	if len(found) != 1 {
		return "", "", fmt.Errorf("which service is the ingress controller's? %d load balancers have the ports 80 and 443 (%s): name one by the key ingress.service",
			len(found), strings.Join(found, ", "))
	}
	return namespace, name, nil
}

func hasPort(s corev1.Service, number int32) bool {
	return slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == number })
}
