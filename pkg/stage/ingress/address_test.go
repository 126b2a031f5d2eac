package ingress

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/kubetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

func TestMain(m *testing.M) { os.Exit(kubetest.Run(m)) }

func balancer(t *testing.T, cluster *kubetest.Cluster, namespace, name string, ports ...int32) {
	t.Helper()
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer}}
	for _, port := range ports {
		s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Name: "p" + strings.Repeat("x", int(port%10)), Port: port})
	}
	services := cluster.Clientset().CoreV1().Services(namespace)
	if _, err := services.Create(t.Context(), s, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	// the API server is shared by the package's tests, and one of them counts load balancers
	t.Cleanup(func() {
		if err := services.Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
}

// The address of a controller that somebody else installed: found when there is one, asked for when there are more.
func TestExistingController(t *testing.T) {
	cluster := kubetest.Start(t)
	client, err := kube.Connect(cluster.Flags(t))
	if err != nil {
		t.Fatal(err)
	}
	ns := cluster.Namespace(t)
	find := func(service string) (string, error) {
		env := environment(t, platform.Config{Ingress: platform.Ingress{Mode: "existing", Service: service}})
		env.Kube = client
		namespace, name, err := existingService(t.Context(), env)
		return namespace + "/" + name, err
	}
	if _, err := find(""); err == nil || !strings.Contains(err.Error(), "No load balancer has the ports") || !strings.Contains(err.Error(), "ingress.service") {
		t.Errorf("none: %v", err)
	}
	balancer(t, cluster, ns, "mail", 25)
	balancer(t, cluster, ns, "edge", 80, 443)
	if got, err := find(""); err != nil || got != ns+"/edge" {
		t.Errorf("one: %s, %v", got, err)
	}
	balancer(t, cluster, ns, "other", 80, 443)
	if _, err := find(""); err == nil || !strings.Contains(err.Error(), "2 load balancers") || !strings.Contains(err.Error(), ns+"/other") {
		t.Errorf("two: %v", err)
	}
	if got, err := find("a/b"); err != nil || got != "a/b" {
		t.Errorf("named: %s, %v", got, err)
	}
}

// A Service that is named and not there will not come by itself: it was installed by somebody else.
func TestServiceThatIsNotThere(t *testing.T) {
	cluster := kubetest.Start(t)
	client, err := kube.Connect(cluster.Flags(t))
	if err != nil {
		t.Fatal(err)
	}
	env := environment(t, platform.Config{Ingress: platform.Ingress{Mode: "existing", Service: cluster.Namespace(t) + "/edge"}})
	env.Kube = client
	list, err := steps(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := engine.Run{Steps: engine.Stage("ingress", list...)}.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Err(); err == nil || !strings.Contains(err.Error(), "there is no Service "+env.Platform.Ingress.Service+": name the controller's load balancer") {
		t.Errorf("got %v", err)
	}
}

// From no Service to an address: not known, waited for, known.
func TestAddress(t *testing.T) {
	cluster := kubetest.Start(t)
	client, err := kube.Connect(cluster.Flags(t))
	if err != nil {
		t.Fatal(err)
	}
	ns, links := cluster.Namespace(t), stage.NewLinks()
	a := &address{kube: client, namespace: ns, service: "lb", release: "release.helm/traefik", out: links.Address}

	var notYet *engine.NotYetError
	if _, err := a.Observe(t.Context()); !errors.As(err, &notYet) || notYet.After != "release.helm/traefik" {
		t.Errorf("no service: %v", err)
	}
	balancer(t, cluster, ns, "lb", 80, 443)
	found, err := a.Observe(t.Context())
	if err != nil || a.Plan(found).Action != engine.Pending {
		t.Errorf("no address: %v, %v", found, err)
	}
	health, err := a.Ready(t.Context())
	if err != nil || health.Ready || health.Hopeless || !strings.Contains(health.Reason, "MetalLB") {
		t.Errorf("no address: %+v, %v", health, err)
	}
	if _, err := links.Address.Get(); err == nil {
		t.Error("an address is known that is not there")
	}
	cluster.MakeReady(t, "Service", ns, "lb")
	found, err = a.Observe(t.Context())
	change := a.Plan(found)
	if err != nil || change.Action != engine.Unchanged || change.Why != kubetest.LoadBalancerIP {
		t.Errorf("address: %+v, %v", change, err)
	}
	if known, err := links.Address.Get(); err != nil || len(known) != 1 || known[0].String() != kubetest.LoadBalancerIP {
		t.Errorf("made known: %v, %v", known, err)
	}
}
