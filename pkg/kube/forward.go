package kube

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/streaming/pkg/httpstream"
)

// Tunnel forwards connections through the API server to a pod. It opens no port on this machine, so no one else here
// can use it. When its pod goes away the next connection looks for another one.
type Tunnel struct {
	client    *Client
	namespace string
	service   string
	pod       string
	port      int
	unready   bool

	mu     sync.Mutex
	link   *link
	links  map[*link]bool
	next   int
	closed bool
}

// link carries the connections to one pod. It is used until it breaks, and closed when nothing goes through it any more.
type link struct {
	httpstream.Connection
	to       target
	uses     int
	replaced bool
}

// target is a port of a pod.
type target struct {
	pod  string
	uid  types.UID
	port int
}

// ForwardOption changes which pods a tunnel takes.
type ForwardOption func(*Tunnel)

// AnyRunning also takes pods that run and are not ready: a Vault that is sealed.
func AnyRunning() ForwardOption { return func(t *Tunnel) { t.unready = true } }

// NoPodError says that there is no pod to forward to.
type NoPodError struct {
	// To is the Service or pod, as namespace/name.
	To string
	// Reason is the latest that the cluster says about the pods there.
	Reason string
}

func (e *NoPodError) Error() string { return fmt.Sprintf("no pod to reach %s: %s", e.To, e.Reason) }

// Forward opens a tunnel to a port of a Service, that is to one of the ready pods behind it. It fails with *NoPodError
// when there is none.
func (c *Client) Forward(ctx context.Context, namespace, service string, port int, options ...ForwardOption) (*Tunnel, error) {
	return c.open(ctx, &Tunnel{client: c, namespace: namespace, service: service, port: port}, options)
}

// ForwardPod opens a tunnel to a port of a pod.
func (c *Client) ForwardPod(ctx context.Context, namespace, pod string, port int, options ...ForwardOption) (*Tunnel, error) {
	return c.open(ctx, &Tunnel{client: c, namespace: namespace, pod: pod, port: port}, options)
}

// open makes the first link, so that a tunnel that cannot work is found now.
func (c *Client) open(ctx context.Context, t *Tunnel, options []ForwardOption) (*Tunnel, error) {
	for _, option := range options {
		option(t)
	}
	t.links = map[*link]bool{}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, err := t.linked(ctx); err != nil {
		return nil, err
	}
	return t, nil
}

// String names the tunnel's far end.
func (t *Tunnel) String() string {
	if t.service != "" {
		return fmt.Sprintf("service %s/%s port %d", t.namespace, t.service, t.port)
	}
	return fmt.Sprintf("pod %s/%s port %d", t.namespace, t.pod, t.port)
}

// errClosed is returned by a tunnel after Close.
var errClosed = errors.New("tunnel closed")

// DialContext opens a connection to the far end whatever the address is, as http.Transport and the like want it.
func (t *Tunnel) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for attempt := 0; ; attempt++ {
		l, err := t.linked(ctx)
		if err != nil {
			return nil, err
		}
		conn, err := t.connect(l)
		if err == nil {
			return conn, nil
		}
		t.replace(l)
		if attempt > 0 {
			return nil, fmt.Errorf("forward to %s: %w", t, err)
		}
	}
}

// Close ends the tunnel and every connection through it.
func (t *Tunnel) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed, t.link = true, nil
	var errs []error
	for l := range t.links {
		errs = append(errs, l.Close())
	}
	t.links = nil
	return errors.Join(errs...)
}

// linked gives the link to a pod; one that broke, or whose pod is gone or going, is replaced. The caller holds the mutex.
func (t *Tunnel) linked(ctx context.Context) (*link, error) {
	if t.closed {
		return nil, errClosed
	}
	if t.link != nil {
		if t.stands(ctx) {
			return t.link, nil
		}
		t.replace(t.link)
	}
	to, err := t.choose(ctx)
	if err != nil {
		return nil, err
	}
	connection, err := t.client.upgrade(ctx, t.namespace, to.pod)
	if err != nil {
		return nil, fmt.Errorf("forward to %s by pod %s: %w", t, to.pod, err)
	}
	t.link = &link{Connection: connection, to: to}
	t.links[t.link] = true
	return t.link, nil
}

// replace makes the next connection look for a pod again. What goes through the link goes on. The caller holds the mutex.
func (t *Tunnel) replace(l *link) {
	l.replaced = true
	if t.link == l {
		t.link = nil
	}
	t.release(l)
}

// release closes a replaced link that nothing goes through. The caller holds the mutex.
func (t *Tunnel) release(l *link) {
	if l.replaced && l.uses == 0 && t.links[l] {
		delete(t.links, l)
		// It is not needed any more, broken or not.
		_ = l.Close()
	}
}

// stands tells whether new connections can still go through the link. A link may outlive its pod for a while.
func (t *Tunnel) stands(ctx context.Context) bool {
	select {
	case <-t.link.CloseChan():
		return false
	default:
	}
	p, err := t.client.Clientset.CoreV1().Pods(t.namespace).Get(ctx, t.link.to.pod, metav1.GetOptions{})
	if err != nil {
		// Should the API server be in trouble, the link itself will tell.
		return !apierrors.IsNotFound(err)
	}
	return p.UID == t.link.to.uid && p.DeletionTimestamp == nil
}
