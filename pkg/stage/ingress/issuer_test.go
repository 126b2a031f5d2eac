package ingress

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/acmetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/internal/kubetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

const loginHost = "auth.lab.demo.test"

// asking is a resolver that asks one server only.
func asking(address string) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, network, address)
	}}
}

// clusterWithDNS is a cluster of its own whose pods ask a real name server: there is one Service of that name in a cluster.
func clusterWithDNS(t *testing.T) (*kube.Client, *acmetest.DNS, *kubetest.Cluster) {
	t.Helper()
	cluster := kubetest.Start(t)
	client, err := kube.Connect(cluster.Flags(t))
	if err != nil {
		t.Fatal(err)
	}
	server := acmetest.StartDNS(t)
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "kube-dns"}, Spec: corev1.ServiceSpec{Selector: map[string]string{"k8s-app": "kube-dns"}, Ports: []corev1.ServicePort{
		{Name: "dns", Port: 53, Protocol: corev1.ProtocolUDP}, {Name: "dns-tcp", Port: 53, Protocol: corev1.ProtocolTCP},
	}}}
	services := cluster.Clientset().CoreV1().Services("kube-system")
	if _, err := services.Create(t.Context(), s, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	pod := cluster.Back(t, "kube-system", "kube-dns", 53, server.Addr)
	t.Cleanup(func() {
		if err := services.Delete(context.Background(), "kube-dns", metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
		now := int64(0)
		if err := cluster.Clientset().CoreV1().Pods("kube-system").Delete(context.Background(), pod, metav1.DeleteOptions{GracePeriodSeconds: &now}); err != nil {
			t.Error(err)
		}
	})
	return client, server, cluster
}

func recordOf(client *kube.Client, c platform.Config, warned *[]string, at ...kube.Address) *issuerRecord {
	links := stage.NewLinks()
	links.Address.Set(at)
	return &issuerRecord{
		host: loginHost, outside: links.Address, kube: client, cluster: &clusterDNS{kube: client}, here: asking("127.0.0.1:1"),
		private: c.Ingress.PrivateDNS, warn: func(line string) { *warned = append(*warned, line) },
	}
}

func look(t *testing.T, r *issuerRecord) engine.Change {
	t.Helper()
	seen, err := r.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r.Plan(seen)
}

// Pods ask the cluster's DNS, so that is asked, through the API server; this machine's resolver is not.
func TestIssuerRecordAsPodsSeeIt(t *testing.T) {
	client, server, cluster := clusterWithDNS(t)
	var warned []string
	r := recordOf(client, platform.Config{}, &warned, ip("192.0.2.7"))

	change := look(t, r)
	if change.Action != engine.Pending || change.Why != "the cluster's DNS knows no "+loginHost || !strings.Contains(change.Fix, "`kubectl onyxia ingress dns`") {
		t.Errorf("no record: %+v", change)
	}
	health, err := r.Ready(t.Context())
	if err != nil || health.Ready || health.Hopeless || !strings.Contains(health.Reason, "create the DNS records that `kubectl onyxia ingress dns` prints") {
		t.Errorf("no record: %+v, %v", health, err)
	}

	server.Add(t, "other.lab.demo.test. 60 IN A 192.0.2.7") // the name above the host exists now, and has no address
	if change := look(t, r); change.Action != engine.Pending {
		t.Errorf("no record of that name: %+v", change)
	}

	server.Add(t, "*.lab.demo.test. 60 IN A 192.0.2.8")
	if change := look(t, r); change.Action != engine.Unchanged || change.Why != "leads to 192.0.2.8" {
		t.Errorf("elsewhere: %+v", change)
	}
	if len(warned) != 1 || !strings.Contains(warned[0], "auth.lab.demo.test leads to 192.0.2.8, and the ingress controller is at 192.0.2.7") {
		t.Errorf("elsewhere: %v", warned)
	}

	warned = nil
	server.Add(t, "lb.demo.test. 60 IN A 192.0.2.8")
	for name, at := range map[string][]kube.Address{
		"the address":          {ip("192.0.2.8")},
		"one of the addresses": {ip("192.0.2.9"), ip("192.0.2.8")},
		"a host name":          {{Hostname: "lb.demo.test"}},
		"a host name unknown":  {{Hostname: "lb2.demo.test"}},
	} {
		if change := look(t, recordOf(client, platform.Config{}, &warned, at...)); change.Action != engine.Unchanged || len(warned) > 0 {
			t.Errorf("%s: %+v, warned %v", name, change, warned)
		}
	}
	if health, err := r.Ready(t.Context()); err != nil || !health.Ready {
		t.Errorf("there: %+v, %v", health, err)
	}

	// A way inside of the cluster: the name leads to the controller's own Service.
	ns := cluster.Namespace(t)
	balancer(t, cluster, ns, "edge", 80, 443)
	cluster.MakeReady(t, "Service", ns, "edge")
	edge, err := cluster.Clientset().CoreV1().Services(ns).Get(t.Context(), "edge", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for outside, want := range map[string]bool{kubetest.LoadBalancerIP: true, "192.0.2.7": false} {
		if inside, err := client.LeadsInside(t.Context(), edge.Spec.ClusterIP, []kube.Address{ip(outside)}); err != nil || inside != want {
			t.Errorf("%s: %v, %v", outside, inside, err)
		}
	}
}

// Where the cluster's DNS cannot be asked this machine's resolver has a say, and only a clear no of it counts.
func TestIssuerRecordAsThisMachineSeesIt(t *testing.T) {
	cluster := kubetest.Start(t)
	client, err := kube.Connect(cluster.Flags(t))
	if err != nil {
		t.Fatal(err)
	}
	server := acmetest.StartDNS(t)
	var warned []string
	r := recordOf(client, platform.Config{}, &warned, ip("192.0.2.7"))

	if change := look(t, r); change.Action != engine.Unchanged || !strings.Contains(change.Why, "not looked at: the cluster's DNS is not found: read service kube-system/kube-dns") {
		t.Errorf("nobody answers: %+v", change)
	}
	r.here = asking(server.Addr)
	change := look(t, r)
	if change.Action != engine.Pending || !strings.Contains(change.Why, "cannot be looked up from here") || !strings.Contains(change.Why, "ingress.privateDNS: true") {
		t.Errorf("no record: %+v", change)
	}
	private := recordOf(client, platform.Config{Ingress: platform.Ingress{PrivateDNS: true}}, &warned, ip("192.0.2.7"))
	private.here = r.here
	if change := look(t, private); change.Action != engine.Unchanged || !strings.HasPrefix(change.Why, "not looked at") {
		t.Errorf("private: %+v", change)
	}
	server.Add(t, "*.lab.demo.test. 60 IN A 192.0.2.7")
	if change := look(t, r); change.Action != engine.Unchanged || change.Why != "leads to 192.0.2.7" {
		t.Errorf("there: %+v", change)
	}
}

// Before there is an address nobody can be told which records to make.
func TestIssuerRecordComesAfterTheAddress(t *testing.T) {
	var notYet *engine.NotYetError
	r := &issuerRecord{host: loginHost, outside: stage.NewLinks().Address}
	if _, err := r.Observe(t.Context()); !errors.As(err, &notYet) || notYet.After != stage.AddressID {
		t.Errorf("got %v", err)
	}
	for want, given := range map[time.Duration]time.Duration{time.Second: 0, time.Hour: time.Hour} {
		if got := (&issuerRecord{patience: given}).Patience(); got != want {
			t.Errorf("patience %s, want %s", got, want)
		}
	}
}

func TestIssuerHost(t *testing.T) {
	for name, c := range map[string]struct {
		auth platform.Auth
		want string
	}{
		"ours":             {want: loginHost},
		"no login":         {auth: platform.Auth{Mode: "none"}},
		"somebody else's":  {auth: platform.Auth{Mode: "oidc", URL: "https://idp.example.org"}},
		"a Keycloak below": {auth: platform.Auth{Mode: "keycloak", URL: "https://sso.lab.demo.test/auth", CredentialsSecret: "sso/admin"}, want: "sso.lab.demo.test"},
		"with a port":      {auth: platform.Auth{Mode: "keycloak", URL: "https://sso.lab.demo.test:8443", CredentialsSecret: "sso/admin"}, want: "sso.lab.demo.test"},
	} {
		host, ours := IssuerHost(environment(t, platform.Config{Auth: c.auth}).Platform)
		if host != c.want || ours != (c.want != "") {
			t.Errorf("%s: %q, %v", name, host, ours)
		}
	}
}
