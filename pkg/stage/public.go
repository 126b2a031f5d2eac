package stage

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// publicTimeout bounds one request that is made as a user would.
const publicTimeout = 10 * time.Second

// Public is an HTTP client that reaches the datalab's hosts as a user does, through the ingress controller and its
// certificate. It goes to the controller's own address, because the DNS records may not be there yet; hosts outside of the
// domain are looked up as always.
func (e Env) Public() (*http.Client, error) {
	transport, err := externalTransport(e.Platform)
	if err != nil {
		return nil, err
	}
	transport.DisableKeepAlives = true
	var dialer net.Dialer
	transport.DialContext = func(ctx context.Context, network, hostPort string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(hostPort)
		if err != nil {
			return nil, fmt.Errorf("address %q: %w", hostPort, err)
		}
		if !e.Platform.Serves(host) {
			return dialer.DialContext(ctx, network, hostPort)
		}
		addresses, err := e.Links.Address.Get()
		if err != nil {
			return nil, err
		}
		var errs []error
		for _, a := range addresses {
			conn, err := dialer.DialContext(ctx, network, net.JoinHostPort(a.String(), port))
			if err == nil {
				return conn, nil
			}
			errs = append(errs, err)
		}
		return nil, errors.Join(errs...)
	}
	return &http.Client{Transport: transport, Timeout: publicTimeout}, nil
}
