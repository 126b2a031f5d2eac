package tls

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/acmetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// edge is a controller on loopback that serves one certificate for whatever host it is asked.
type edge struct {
	addr    string
	serving atomic.Pointer[tls.Certificate]
}

func startEdge(t *testing.T, certificate tls.Certificate) *edge {
	t.Helper()
	e := &edge{}
	e.serving.Store(&certificate)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return e.serving.Load(), nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			// A client that only wants the certificate closes the connection.
			_ = conn.(*tls.Conn).Handshake()
			conn.Close()
		}
	}()
	e.addr = listener.Addr().String()
	return e
}

// look is the step, turned to an address on loopback.
func (s *site) look(t *testing.T, at string) *served {
	t.Helper()
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		t.Fatal(err)
	}
	s.env.Links = stage.NewLinks()
	s.env.Links.Address.Set([]kube.Address{{IP: netip.MustParseAddr(host)}})
	return &served{env: s.env, place: newBase(s.env, Options{}).place, port: port, limit: time.Minute, onThisMachine: true}
}

func change(t *testing.T, s *served) engine.Change {
	t.Helper()
	seen, err := s.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s.Plan(seen)
}

func pair(t *testing.T, secret *corev1.Secret) tls.Certificate {
	t.Helper()
	c, err := tls.X509KeyPair(secret.Data["tls.crt"], secret.Data["tls.key"])
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What clients get decides, not what the Secret holds.
func TestServed(t *testing.T) {
	s := newSite(t, acmetest.Options{})
	s.must(t, Options{}, engine.Create)
	own := pair(t, s.secret(t))
	other := newSite(t, acmetest.Options{})
	other.must(t, Options{}, engine.Create)
	foreign := pair(t, other.secret(t))

	e := startEdge(t, foreign)
	step := s.look(t, e.addr)
	got := change(t, step)
	if got.Action != engine.Pending || !strings.Contains(got.Why, "the ingress controller answers for onyxia.demo.test with a certificate of \"Pebble Intermediate CA") ||
		!strings.Contains(got.Why, "and not with that of secret "+s.config.Ingress.Namespace+"/onyxia-tls") || !strings.Contains(got.Fix, "the default certificate of the controller") {
		t.Errorf("another: %+v", got)
	}
	if h, err := step.Ready(t.Context()); err != nil || h.Ready || h.Hopeless || !strings.Contains(h.Reason, "default certificate") {
		t.Errorf("another: %+v, %v", h, err)
	}
	e.serving.Store(&own)
	if got := change(t, step); got.Action != engine.Unchanged || got.Why != "" {
		t.Errorf("ours: %+v", got)
	}
	if h, err := step.Ready(t.Context()); err != nil || !h.Ready {
		t.Errorf("ours: %+v, %v", h, err)
	}

	// A proxy in between that brings a certificate of its own, which clients trust.
	root, err := x509.ParseCertificate(foreign.Certificate[len(foreign.Certificate)-1])
	if err != nil {
		t.Fatal(err)
	}
	e.serving.Store(&foreign)
	s.config.Trust.CABundle = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw}))
	s.complete(t)
	if got := change(t, s.look(t, e.addr)); got.Action != engine.Unchanged || got.Why != "another certificate is served, which clients trust" {
		t.Errorf("a proxy's: %+v", got)
	}
}

