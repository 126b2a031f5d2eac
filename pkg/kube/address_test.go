package kube

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What cloud controllers write into status.loadBalancer.ingress.
func TestAddressesOfALoadBalancer(t *testing.T) {
	proxy := corev1.LoadBalancerIPModeProxy
	tests := map[string]struct {
		ingress  []corev1.LoadBalancerIngress
		external []string
		want     string
	}{
		"none yet":                     {},
		"AWS: a host name":             {ingress: []corev1.LoadBalancerIngress{{Hostname: "a1.elb.eu-west-3.amazonaws.com"}}, want: "CNAME a1.elb.eu-west-3.amazonaws.com public false;"},
		"GKE: an address":              {ingress: []corev1.LoadBalancerIngress{{IP: "34.1.2.3"}}, want: "A 34.1.2.3 public false;"},
		"both families":                {ingress: []corev1.LoadBalancerIngress{{IP: "2a01:4f8::1"}, {IP: "5.6.7.8"}}, want: "A 5.6.7.8 public false;AAAA 2a01:4f8::1 public false;"},
		"k3s: several nodes, doubled":  {ingress: []corev1.LoadBalancerIngress{{IP: "10.0.0.2"}, {IP: "10.0.0.1"}, {IP: "10.0.0.2"}}, want: "A 10.0.0.1 private false;A 10.0.0.2 private false;"},
		"docker-desktop":               {ingress: []corev1.LoadBalancerIngress{{Hostname: "localhost"}}, want: "CNAME localhost local false;"},
		"PROXY protocol":               {ingress: []corev1.LoadBalancerIngress{{IP: "5.6.7.8", IPMode: &proxy}}, want: "A 5.6.7.8 public true;"},
		"host name before address":     {ingress: []corev1.LoadBalancerIngress{{IP: "5.6.7.8"}, {Hostname: "lb.example.org", IP: "9.9.9.9"}}, want: "CNAME lb.example.org public false;A 5.6.7.8 public false;"},
		"by hand":                      {external: []string{"192.168.1.5"}, want: "A 192.168.1.5 private false;"},
		"IPv4 in IPv6 clothes":         {ingress: []corev1.LoadBalancerIngress{{IP: "::ffff:5.6.7.8"}}, want: "A 5.6.7.8 public false;"},
		"no address at all":            {ingress: []corev1.LoadBalancerIngress{{IP: "pending"}, {}}},
		"carrier grade NAT and others": {ingress: []corev1.LoadBalancerIngress{{IP: "100.64.0.1"}, {IP: "169.254.1.1"}, {IP: "127.0.0.1"}, {IP: "fd00::1"}, {IP: "::1"}}, want: "A 100.64.0.1 private false;A 127.0.0.1 local false;A 169.254.1.1 local false;AAAA ::1 local false;AAAA fd00::1 private false;"},
		"names of this network":        {ingress: []corev1.LoadBalancerIngress{{Hostname: "lb"}, {Hostname: "lb.corp.internal"}, {Hostname: "X.LOCALHOST."}}, want: "CNAME lb.corp.internal private false;CNAME lb private false;CNAME X.LOCALHOST. local false;"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := ""
			for _, a := range addressesOf(&corev1.Service{Spec: corev1.ServiceSpec{ExternalIPs: tt.external}, Status: corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{Ingress: tt.ingress}}}) {
				got += fmt.Sprintf("%s %s %s %v;", a.Record(), a, a.Scope(), a.Proxy)
			}
			if got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

// Node objects as the providers' controllers leave them.
func TestProviderOfANode(t *testing.T) {
	tests := []struct{ name, id, label, want string }{
		{"ip-10-0-0-1", "aws:///eu-west-3a/i-0123", "", "aws"},
		{"gke-x", "gce://project/europe-west1-b/gke-x", "", "gcp"},
		{"aks-x", "azure:///subscriptions/x/resourceGroups/y", "", "azure"},
		{"pool-x", "digitalocean://123", "", "digitalocean"},
		{"scw-x", "scaleway://instance/fr-par-1/abc", "", "scaleway"},
		{"pool-x", "exoscale://abc", "", "exoscale"},
		{"10.0.0.1", "ocid1.instance.oc1.eu-paris-1.abc", "", "oracle"},
		{"kind-control-plane", "kind://docker/kind/kind-control-plane", "", "kind"},
		{"docker-desktop", "", "", "docker-desktop"},
		{"desktop-control-plane", "kind://docker/desktop/desktop-control-plane", "", "docker-desktop"},
		{"x", "", "eks.amazonaws.com/nodegroup", "aws"},
		{"x", "", "cloud.google.com/gke-nodepool", "gcp"},
		{"x", "", "kubernetes.azure.com/cluster", "azure"},
		{"k3s", "k3s://k3s", "", "generic"},
		{"metal", "metal3://abc", "", "generic"},
		{"node1", "", "kubernetes.io/hostname", "generic"},
	}
	for _, tt := range tests {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: tt.name, Labels: map[string]string{tt.label: "x"}}, Spec: corev1.NodeSpec{ProviderID: tt.id}}
		if got := providerOf(n); got != tt.want {
			t.Errorf("%s %s %s: got %s, want %s", tt.name, tt.id, tt.label, got, tt.want)
		}
	}
}
