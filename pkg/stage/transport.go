package stage

import (
	"crypto/tls"
	"net/http"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
)

// handshakeTimeout bounds a TLS handshake with a server that the admin brought along.
const handshakeTimeout = 10 * time.Second

// externalTransport reaches a server that lives elsewhere, trusting the private authorities as well.
func externalTransport(p platform.Platform) (*http.Transport, error) {
	roots, err := platform.Roots(p.CAPEM)
	if err != nil {
		return nil, err
	}
	return &http.Transport{Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: handshakeTimeout, TLSClientConfig: &tls.Config{RootCAs: roots}}, nil
}

// External is an HTTP client for a server that the admin brought along, trusting the private authorities as well. It follows no
// redirect.
func External(p platform.Platform) (*http.Client, error) {
	transport, err := externalTransport(p)
	if err != nil {
		return nil, err
	}
	return secret.Client(transport, 0), nil
}
