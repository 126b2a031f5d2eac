package vault

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

const (
	// port is where both charts have the server listen.
	port = 8200
	// requestTime bounds one request: the longest is the one that makes Vault fetch the issuer's discovery document.
	requestTime = time.Minute
)

// forwarded is a client for one server by port-forward through the API server: keys and tokens cross the network inside
// the API server's TLS only, and a sealed server, which no Service reaches, is reached.
func (s *site) forwarded(pod string, port int) *vault.Client {
	transport := &http.Transport{DialContext: s.dialer(pod, port), IdleConnTimeout: time.Minute}
	return &vault.Client{
		HTTP:    secret.Client(transport, requestTime),
		Address: fmt.Sprintf("http://%s.%s.svc:%d", pod, s.namespace(), port),
	}
}

// dialer opens the tunnel at the first connection. A server that nobody has installed yet is known after its release.
func (s *site) dialer(pod string, port int) func(context.Context, string, string) (net.Conn, error) {
	var mu sync.Mutex
	var tunnel *kube.Tunnel
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		if tunnel == nil {
			opened, err := s.env.Kube.ForwardPod(ctx, s.namespace(), pod, port, kube.AnyRunning())
			if err != nil {
				return nil, s.absent(ctx, err)
			}
			tunnel = opened
		}
		conn, err := tunnel.DialContext(ctx, network, address)
		if err != nil {
			err = errors.Join(s.absent(ctx, err), tunnel.Close())
			tunnel = nil
		}
		return conn, err
	}
}

// absent tells a pod that will come with the release from one that is only away for a moment.
func (s *site) absent(ctx context.Context, err error) error {
	if !apierrors.IsNotFound(err) {
		return err
	}
	_, setErr := s.env.Kube.Clientset.AppsV1().StatefulSets(s.namespace()).Get(ctx, s.release.Name(), metav1.GetOptions{})
	if apierrors.IsNotFound(setErr) {
		return &engine.NotYetError{After: s.releaseID(), Why: "the server is not installed yet"}
	}
	return err
}

// reach gives the connection to one server as the steps take it.
func (s *site) reach(number int) vault.Access {
	return func(context.Context) (*vault.Client, error) { return s.reached[number], nil }
}