// Where nothing can be seen nothing is wrong; but whoever runs the controller is told what matters.
func TestServedWhereNothingIsSeen(t *testing.T) {
	s := newSite(t, acmetest.Options{})
	step := &served{env: s.env, place: newBase(s.env, Options{}).place, port: "443", limit: time.Minute}
	unseen := func(why string) {
		t.Helper()
		if got := change(t, step); got.Action != engine.Unchanged || !strings.Contains(got.Why, "not looked at: "+why) {
			t.Errorf("%+v, want %q", got, why)
		}
	}
	var notYet *engine.NotYetError
	if _, err := step.Observe(t.Context()); !errors.As(err, &notYet) || notYet.After != stage.CertificateID {
		t.Errorf("no certificate: %v", err)
	}
	s.must(t, Options{}, engine.Create)
	unseen("the ingress controller has no address yet")
	step = s.look(t, "127.0.0.1:1")
	unseen("dial tcp 127.0.0.1:1: connect: connection refused")
	if !strings.Contains(s.transcript(), "it cannot be seen from here which certificate the ingress controller serves") {
		t.Errorf("said:\n%s", s.transcript())
	}
	step.onThisMachine = false
	unseen("127.0.0.1 leads to this machine only")

	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	go func() {
		for {
			conn, err := plain.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	step = s.look(t, plain.Addr().String())
	unseen("") // the connection was cut, in the words of this system

	// A controller of ours needs no such words.
	s.mu.Lock()
	s.said = nil
	s.mu.Unlock()
	s.env.Platform.Ingress.Mode = "install"
	step = s.look(t, "127.0.0.1:1")
	step.env.Platform.Ingress.Mode = "install"
	if change(t, step); s.transcript() != "" {
		t.Errorf("said:\n%s", s.transcript())
	}
}

// The run waits until the controller has taken up the new certificate.
func TestServedIsWaitedFor(t *testing.T) {
	s := newSite(t, acmetest.Options{})
	s.must(t, Options{}, engine.Create)
	other := newSite(t, acmetest.Options{})
	other.must(t, Options{}, engine.Create)
	own, foreign := pair(t, s.secret(t)), pair(t, other.secret(t))
	e := startEdge(t, foreign)
	var told []string
	run := engine.Run{Steps: []engine.Step{engine.New(ServedID, s.look(t, e.addr))}, Report: func(event engine.Event) {
		told = append(told, string(event.Kind))
		if event.Kind == engine.Waiting {
			e.serving.Store(&own)
		}
	}}
	plan, err := run.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Apply(t.Context(), plan, engine.Options{Timeout: time.Minute}); err != nil || strings.Join(told, " ") != "waiting done" {
		t.Errorf("%v, told %v", err, told)
	}
	if p := s.look(t, e.addr).Patience(); p != time.Minute {
		t.Errorf("patience %s", p)
	}
}

// What is to be changed in a controller that somebody else runs.
func TestFixOfAControllerThatIsThere(t *testing.T) {
	nginx := []string{"/nginx-ingress-controller", "--ingress-class=nginx"}
	for name, c := range map[string]struct {
		args   []string
		daemon bool
		want   []string
	}{
		"nobody we know":     {args: []string{"--port=80"}, want: []string{"make secret NS/onyxia-tls the default certificate of the controller"}},
		"nothing there":      {want: []string{"make secret NS/onyxia-tls the default certificate of the controller"}},
		"nginx without":      {args: nginx, want: []string{"add the argument --default-ssl-certificate=NS/onyxia-tls to deployment/edge of namespace NS", "controller.extraArgs.default-ssl-certificate"}},
		"nginx with another": {args: append(nginx, "--default-ssl-certificate=web/wildcard"), want: []string{"deployment/edge of namespace NS has --default-ssl-certificate=web/wildcard: set it to NS/onyxia-tls, or name that Secret as ingress.namespace and tls.secretName"}},
		"in two words":       {args: append(nginx, "--default-ssl-certificate", "web/wildcard"), want: []string{"--default-ssl-certificate=web/wildcard: set it to"}},
		"nginx with ours":    {args: append(nginx, "--default-ssl-certificate=NS/onyxia-tls"), want: []string{"already", "kubectl -n NS logs deployment/edge"}},
		"a DaemonSet":        {args: nginx, daemon: true, want: []string{"to daemonset/edge of namespace NS"}},
		"HAProxy's":          {args: []string{"--default-ssl-certificate=web/wildcard"}, want: []string{"set it to NS/onyxia-tls"}},
		"Traefik":            {args: []string{"--entryPoints.websecure.address=:8443/tcp", "--providers.kubernetesingress"}, want: []string{"kubectl -n NS apply -f - <<<'{apiVersion: traefik.io/v1alpha1, kind: TLSStore", "secretName: onyxia-tls", "one store of that name in the whole cluster"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, acmetest.Options{})
			ns := s.config.Ingress.Namespace
			for i, arg := range c.args {
				c.args[i] = strings.ReplaceAll(arg, "NS/", ns+"/")
			}
			s.controller(t, c.args, c.daemon)
			fix, err := s.look(t, "127.0.0.1:1").fix(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if want = strings.ReplaceAll(strings.ReplaceAll(want, "NS/", ns+"/"), " NS", " "+ns); !strings.Contains(fix, want) {
					t.Errorf("%q lacks %q", fix, want)
				}
			}
		})
	}
	s := newSite(t, acmetest.Options{})
	step := s.look(t, "127.0.0.1:1")
	step.env.Platform.Ingress.Mode, step.env.Profile.Ingress = "install", "traefik"
	if fix, err := step.fix(context.Background()); err != nil || !strings.Contains(fix, "logs -l app.kubernetes.io/name=traefik") {
		t.Errorf("ours: %q, %v", fix, err)
	}
}

// controller puts a workload with these arguments into the controller's namespace; none for no arguments.
func (s *site) controller(t *testing.T, args []string, daemon bool) {
	t.Helper()
	if args == nil {
		return
	}
	labels := map[string]string{"app": "edge"}
	meta := metav1.ObjectMeta{Name: "edge"}
	selector := &metav1.LabelSelector{MatchLabels: labels}
	pod := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "controller", Image: "none", Args: args}}}}
	apps, ns := s.cluster.Clientset().AppsV1(), s.config.Ingress.Namespace
	var err error
	if daemon {
		_, err = apps.DaemonSets(ns).Create(t.Context(), &appsv1.DaemonSet{ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Selector: selector, Template: pod}}, metav1.CreateOptions{})
	} else {
		_, err = apps.Deployments(ns).Create(t.Context(), &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Selector: selector, Template: pod}}, metav1.CreateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}
