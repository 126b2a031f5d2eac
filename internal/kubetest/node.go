package kubetest

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
)

// nodeName is the one node. It runs nothing; its kubelet only forwards ports to programs on this machine, and commands.
const nodeName = "kubetest"

type node struct {
	server *httptest.Server
	mu     sync.Mutex
	// backends are addresses by "namespace/pod:port".
	backends map[string]string
	// programs take the commands for pods, by "namespace/pod".
	programs map[string]Program
}

// Back puts a ready pod behind a Service and forwards its port to a program that listens on this machine, so that a
// port-forward through the real API server reaches the real program. It returns the pod's name. Port is the
// container's; the Service must have a selector.
func (c *Cluster) Back(t testing.TB, namespace, service string, port int, address string) string {
	t.Helper()
	s, err := c.own.CoreV1().Services(namespace).Get(t.Context(), service, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: service + "-", Namespace: namespace, Labels: s.Spec.Selector},
		Spec: corev1.PodSpec{NodeName: nodeName, Containers: []corev1.Container{{
			Name: "server", Image: "none", Ports: []corev1.ContainerPort{{Name: portName(s), ContainerPort: int32(port)}},
		}}},
	}
	return c.BackPod(t, pod, port, address)
}

// portName is the name of the port that the Service sends its traffic to; empty when it goes by number.
func portName(s *corev1.Service) string {
	for _, p := range s.Spec.Ports {
		if p.TargetPort.StrVal != "" {
			return p.TargetPort.StrVal
		}
	}
	return ""
}

// BackPod makes the pod, running and ready, and forwards its port to an address on this machine.
func (c *Cluster) BackPod(t testing.TB, pod *corev1.Pod, port int, address string) string {
	t.Helper()
	c.startNode(t)
	pod.Spec.NodeName = nodeName
	made, err := c.own.CoreV1().Pods(pod.Namespace).Create(t.Context(), pod, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	made.Status = readyPod(made)
	if _, err := c.own.CoreV1().Pods(pod.Namespace).UpdateStatus(t.Context(), made, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	c.node.backends[fmt.Sprintf("%s/%s:%d", made.Namespace, made.Name, port)] = address
	return made.Name
}

// EndPod takes a pod away at once, as when its node is drained; forwards to it break.
func (c *Cluster) EndPod(t testing.TB, namespace, pod string) {
	t.Helper()
	now := int64(0)
	if err := c.own.CoreV1().Pods(namespace).Delete(t.Context(), pod, metav1.DeleteOptions{GracePeriodSeconds: &now}); err != nil {
		t.Fatal(err)
	}
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	for key := range c.node.backends {
		if strings.HasPrefix(key, namespace+"/"+pod+":") {
			delete(c.node.backends, key)
		}
	}
}

func readyPod(p *corev1.Pod) corev1.PodStatus {
	now := metav1.Now()
	status := corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.244.0.9", PodIPs: []corev1.PodIP{{IP: "10.244.0.9"}}, StartTime: &now, Conditions: []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: now},
		{Type: corev1.ContainersReady, Status: corev1.ConditionTrue, LastTransitionTime: now},
		{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: now},
	}}
	for _, container := range p.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, corev1.ContainerStatus{
			Name: container.Name, Image: container.Image, Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		})
	}
	return status
}

// startNode makes the node object and the server behind its kubelet's port.
func (c *Cluster) startNode(t testing.TB) {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if c.node != nil {
		return
	}
	server := certificate("kubelet")
	server.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	cert, key, err := c.pki.issue(server)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{backends: map[string]string{}, programs: map[string]Program{}}
	n.server = httptest.NewUnstartedServer(http.HandlerFunc(n.serve))
	n.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	n.server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	n.server.StartTLS()
	if err := c.register(t.Context(), n.server.Listener.Addr().(*net.TCPAddr).Port); err != nil {
		n.server.Close()
		t.Fatal(err)
	}
	c.node = n
}

func (c *Cluster) register(ctx context.Context, port int) error {
	object := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName, Labels: map[string]string{"kubernetes.io/hostname": nodeName}}}
	made, err := c.own.CoreV1().Nodes().Create(ctx, object, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		made, err = c.own.CoreV1().Nodes().Get(ctx, nodeName, metav1.GetOptions{})
	}
	if err != nil {
		return err
	}
	made.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "127.0.0.1"}}
	made.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(port)
	_, err = c.own.CoreV1().Nodes().UpdateStatus(ctx, made, metav1.UpdateOptions{})
	return err
}

// serve answers POST /portForward/NAMESPACE/POD as a kubelet does: SPDY streams in pairs, one for data and one for an error.
func (n *node) serve(w http.ResponseWriter, r *http.Request) {
	if target, ok := strings.CutPrefix(r.URL.Path, "/exec/"); ok {
		n.exec(w, r, target)
		return
	}
	target, ok := strings.CutPrefix(r.URL.Path, "/portForward/")
	if !ok {
		http.NotFound(w, r)
		return
	}
	if _, err := httpstream.Handshake(r, w, []string{portforward.PortForwardProtocolV1Name}); err != nil {
		return
	}
	streams := make(chan httpstream.Stream, 16)
	conn := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(s httpstream.Stream, _ <-chan struct{}) error {
		streams <- s
		return nil
	})
	if conn == nil {
		return
	}
	defer conn.Close()
	failures := map[string]httpstream.Stream{}
	for {
		select {
		case <-conn.CloseChan():
			return
		case s := <-streams:
			id := s.Headers().Get(corev1.PortForwardRequestIDHeader)
			if s.Headers().Get(corev1.StreamType) == corev1.StreamTypeError {
				failures[id] = s
				continue
			}
			go n.forward(target, s, failures[id])
			delete(failures, id)
		}
	}
}

// forward joins one stream with a connection to the program behind the pod.
func (n *node) forward(target string, data, failure httpstream.Stream) {
	defer failure.Close()
	defer data.Reset()
	port, _ := strconv.Atoi(data.Headers().Get(corev1.PortHeader))
	n.mu.Lock()
	address, known := n.backends[fmt.Sprintf("%s:%d", target, port)]
	n.mu.Unlock()
	if !known {
		fmt.Fprintf(failure, "error forwarding port %d to pod %s: no such pod or port", port, target)
		return
	}
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		fmt.Fprintf(failure, "error forwarding port %d to pod %s: %v", port, target, err)
		return
	}
	defer conn.Close()
	go func() {
		// What goes wrong between two ends of this machine shows at the ends.
		_, _ = io.Copy(conn, data)
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(data, conn)
}
