package dnsserver_test

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/kubectl-onyxia/kubectl-onyxia/testbed/dnsserver"
)

const (
	keyName = "onyxia."
	secret  = "c2VjcmV0IG9mIHRoZSB0ZXN0cyBvZiB0aGlzIHBhY2thZ2U="
)

// patience of a client with a busy machine; the library's own is two seconds.
const patience = time.Minute

func start(t *testing.T, records ...string) *dnsserver.Server {
	t.Helper()
	s, err := dnsserver.Start(t.Context(), dnsserver.Config{
		Zone: "demo.test", Keys: map[string]string{keyName: secret}, Records: records,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func ask(t *testing.T, s *dnsserver.Server, network, name string, rrtype uint16) *dns.Msg {
	t.Helper()
	m := new(dns.Msg).SetQuestion(name, rrtype)
	r, _, err := (&dns.Client{Net: network, Timeout: patience}).ExchangeContext(t.Context(), m, s.Addr())
	if err != nil {
		t.Fatalf("ask %s %s: %v", name, dns.TypeToString[rrtype], err)
	}
	return r
}

// values returns the answer section, one "TYPE value" for each record, in the order sent.
func values(r *dns.Msg) []string {
	var out []string
	for _, rr := range r.Answer {
		h := rr.Header()
		out = append(out, dns.TypeToString[h.Rrtype]+" "+strings.TrimPrefix(rr.String(), h.String()))
	}
	return out
}

func TestAnswers(t *testing.T) {
	s := start(t,
		"www.demo.test. 60 IN A 192.0.2.1",
		"www.demo.test. 60 IN AAAA 2001:db8::1",
		"*.lab.demo.test. 60 IN A 192.0.2.2",
		"taken.lab.demo.test. 60 IN TXT seen",
		"deep.down.demo.test. 60 IN A 192.0.2.3",
		"alias.demo.test. 60 IN CNAME www.demo.test.",
		"away.demo.test. 60 IN CNAME www.example.com.",
		"broken.demo.test. 60 IN CNAME nothing.demo.test.",
		"loop.demo.test. 60 IN CNAME loop.demo.test.",
		"_acme-challenge.demo.test. 60 IN TXT one",
		"_acme-challenge.demo.test. 60 IN TXT two",
	)
	nothing := []string(nil)
	for _, tc := range []struct {
		name   string
		rrtype uint16
		rcode  int
		want   []string
	}{
		{"www.demo.test.", dns.TypeA, dns.RcodeSuccess, []string{"A 192.0.2.1"}},
		{"WwW.DeMo.TeSt.", dns.TypeA, dns.RcodeSuccess, []string{"A 192.0.2.1"}},
		{"www.demo.test.", dns.TypeAAAA, dns.RcodeSuccess, []string{"AAAA 2001:db8::1"}},
		{"www.demo.test.", dns.TypeTXT, dns.RcodeSuccess, nothing},
		{"nothing.demo.test.", dns.TypeA, dns.RcodeNameError, nothing},
		{"below.www.demo.test.", dns.TypeA, dns.RcodeNameError, nothing},
		{"demo.test.", dns.TypeNS, dns.RcodeSuccess, []string{"NS ns.demo.test."}},
		{"demo.test.", dns.TypeSOA, dns.RcodeSuccess, []string{"SOA ns.demo.test. hostmaster.demo.test. 1 60 60 600 1"}},
		{"ns.demo.test.", dns.TypeA, dns.RcodeSuccess, []string{"A 127.0.0.1"}},
		{"demo.test.", dns.TypeA, dns.RcodeSuccess, nothing},
		// RFC 4592 section 2.2.2: a name that only has names below it is there and has nothing.
		{"lab.demo.test.", dns.TypeA, dns.RcodeSuccess, nothing},
		{"down.demo.test.", dns.TypeA, dns.RcodeSuccess, nothing},
		{"other.down.demo.test.", dns.TypeA, dns.RcodeNameError, nothing},
		// RFC 4592 section 3.3.1: the wildcard answers for what is not there, of any depth, and only then.
		{"auth.lab.demo.test.", dns.TypeA, dns.RcodeSuccess, []string{"A 192.0.2.2"}},
		{"a.b.lab.demo.test.", dns.TypeA, dns.RcodeSuccess, []string{"A 192.0.2.2"}},
		{"auth.lab.demo.test.", dns.TypeTXT, dns.RcodeSuccess, nothing},
		{"taken.lab.demo.test.", dns.TypeA, dns.RcodeSuccess, nothing},
		{"below.taken.lab.demo.test.", dns.TypeA, dns.RcodeNameError, nothing},
		{"*.lab.demo.test.", dns.TypeA, dns.RcodeSuccess, []string{"A 192.0.2.2"}},
		{"alias.demo.test.", dns.TypeA, dns.RcodeSuccess, []string{"CNAME www.demo.test.", "A 192.0.2.1"}},
		{"alias.demo.test.", dns.TypeCNAME, dns.RcodeSuccess, []string{"CNAME www.demo.test."}},
		{"away.demo.test.", dns.TypeA, dns.RcodeSuccess, []string{"CNAME www.example.com."}},
		{"broken.demo.test.", dns.TypeA, dns.RcodeNameError, []string{"CNAME nothing.demo.test."}},
		{"_acme-challenge.demo.test.", dns.TypeTXT, dns.RcodeSuccess, []string{`TXT "one"`, `TXT "two"`}},
		{"www.example.com.", dns.TypeA, dns.RcodeRefused, nothing},
		{"notdemo.test.", dns.TypeA, dns.RcodeRefused, nothing},
	} {
		for _, network := range []string{"udp", "tcp"} {
			t.Run(network+" "+tc.name+" "+dns.TypeToString[tc.rrtype], func(t *testing.T) {
				r := ask(t, s, network, tc.name, tc.rrtype)
				if r.Rcode != tc.rcode || !slices.Equal(values(r), tc.want) {
					t.Errorf("got %s %q, want %s %q",
						dns.RcodeToString[r.Rcode], values(r), dns.RcodeToString[tc.rcode], tc.want)
				}
				checkAuthority(t, r)
			})
		}
	}
	if r := ask(t, s, "udp", "loop.demo.test.", dns.TypeA); r.Rcode != dns.RcodeServerFailure {
		t.Errorf("CNAME loop: got %s, want SERVFAIL", dns.RcodeToString[r.Rcode])
	}
	if r := ask(t, s, "udp", "AUTH.lab.demo.test.", dns.TypeA); r.Answer[0].Header().Name != "AUTH.lab.demo.test." {
		t.Errorf("owner is %s, want the name as it was asked", r.Answer[0].Header().Name)
	}
}

// checkAuthority: RFC 2308 sections 2.1 and 2.2 want the SOA with every negative answer, and with no other.
func checkAuthority(t *testing.T, r *dns.Msg) {
	t.Helper()
	if r.Rcode == dns.RcodeRefused {
		return
	}
	if !r.Authoritative {
		t.Error("the answer is not authoritative")
	}
	last := r.Rcode == dns.RcodeNameError || len(r.Answer) == 0
	if got := len(r.Ns) == 1 && r.Ns[0].Header().Rrtype == dns.TypeSOA; got != last {
		t.Errorf("SOA in the authority section: %v, want %v", got, last)
	}
}

func TestLongAnswerIsTruncatedOverUDPOnly(t *testing.T) {
	var records []string
	for _, c := range "abcdefghij" {
		records = append(records, "long.demo.test. 60 IN TXT "+strings.Repeat(string(c), 100))
	}
	s := start(t, records...)
	if r := ask(t, s, "udp", "long.demo.test.", dns.TypeTXT); !r.Truncated {
		t.Error("UDP: not truncated")
	}
	if r := ask(t, s, "tcp", "long.demo.test.", dns.TypeTXT); r.Truncated || len(r.Answer) != 10 {
		t.Errorf("TCP: truncated %v, %d records, want all 10", r.Truncated, len(r.Answer))
	}
}

func TestStartRefusesWhatItCannotServe(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for name, tc := range map[string]struct {
		config dnsserver.Config
		want   string
	}{
		"no zone":         {dnsserver.Config{}, "is not a name for a zone"},
		"bad record":      {dnsserver.Config{Zone: "demo.test", Records: []string{"www IN A nonsense"}}, "zone file form"},
		"record outside":  {dnsserver.Config{Zone: "demo.test", Records: []string{"www.x.test. 60 IN A 192.0.2.1"}}, "outside the zone"},
		"bad NS address":  {dnsserver.Config{Zone: "demo.test", NSAddress: "ns1"}, "address of the zone's name server"},
		"address in use":  {dnsserver.Config{Zone: "demo.test", Listen: []string{busy.Addr().String()}}, "address already in use"},
		"second is taken": {dnsserver.Config{Zone: "demo.test", Listen: []string{"127.0.0.1:0", busy.Addr().String()}}, "address already in use"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := dnsserver.Start(t.Context(), tc.config)
			if err == nil {
				_ = s.Close()
				t.Fatal("started")
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %q does not say %q", err, tc.want)
			}
		})
	}
}
