package kube_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/kubetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

func putService(t *testing.T, cluster *kubetest.Cluster, ns string, ports ...corev1.ServicePort) {
	t.Helper()
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: corev1.ServiceSpec{Selector: map[string]string{"a": "b"}, Ports: ports}}
	if _, err := cluster.Clientset().CoreV1().Services(ns).Create(t.Context(), s, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func serving(t *testing.T, name string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		fmt.Fprintf(w, "%s %s %d", name, r.Host, len(b))
	}))
	t.Cleanup(s.Close)
	return s
}

func get(ctx context.Context, client *http.Client, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	return string(b), err
}

func TestForwardReachesTheProgramBehindAService(t *testing.T) {
	ports := map[string]corev1.ServicePort{
		"by number":    {Port: 80, TargetPort: intstr.FromInt32(8080)},
		"by name":      {Port: 80, TargetPort: intstr.FromString("http")},
		"the same one": {Port: 8080},
	}
	for name, port := range ports {
		t.Run(name, func(t *testing.T) {
			cluster, c, ns := connect(t)
			putService(t, cluster, ns, port)
			cluster.Back(t, ns, "web", 8080, serving(t, "one").Listener.Addr().String())
			tunnel, err := c.Forward(t.Context(), ns, "web", int(port.Port))
			if err != nil {
				t.Fatal(err)
			}
			defer tunnel.Close()
			if got, err := get(t.Context(), tunnelClient(tunnel, nil), "http://keycloak.example.org/x"); err != nil || got != "one keycloak.example.org 0" {
				t.Errorf("%q %v", got, err)
			}
		})
	}
}

func TestForwardCarriesManyConnectionsAndMuchAtOnce(t *testing.T) {
	cluster, c, ns := connect(t)
	putService(t, cluster, ns, corev1.ServicePort{Port: 8080})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(w, r.Body); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	cluster.Back(t, ns, "web", 8080, server.Listener.Addr().String())
	tunnel, err := c.Forward(t.Context(), ns, "web", 8080)
	if err != nil {
		t.Fatal(err)
	}
	defer tunnel.Close()
	client := tunnelClient(tunnel, nil)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			sent := bytes.Repeat([]byte{byte(i), 1, 2, 3}, 300_000)
			response, err := client.Post("http://x/", "application/octet-stream", bytes.NewReader(sent))
			if err != nil {
				t.Error(err)
				return
			}
			defer response.Body.Close()
			got, err := io.ReadAll(response.Body)
			if err != nil || sha256.Sum256(got) != sha256.Sum256(sent) {
				t.Errorf("%d of %d bytes came back: %v", len(got), len(sent), err)
			}
		})
	}
	wg.Wait()
}

func TestForwardSpeaksTLSToTheFarEnd(t *testing.T) {
	cluster, c, ns := connect(t)
	putService(t, cluster, ns, corev1.ServicePort{Port: 8443})
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.TLS.ServerName) }))
	defer server.Close()
	cluster.Back(t, ns, "web", 8443, server.Listener.Addr().String())
	tunnel, err := c.Forward(t.Context(), ns, "web", 8443)
	if err != nil {
		t.Fatal(err)
	}
	defer tunnel.Close()
	trust := server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	got, err := get(t.Context(), tunnelClient(tunnel, &tls.Config{RootCAs: trust, MinVersion: tls.VersionTLS12}), "https://example.com/")
	if err != nil || got != "example.com" {
		t.Errorf("%q %v", got, err)
	}
}

func TestForwardFindsTheNewPodAfterARestart(t *testing.T) {
	cluster, c, ns := connect(t)
	putService(t, cluster, ns, corev1.ServicePort{Port: 8080})
	first := cluster.Back(t, ns, "web", 8080, serving(t, "one").Listener.Addr().String())
	tunnel, err := c.Forward(t.Context(), ns, "web", 8080)
	if err != nil {
		t.Fatal(err)
	}
	defer tunnel.Close()
	fresh := func() *http.Client {
		client := tunnelClient(tunnel, nil)
		client.Transport.(*http.Transport).DisableKeepAlives = true
		return client
	}
	if got, err := get(t.Context(), fresh(), "http://x/"); err != nil || got != "one x 0" {
		t.Fatalf("%q %v", got, err)
	}
	cluster.EndPod(t, ns, first)
	_, err = get(t.Context(), fresh(), "http://x/")
	var none *kube.NoPodError
	if !errors.As(err, &none) || none.Reason != "there are no pods" {
		t.Errorf("got %v", err)
	}
	cluster.Back(t, ns, "web", 8080, serving(t, "two").Listener.Addr().String())
	if got, err := get(t.Context(), fresh(), "http://x/"); err != nil || got != "two x 0" {
		t.Errorf("%q %v", got, err)
	}
}

