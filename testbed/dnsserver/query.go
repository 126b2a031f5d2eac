package dnsserver

import (
	"github.com/miekg/dns"
)

// maxChain bounds how many CNAME records are followed inside the zone.
const maxChain = 8

// answer fills m with what the zone knows about q: records; or the zone's SOA with NXDOMAIN for a name that is not
// there and with NOERROR for one that has no such records (RFC 2308 section 2).
func (z *zone) answer(m *dns.Msg, q dns.Question) {
	z.mu.RLock()
	defer z.mu.RUnlock()
	if q.Qclass != dns.ClassINET && q.Qclass != dns.ClassANY || !dns.IsSubDomain(z.apex, dns.CanonicalName(q.Name)) {
		m.Rcode = dns.RcodeRefused
		return
	}
	m.Authoritative = true
	owner := q.Name
	for range maxChain {
		sets, ok := z.find(dns.CanonicalName(owner))
		if !ok {
			m.Rcode = dns.RcodeNameError
			m.Ns = z.authority()
			return
		}
		if found := sets.of(q.Qtype); len(found) > 0 {
			m.Answer = append(m.Answer, owned(found, owner)...)
			return
		}
		alias, ok := sets.alias()
		if !ok {
			m.Ns = z.authority()
			return
		}
		m.Answer = append(m.Answer, owned([]dns.RR{alias}, owner)...)
		if !dns.IsSubDomain(z.apex, dns.CanonicalName(alias.Target)) {
			return
		}
		owner = alias.Target
	}
	m.Rcode = dns.RcodeServerFailure
}

// authority is the SOA that goes with a negative answer, with the TTL for which the absence may be remembered.
func (z *zone) authority() []dns.RR {
	var out []dns.RR
	for _, rr := range z.names[z.apex][dns.TypeSOA] {
		soa, ok := dns.Copy(rr).(*dns.SOA)
		if !ok {
			continue
		}
		soa.Hdr.Ttl = min(soa.Hdr.Ttl, soa.Minttl)
		out = append(out, soa)
	}
	return out
}

func (s rrsets) of(rrtype uint16) []dns.RR {
	if rrtype != dns.TypeANY {
		return s[rrtype]
	}
	var out []dns.RR
	for _, set := range s {
		out = append(out, set...)
	}
	return out
}

func (s rrsets) alias() (*dns.CNAME, bool) {
	for _, rr := range s[dns.TypeCNAME] {
		if cname, ok := rr.(*dns.CNAME); ok {
			return cname, true
		}
	}
	return nil, false
}

// owned copies records under the name that was asked for, which differs from theirs in case or if a wildcard answers.
func owned(set []dns.RR, owner string) []dns.RR {
	out := make([]dns.RR, 0, len(set))
	for _, rr := range set {
		c := dns.Copy(rr)
		c.Header().Name = owner
		out = append(out, c)
	}
	return out
}
