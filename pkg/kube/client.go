// Package kube talks to the Kubernetes API: cached discovery, server-side apply under a field manager of our own,
// generated secrets, the lock, port-forwards, and the latest reason that the cluster gives for not being ready.
package kube

import (
	"fmt"
	"net/http"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
)

// FieldManager owns the fields that we apply.
const FieldManager = "kubectl-onyxia"

// QPS and burst as flux uses them; client-go's defaults of 5 and 10 make a plan wait for itself.
const (
	qps   = 50
	burst = 300
)

// Client is one connection to one cluster, shared by everything that needs it.
type Client struct {
	Flags     *genericclioptions.ConfigFlags
	Config    *rest.Config
	Dynamic   dynamic.Interface
	Clientset kubernetes.Interface
	Mapper    meta.ResettableRESTMapper
	// ForceConflicts takes fields over from other field managers wherever they hold what we want to change.
	ForceConflicts bool
}

// carried puts our transports under the configuration of every client of this cluster, Helm's too: from the inside, no write
// without the lock, requests that are repeated, no credential that is sent on to another address.
func carried(before func(*rest.Config) *rest.Config) func(*rest.Config) *rest.Config {
	return func(config *rest.Config) *rest.Config {
		if before != nil {
			config = before(config)
		}
		config.Wrap(func(base http.RoundTripper) http.RoundTripper { return lockedTransport{base} })
		config = repeated(config)
		config.Wrap(secret.Transport)
		return config
	}
}

// Connect makes a client from kubectl's flags. It reads the kubeconfig and sends nothing.
func Connect(flags *genericclioptions.ConfigFlags) (*Client, error) {
	if err := absent(flags); err != nil {
		return nil, err
	}
	flags.WrapConfigFn = carried(flags.WrapConfigFn)
	config, err := flags.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("no cluster to talk to: %w; set KUBECONFIG or --kubeconfig, and choose with --context", err)
	}
	config.QPS, config.Burst = qps, burst
	flags.WithDiscoveryQPS(qps).WithDiscoveryBurst(burst)
	dyn, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("kubernetes client: %w", err)
	}
	set, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("kubernetes client: %w", err)
	}
	mapper, err := flags.ToRESTMapper()
	if err != nil {
		return nil, fmt.Errorf("kubernetes discovery: %w", err)
	}
	resettable, ok := mapper.(meta.ResettableRESTMapper)
	if !ok {
		return nil, fmt.Errorf("kubernetes discovery: mapper %T cannot be reset", mapper)
	}
	return &Client{Flags: flags, Config: config, Dynamic: dyn, Clientset: set, Mapper: resettable}, nil
}

// lockedTransport sends no write of a run that has lost its lock, also where a step is in the middle of several.
type lockedTransport struct{ base http.RoundTripper }

func (t lockedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		if err := engine.StillLocked(req.Context()); err != nil {
			return nil, err
		}
	}
	return t.base.RoundTrip(req)
}