// bound is an address that refuses connections until somebody listens there. It is held all the time: a port that was only
// found to be free may be somebody else's the next moment.
func bound(t *testing.T) (address string, listen func() net.Listener) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	syscall.CloseOnExec(fd)
	file := os.NewFile(uintptr(fd), "bound")
	t.Cleanup(func() { file.Close() })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port), func() net.Listener {
		if err := syscall.Listen(fd, syscall.SOMAXCONN); err != nil {
			t.Fatal(err)
		}
		l, err := net.FileListener(file)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
}

func TestForwardTellsWhatThePodSays(t *testing.T) {
	cluster, c, ns := connect(t)
	putService(t, cluster, ns, corev1.ServicePort{Port: 8080})
	address, listen := bound(t)
	cluster.Back(t, ns, "web", 8080, address)
	tunnel, err := c.Forward(t.Context(), ns, "web", 8080)
	if err != nil {
		t.Fatal(err)
	}
	defer tunnel.Close()
	_, err = get(t.Context(), tunnelClient(tunnel, nil), "http://x/")
	if err == nil || !strings.Contains(err.Error(), "connection refused") || !strings.Contains(err.Error(), "service "+ns+"/web port 8080") {
		t.Errorf("got %v", err)
	}
	// The program comes up in the same pod: the same tunnel works.
	server := &httptest.Server{Listener: listen(), Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "up") })}}
	server.Start()
	defer server.Close()
	if got, err := get(t.Context(), tunnelClient(tunnel, nil), "http://x/"); err != nil || got != "up" {
		t.Errorf("%q %v", got, err)
	}
}

func TestForwardTakesReadyPodsOnlyUnlessAsked(t *testing.T) {
	cluster, c, ns := connect(t)
	putService(t, cluster, ns, corev1.ServicePort{Port: 8080})
	pod := cluster.Back(t, ns, "web", 8080, serving(t, "sealed").Listener.Addr().String())
	live, err := cluster.Clientset().CoreV1().Pods(ns).Get(t.Context(), pod, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range live.Status.Conditions {
		if live.Status.Conditions[i].Type == corev1.PodReady {
			live.Status.Conditions[i].Status = corev1.ConditionFalse
		}
	}
	live.Status.ContainerStatuses[0].Ready = false
	if _, err := cluster.Clientset().CoreV1().Pods(ns).UpdateStatus(t.Context(), live, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	putEvent(t, cluster, &live.ObjectMeta, "Warning", "Unhealthy", "Readiness probe failed: sealed", time.Now())
	_, err = c.Forward(t.Context(), ns, "web", 8080)
	var none *kube.NoPodError
	if !errors.As(err, &none) || !strings.Contains(err.Error(), "Readiness probe failed: sealed") || !strings.Contains(err.Error(), ns+"/web") {
		t.Errorf("got %v", err)
	}
	for name, open := range map[string]func() (*kube.Tunnel, error){
		"service": func() (*kube.Tunnel, error) { return c.Forward(t.Context(), ns, "web", 8080, kube.AnyRunning()) },
		"pod":     func() (*kube.Tunnel, error) { return c.ForwardPod(t.Context(), ns, pod, 8080, kube.AnyRunning()) },
	} {
		tunnel, err := open()
		if err != nil {
			t.Fatal(name, err)
		}
		if got, err := get(t.Context(), tunnelClient(tunnel, nil), "http://x/"); err != nil || got != "sealed x 0" {
			t.Errorf("%s: %q %v", name, got, err)
		}
		if err := tunnel.Close(); err != nil {
			t.Error(err)
		}
		if _, err := tunnel.DialContext(t.Context(), "tcp", "x:1"); err == nil {
			t.Error("a closed tunnel still opens connections")
		}
	}
}

func TestForwardToWhatIsNotThere(t *testing.T) {
	cluster, c, ns := connect(t)
	putService(t, cluster, ns, corev1.ServicePort{Name: "a", Port: 80, TargetPort: intstr.FromString("http")}, corev1.ServicePort{Name: "b", Port: 443})
	tests := map[string]struct {
		open func() (*kube.Tunnel, error)
		say  string
	}{
		"no service": {func() (*kube.Tunnel, error) { return c.Forward(t.Context(), ns, "none", 80) }, `services "none" not found`},
		"no pods":    {func() (*kube.Tunnel, error) { return c.Forward(t.Context(), ns, "web", 80) }, "there are no pods"},
		"no pod":     {func() (*kube.Tunnel, error) { return c.ForwardPod(t.Context(), ns, "none", 80) }, `pods "none" not found`},
	}
	for name, tt := range tests {
		if _, err := tt.open(); err == nil || !strings.Contains(err.Error(), tt.say) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	cluster.BackPod(t, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: ns, Labels: map[string]string{"a": "b"}}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "c"}}}}, 80, "127.0.0.1:1")
	if _, err := c.Forward(t.Context(), ns, "web", 81); err == nil || !strings.Contains(err.Error(), "has no port 81, only 80, 443") {
		t.Errorf("got %v", err)
	}
	if _, err := c.Forward(t.Context(), ns, "web", 80); err == nil || !strings.Contains(err.Error(), "no port named http") {
		t.Errorf("got %v", err)
	}
}

