package ingress

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

const (
	// dnsPort is that of DNS, over TCP as well (RFC 7766).
	dnsPort = 53
	// tunnelTime bounds making a connection, four requests to the API server the first time, and questionTime one question
	// through it.
	tunnelTime   = 15 * time.Second
	questionTime = 10 * time.Second
)

// clusterDNS is the DNS that pods ask, asked through the API server. What this machine can look up says nothing about pods.
type clusterDNS struct {
	kube *kube.Client

	mu     sync.Mutex
	tunnel *kube.Tunnel
}

// addresses are those of a host, none if there is no such name. An error is that the DNS could not be asked.
func (d *clusterDNS) addresses(ctx context.Context, host string) ([]string, error) {
	var found []string
	for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
		answer, err := d.ask(ctx, host, kind)
		if err != nil {
			return nil, err
		}
		if answer.Rcode == dns.RcodeNameError {
			return nil, nil
		}
		if answer.Rcode != dns.RcodeSuccess {
			return nil, fmt.Errorf("the cluster's DNS answers %s for %s", dns.RcodeToString[answer.Rcode], host)
		}
		for _, record := range answer.Answer {
			switch r := record.(type) {
			case *dns.A:
				found = append(found, r.A.String())
			case *dns.AAAA:
				found = append(found, r.AAAA.String())
			}
		}
	}
	return found, nil
}

func (d *clusterDNS) ask(ctx context.Context, host string, kind uint16) (*dns.Msg, error) {
	conn, err := d.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, questionTime)
	defer cancel()
	client := &dns.Client{Net: "tcp", Timeout: questionTime}
	answer, _, err := client.ExchangeWithConnContext(ctx, new(dns.Msg).SetQuestion(dns.Fqdn(host), kind), &dns.Conn{Conn: conn})
	if err != nil {
		return nil, fmt.Errorf("the cluster's DNS: %w", err)
	}
	return answer, nil
}

// dial opens a connection to the pods behind the Service of the cluster's DNS. kubeadm, k3s and the clouds have it under the
// name of the program that it once was, OpenShift under its own.
func (d *clusterDNS) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, tunnelTime)
	defer cancel()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.tunnel != nil {
		return d.tunnel.DialContext(ctx, "", "")
	}
	var tried []string
	for _, at := range []struct{ namespace, service string }{{"kube-system", "kube-dns"}, {"openshift-dns", "dns-default"}} {
		tunnel, err := d.kube.Forward(ctx, at.namespace, at.service, dnsPort)
		if err == nil {
			d.tunnel = tunnel
			return tunnel.DialContext(ctx, "", "")
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		tried = append(tried, strings.Join(strings.Fields(err.Error()), " "))
	}
	return nil, fmt.Errorf("the cluster's DNS is not found: %s", strings.Join(tried, "; "))
}
