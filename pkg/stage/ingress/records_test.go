package ingress

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/acmetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

func ip(text string) kube.Address { return kube.Address{IP: netip.MustParseAddr(text)} }

// Two names lead to each address; zone-file lines have a dot after every name (RFC 1035 section 5).
func TestRecords(t *testing.T) {
	for name, c := range map[string]struct {
		addresses []kube.Address
		want      []string
	}{
		"IPv4": {[]kube.Address{ip("192.0.2.7")}, []string{"onyxia.demo.test. A 192.0.2.7", "*.lab.demo.test. A 192.0.2.7"}},
		"IPv6": {[]kube.Address{ip("2001:db8::7")}, []string{"onyxia.demo.test. AAAA 2001:db8::7", "*.lab.demo.test. AAAA 2001:db8::7"}},
		"both": {[]kube.Address{ip("192.0.2.7"), ip("2001:db8::7")}, []string{
			"onyxia.demo.test. A 192.0.2.7", "onyxia.demo.test. AAAA 2001:db8::7", "*.lab.demo.test. A 192.0.2.7", "*.lab.demo.test. AAAA 2001:db8::7",
		}},
		"host name": {[]kube.Address{{Hostname: "lb-1.elb.example.net"}}, []string{"onyxia.demo.test. CNAME lb-1.elb.example.net.", "*.lab.demo.test. CNAME lb-1.elb.example.net."}},
		"none yet":  {},
	} {
		t.Run(name, func(t *testing.T) {
			env := environment(t, platform.Config{})
			var got []string
			for _, r := range Records(env.Platform, c.addresses) {
				got = append(got, r.String())
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// Look asks a real name server, record by record, as they are entered.
func TestLook(t *testing.T) {
	server := acmetest.StartDNS(t)
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, network, server.Addr)
	}}
	p := environment(t, platform.Config{}).Platform
	look := func(addresses ...kube.Address) map[string]Seen {
		out := map[string]Seen{}
		for _, seen := range Look(t.Context(), resolver, Records(p, addresses)) {
			out[seen.Name] = seen
		}
		return out
	}
	const home, lab = "onyxia.demo.test", "*.lab.demo.test"

	seen := look(ip("192.0.2.7"))
	for _, name := range []string{home, lab} {
		if s := seen[name]; s.OK || s.Error != "no such record" {
			t.Errorf("nothing entered: %+v", s)
		}
	}

	server.Add(t, "onyxia.demo.test. 60 IN A 192.0.2.7")
	server.Add(t, "*.lab.demo.test. 60 IN A 192.0.2.8")
	seen = look(ip("192.0.2.7"))
	if s := seen[home]; !s.OK || s.Error != "" {
		t.Errorf("entered: %+v", s)
	}
	// The wildcard answers for any name below it, here with another address.
	if s := seen[lab]; s.OK || s.Error != "" || strings.Join(s.Found, " ") != "192.0.2.8" || strings.Join(s.Wanted, " ") != "192.0.2.7" {
		t.Errorf("entered wrong: %+v", s)
	}

	// Of two addresses both have to be there, and no third.
	if s := look(ip("192.0.2.7"), ip("2001:db8::7"))[home]; s.OK {
		t.Errorf("one of two: %+v", s)
	}
	server.Add(t, "onyxia.demo.test. 60 IN AAAA 2001:db8::7")
	if s := look(ip("192.0.2.7"), ip("2001:db8::7"))[home]; !s.OK {
		t.Errorf("both: %+v", s)
	}
	if s := look(ip("192.0.2.7"))[home]; s.OK {
		t.Errorf("one more than wanted: %+v", s)
	}
}

// A resolver follows a CNAME by itself, so that the wanted host name is resolved as well.
func TestLookFollowsHostNames(t *testing.T) {
	server := acmetest.StartDNS(t)
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, network, server.Addr)
	}}
	server.Add(t, "lb.demo.test. 60 IN A 192.0.2.9")
	server.Add(t, "onyxia.demo.test. 60 IN CNAME lb.demo.test.")
	server.Add(t, "*.lab.demo.test. 60 IN A 192.0.2.10")
	records := Records(environment(t, platform.Config{}).Platform, []kube.Address{{Hostname: "lb.demo.test"}})
	for _, s := range Look(t.Context(), resolver, records) {
		if s.OK != (s.Name == "onyxia.demo.test") {
			t.Errorf("%+v", s)
		}
	}
}

func TestLookWithoutAnswer(t *testing.T) {
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, network, "127.0.0.1:1")
	}}
	records := Records(environment(t, platform.Config{}).Platform, []kube.Address{ip("192.0.2.7")})
	for _, s := range Look(t.Context(), resolver, records) {
		if s.OK || s.Error == "" || s.Error == "no such record" {
			t.Errorf("%+v", s)
		}
	}
}