func TestForwardedConnectionKnowsDeadlines(t *testing.T) {
	cluster, c, ns := connect(t)
	putService(t, cluster, ns, corev1.ServicePort{Port: 8080})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cluster.Back(t, ns, "web", 8080, l.Addr().String())
	tunnel, err := c.Forward(t.Context(), ns, "web", 8080)
	if err != nil {
		t.Fatal(err)
	}
	defer tunnel.Close()
	conn, err := tunnel.DialContext(t.Context(), "tcp", "x:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	var timeout net.Error
	if _, err := conn.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("got %v", err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

// A proxy before the API server that has no WebSockets: kubectl's older protocol is taken instead.
func TestForwardWithoutWebSockets(t *testing.T) {
	cluster, _, ns := connect(t)
	putService(t, cluster, ns, corev1.ServicePort{Port: 8080})
	cluster.Back(t, ns, "web", 8080, serving(t, "one").Listener.Addr().String())
	older := rest.CopyConfig(cluster.Config)
	older.NextProtos = []string{"http/1.1"}
	transport, err := rest.TransportFor(older)
	if err != nil {
		t.Fatal(err)
	}
	far, err := url.Parse(cluster.Address)
	if err != nil {
		t.Fatal(err)
	}
	through := httputil.NewSingleHostReverseProxy(far)
	through.Transport = transport
	var mu sync.Mutex
	var upgrades []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if kind := r.Header.Get("Upgrade"); kind != "" {
			mu.Lock()
			upgrades = append(upgrades, kind)
			mu.Unlock()
			if kind == "websocket" {
				http.Error(w, "no such upgrade", http.StatusBadRequest)
				return
			}
		}
		through.ServeHTTP(w, r)
	}))
	defer proxy.Close()
	config := &rest.Config{Host: proxy.URL}
	set, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	tunnel, err := (&kube.Client{Config: config, Clientset: set}).Forward(t.Context(), ns, "web", 8080)
	if err != nil {
		t.Fatal(err)
	}
	defer tunnel.Close()
	if got, err := get(t.Context(), tunnelClient(tunnel, nil), "http://x/"); err != nil || got != "one x 0" {
		t.Errorf("%q %v", got, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(upgrades, []string{"websocket", "SPDY/3.1"}) {
		t.Errorf("upgrades %v", upgrades)
	}
}

func TestForwardWithoutRights(t *testing.T) {
	cluster, _, ns := connect(t)
	_, err := clientFor(t, cluster.User(t, "bob")).ForwardPod(t.Context(), ns, "p", 80)
	var denied *kube.ClusterError
	if !errors.As(kube.Explain(err), &denied) || denied.Missing[0] != (kube.Right{Verb: "get", Resource: "pods", Namespace: ns}) {
		t.Errorf("got %v", err)
	}
}

// tunnelClient sends every request through the tunnel, whatever the host in its URL; with a TLS configuration also https ones.
func tunnelClient(t *kube.Tunnel, config *tls.Config) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: t.DialContext, TLSClientConfig: config, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute}}
}
