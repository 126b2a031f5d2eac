package kube

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Address is where a load balancer is reached from outside: either an IP or a host name.
type Address struct {
	IP       netip.Addr
	Hostname string
	// Proxy says that connections from inside the cluster also go through the load balancer (ipMode Proxy), which
	// matters where it speaks the PROXY protocol.
	Proxy bool
}

// Scope is from where an address can be reached.
type Scope string

// The scopes, the widest first.
const (
	Public  Scope = "public"
	Private Scope = "private" // RFC 1918, RFC 4193, RFC 6598: from the institution's network at best
	Local   Scope = "local"   // loopback, link-local or unspecified: from one machine
)

// String is the address as it is written in a DNS record.
func (a Address) String() string {
	if a.Hostname != "" {
		return a.Hostname
	}
	return a.IP.String()
}

// Record is the type of the DNS record that points to the address.
func (a Address) Record() string {
	switch {
	case a.Hostname != "":
		return "CNAME"
	case a.IP.Is4():
		return "A"
	default:
		return "AAAA"
	}
}

// Scope tells from where the address can be reached, as far as that can be seen from it.
func (a Address) Scope() Scope {
	if a.Hostname != "" {
		return scopeOfHost(strings.ToLower(strings.TrimSuffix(a.Hostname, ".")))
	}
	carrierGrade := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, 0, 0}), 10)
	switch {
	case !a.IP.IsValid() || a.IP.IsLoopback() || a.IP.IsUnspecified() || a.IP.IsLinkLocalUnicast():
		return Local
	case a.IP.IsPrivate() || carrierGrade.Contains(a.IP):
		return Private
	}
	return Public
}

func scopeOfHost(host string) Scope {
	switch {
	case host == "localhost" || strings.HasSuffix(host, ".localhost"):
		return Local
	case !strings.Contains(host, ".") || strings.HasSuffix(host, ".local") || strings.HasSuffix(host, ".internal"):
		return Private
	}
	return Public
}

// Addresses are the external addresses of a Service, host names first, then by IP; none as long as the load balancer has none.
func (c *Client) Addresses(ctx context.Context, namespace, service string) ([]Address, error) {
	s, err := c.Clientset.CoreV1().Services(namespace).Get(ctx, service, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("read service %s/%s: %w", namespace, service, err)
	}
	return addressesOf(s), nil
}

// LeadsInside tells whether an IP is that of a Service inside of the cluster which the addresses lead to from outside.
func (c *Client) LeadsInside(ctx context.Context, ip string, outside []Address) (bool, error) {
	list, err := c.Clientset.CoreV1().Services("").List(ctx, metav1.ListOptions{FieldSelector: "spec.clusterIP=" + ip})
	if err != nil {
		return false, fmt.Errorf("the service at %s: %w", ip, err)
	}
	for i := range list.Items {
		for _, a := range addressesOf(&list.Items[i]) {
			if slices.ContainsFunc(outside, func(b Address) bool { return a.String() == b.String() }) {
				return true, nil
			}
		}
	}
	return false, nil
}

// addressesOf reads what the load balancer reports and what an admin assigned by hand. An IPv4 address in IPv6 clothes is
// an IPv4 address; what is no address at all is left out.
func addressesOf(s *corev1.Service) (found []Address) {
	add := func(a Address) {
		if a.Hostname == "" && !a.IP.IsValid() || slices.ContainsFunc(found, func(b Address) bool { return a.String() == b.String() }) {
			return
		}
		found = append(found, a)
	}
	for _, i := range s.Status.LoadBalancer.Ingress {
		proxy := i.IPMode != nil && *i.IPMode == corev1.LoadBalancerIPModeProxy
		if i.Hostname != "" {
			add(Address{Hostname: i.Hostname, Proxy: proxy})
		} else {
			add(Address{IP: parseIP(i.IP), Proxy: proxy})
		}
	}
	for _, ip := range s.Spec.ExternalIPs {
		add(Address{IP: parseIP(ip)})
	}
	slices.SortFunc(found, func(a, b Address) int {
		if a.Hostname != "" || b.Hostname != "" {
			return strings.Compare(b.Hostname, a.Hostname)
		}
		return a.IP.Compare(b.IP)
	})
	return found
}

func parseIP(s string) netip.Addr {
	ip, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}
	}
	return ip.Unmap()
}
