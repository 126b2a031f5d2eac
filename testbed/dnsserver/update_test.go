package dnsserver_test

import (
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/kubectl-onyxia/kubectl-onyxia/testbed/dnsserver"
)

func rr(t *testing.T, text string) dns.RR {
	t.Helper()
	r, err := dns.NewRR(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// send sends an update signed with the key, or unsigned for an empty name, and returns the response code.
func send(t *testing.T, s *dnsserver.Server, m *dns.Msg, key, secret string) int {
	t.Helper()
	c := &dns.Client{Net: "tcp", Timeout: patience}
	if key != "" {
		c.TsigSecret = map[string]string{key: secret}
		m.SetTsig(key, dns.HmacSHA256, 300, time.Now().Unix())
	}
	r, _, err := c.ExchangeContext(t.Context(), m, s.Addr())
	if r == nil {
		t.Fatal(err)
	}
	return r.Rcode
}

func update(zone string) *dns.Msg { return new(dns.Msg).SetUpdate(zone) }

func TestUpdate(t *testing.T) {
	before := []string{
		"www.demo.test. 60 IN A 192.0.2.1", "www.demo.test. 60 IN A 192.0.2.2", "www.demo.test. 60 IN TXT hello",
		"alias.demo.test. 60 IN CNAME www.demo.test.",
	}
	for _, tc := range []struct {
		what   string
		change func(t *testing.T, m *dns.Msg)
		rcode  int
		name   string
		rrtype uint16
		want   []string
	}{
		{
			"add to a set", func(t *testing.T, m *dns.Msg) { m.Insert([]dns.RR{rr(t, "www.demo.test. 60 IN A 192.0.2.3")}) },
			dns.RcodeSuccess, "www.demo.test.", dns.TypeA, []string{"A 192.0.2.1", "A 192.0.2.2", "A 192.0.2.3"},
		},
		{
			"add what is there", func(t *testing.T, m *dns.Msg) { m.Insert([]dns.RR{rr(t, "WWW.demo.test. 9 IN A 192.0.2.1")}) },
			dns.RcodeSuccess, "www.demo.test.", dns.TypeA, []string{"A 192.0.2.1", "A 192.0.2.2"},
		},
		{
			"delete one record", func(t *testing.T, m *dns.Msg) { m.Remove([]dns.RR{rr(t, "www.demo.test. 60 IN A 192.0.2.1")}) },
			dns.RcodeSuccess, "www.demo.test.", dns.TypeA, []string{"A 192.0.2.2"},
		},
		{
			"delete a set", func(t *testing.T, m *dns.Msg) { m.RemoveRRset([]dns.RR{rr(t, "www.demo.test. 60 IN A 192.0.2.1")}) },
			dns.RcodeSuccess, "www.demo.test.", dns.TypeA, nil,
		},
		{
			"delete a name", func(t *testing.T, m *dns.Msg) { m.RemoveName([]dns.RR{rr(t, "www.demo.test. 60 IN A 192.0.2.1")}) },
			dns.RcodeSuccess, "www.demo.test.", dns.TypeTXT, nil,
		},
		{
			"no address beside a CNAME", func(t *testing.T, m *dns.Msg) { m.Insert([]dns.RR{rr(t, "alias.demo.test. 60 IN A 192.0.2.1")}) },
			dns.RcodeSuccess, "alias.demo.test.", dns.TypeCNAME, []string{"CNAME www.demo.test."},
		},
		{
			"no CNAME beside an address", func(t *testing.T, m *dns.Msg) { m.Insert([]dns.RR{rr(t, "www.demo.test. 60 IN CNAME x.demo.test.")}) },
			dns.RcodeSuccess, "www.demo.test.", dns.TypeCNAME, nil,
		},
		{
			"a new CNAME replaces the old", func(t *testing.T, m *dns.Msg) { m.Insert([]dns.RR{rr(t, "alias.demo.test. 60 IN CNAME x.demo.test.")}) },
			dns.RcodeSuccess, "alias.demo.test.", dns.TypeCNAME, []string{"CNAME x.demo.test."},
		},
		{
			"the apex keeps its name server", func(t *testing.T, m *dns.Msg) { m.RemoveName([]dns.RR{rr(t, "demo.test. 60 IN A 192.0.2.1")}) },
			dns.RcodeSuccess, "demo.test.", dns.TypeNS, []string{"NS ns.demo.test."},
		},
		{
			"the last name server stays", func(t *testing.T, m *dns.Msg) { m.Remove([]dns.RR{rr(t, "demo.test. 60 IN NS ns.demo.test.")}) },
			dns.RcodeSuccess, "demo.test.", dns.TypeNS, []string{"NS ns.demo.test."},
		},
		{
			"every update raises the serial", func(t *testing.T, m *dns.Msg) { m.Insert([]dns.RR{rr(t, "new.demo.test. 60 IN A 192.0.2.9")}) },
			dns.RcodeSuccess, "demo.test.", dns.TypeSOA, []string{"SOA ns.demo.test. hostmaster.demo.test. 2 60 60 600 1"},
		},
		{
			"all or nothing", func(t *testing.T, m *dns.Msg) {
				m.Insert([]dns.RR{rr(t, "new.demo.test. 60 IN A 192.0.2.9"), rr(t, "new.example.com. 60 IN A 192.0.2.9")})
			},
			dns.RcodeNotZone, "new.demo.test.", dns.TypeA, nil,
		},
		{
			"prerequisite: the set has these values", func(t *testing.T, m *dns.Msg) {
				m.Used([]dns.RR{rr(t, "www.demo.test. 0 IN TXT hello")})
				m.Insert([]dns.RR{rr(t, "new.demo.test. 60 IN A 192.0.2.9")})
			},
			dns.RcodeSuccess, "new.demo.test.", dns.TypeA, []string{"A 192.0.2.9"},
		},
		{
			"prerequisite: the set has other values", func(t *testing.T, m *dns.Msg) {
				m.Used([]dns.RR{rr(t, "www.demo.test. 0 IN A 192.0.2.1")})
				m.Insert([]dns.RR{rr(t, "new.demo.test. 60 IN A 192.0.2.9")})
			},
			dns.RcodeNXRrset, "new.demo.test.", dns.TypeA, nil,
		},
		{
			"prerequisite: name in use", func(t *testing.T, m *dns.Msg) { m.NameUsed([]dns.RR{rr(t, "new.demo.test. 0 IN A 192.0.2.1")}) },
			dns.RcodeNameError, "new.demo.test.", dns.TypeA, nil,
		},
		{
			"prerequisite: name not in use", func(t *testing.T, m *dns.Msg) { m.NameNotUsed([]dns.RR{rr(t, "www.demo.test. 0 IN A 192.0.2.1")}) },
			dns.RcodeYXDomain, "new.demo.test.", dns.TypeA, nil,
		},
		{
			"prerequisite: set exists", func(t *testing.T, m *dns.Msg) { m.RRsetUsed([]dns.RR{rr(t, "www.demo.test. 0 IN AAAA ::1")}) },
			dns.RcodeNXRrset, "new.demo.test.", dns.TypeA, nil,
		},
		{
			"prerequisite: set does not exist", func(t *testing.T, m *dns.Msg) { m.RRsetNotUsed([]dns.RR{rr(t, "www.demo.test. 0 IN A 192.0.2.1")}) },
			dns.RcodeYXRrset, "new.demo.test.", dns.TypeA, nil,
		},
	} {
		t.Run(tc.what, func(t *testing.T) {
			s := start(t, before...)
			m := update("demo.test.")
			tc.change(t, m)
			if got := send(t, s, m, keyName, secret); got != tc.rcode {
				t.Errorf("update: got %s, want %s", dns.RcodeToString[got], dns.RcodeToString[tc.rcode])
			}
			if got := values(ask(t, s, "udp", tc.name, tc.rrtype)); !slices.Equal(sorted(got), tc.want) {
				t.Errorf("afterwards %s %s is %q, want %q", tc.name, dns.TypeToString[tc.rrtype], got, tc.want)
			}
			if want := map[bool]int{true: 1}[tc.rcode == dns.RcodeSuccess]; s.Updates() != want {
				t.Errorf("%d updates counted, want %d", s.Updates(), want)
			}
		})
	}
}

func sorted(s []string) []string { slices.Sort(s); return s }

func TestOnlySignedUpdatesOfTheZone(t *testing.T) {
	const other = "b3RoZXIgc2VjcmV0IG9mIHRoZSB0ZXN0cyBvZiB0aGlzIHBhY2s="
	for name, tc := range map[string]struct {
		zone, key, secret string
		rcode             int
	}{
		"unsigned":      {"demo.test.", "", "", dns.RcodeRefused},
		"wrong secret":  {"demo.test.", keyName, other, dns.RcodeNotAuth},
		"unknown key":   {"demo.test.", "stranger.", secret, dns.RcodeNotAuth},
		"another zone":  {"example.com.", keyName, secret, dns.RcodeNotAuth},
		"zone's child":  {"lab.demo.test.", keyName, secret, dns.RcodeNotAuth},
		"signed, known": {"demo.test.", keyName, secret, dns.RcodeSuccess},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			m := update(tc.zone)
			m.Insert([]dns.RR{rr(t, "new.demo.test. 60 IN A 192.0.2.9")})
			if got := send(t, s, m, tc.key, tc.secret); got != tc.rcode {
				t.Errorf("got %s, want %s", dns.RcodeToString[got], dns.RcodeToString[tc.rcode])
			}
			want := []string(nil)
			if tc.rcode == dns.RcodeSuccess {
				want = []string{"new.demo.test.\t60\tIN\tA\t192.0.2.9"}
			}
			if got := s.Records("new.demo.test", dns.TypeA); !slices.Equal(got, want) {
				t.Errorf("zone holds %q, want %q", got, want)
			}
		})
	}
}

func TestUpdateWithoutAnyKeyIsRefused(t *testing.T) {
	s, err := dnsserver.Start(t.Context(), dnsserver.Config{Zone: "demo.test"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	m := update("demo.test.")
	m.Insert([]dns.RR{rr(t, "new.demo.test. 60 IN A 192.0.2.9")})
	if got := send(t, s, m, keyName, secret); got != dns.RcodeNotAuth {
		t.Errorf("got %s, want NOTAUTH", dns.RcodeToString[got])
	}
}
