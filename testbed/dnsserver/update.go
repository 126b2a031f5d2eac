package dnsserver

import (
	"github.com/miekg/dns"
)

// update carries out an UPDATE message as a whole or not at all, and returns its response code (RFC 2136 section 3).
func (z *zone) update(r *dns.Msg) int {
	z.mu.Lock()
	defer z.mu.Unlock()
	if q := r.Question[0]; q.Qtype != dns.TypeSOA {
		return dns.RcodeFormatError
	} else if dns.CanonicalName(q.Name) != z.apex || q.Qclass != dns.ClassINET {
		return dns.RcodeNotAuth
	}
	if rcode := z.prerequisites(r.Answer); rcode != dns.RcodeSuccess {
		return rcode
	}
	for _, rr := range r.Ns {
		if rcode := z.prescan(rr); rcode != dns.RcodeSuccess {
			return rcode
		}
	}
	for _, rr := range r.Ns {
		z.apply(rr)
	}
	z.bump()
	return dns.RcodeSuccess
}

// prerequisites checks section 3.2: what must, and what must not, be there before the update.
func (z *zone) prerequisites(wanted []dns.RR) int {
	values := map[string]rrsets{}
	for _, rr := range wanted {
		h := rr.Header()
		name := dns.CanonicalName(h.Name)
		switch {
		case h.Ttl != 0:
			return dns.RcodeFormatError
		case !dns.IsSubDomain(z.apex, name):
			return dns.RcodeNotZone
		case h.Class == dns.ClassINET:
			if values[name] == nil {
				values[name] = rrsets{}
			}
			values[name][h.Rrtype] = append(values[name][h.Rrtype], rr)
		default:
			if rcode := z.prerequisite(name, h); rcode != dns.RcodeSuccess {
				return rcode
			}
		}
	}
	for name, sets := range values {
		for rrtype, set := range sets {
			if !sameRecords(z.names[name][rrtype], set) {
				return dns.RcodeNXRrset
			}
		}
	}
	return dns.RcodeSuccess
}

// prerequisite checks one that speaks of a name or of a type, not of values.
func (z *zone) prerequisite(name string, h *dns.RR_Header) int {
	_, inUse := z.names[name]
	has := len(z.names[name][h.Rrtype]) > 0
	switch {
	case h.Class == dns.ClassANY && h.Rrtype == dns.TypeANY && !inUse:
		return dns.RcodeNameError
	case h.Class == dns.ClassANY && h.Rrtype != dns.TypeANY && !has:
		return dns.RcodeNXRrset
	case h.Class == dns.ClassNONE && h.Rrtype == dns.TypeANY && inUse:
		return dns.RcodeYXDomain
	case h.Class == dns.ClassNONE && h.Rrtype != dns.TypeANY && has:
		return dns.RcodeYXRrset
	case h.Class != dns.ClassANY && h.Class != dns.ClassNONE:
		return dns.RcodeFormatError
	}
	return dns.RcodeSuccess
}

// prescan checks the form of one change before any is made (section 3.4.1).
func (z *zone) prescan(rr dns.RR) int {
	h := rr.Header()
	switch {
	case !dns.IsSubDomain(z.apex, dns.CanonicalName(h.Name)):
		return dns.RcodeNotZone
	case h.Class == dns.ClassINET && h.Rrtype != dns.TypeANY:
		return dns.RcodeSuccess
	case h.Class == dns.ClassANY && h.Ttl == 0:
		return dns.RcodeSuccess
	case h.Class == dns.ClassNONE && h.Ttl == 0 && h.Rrtype != dns.TypeANY:
		return dns.RcodeSuccess
	}
	return dns.RcodeFormatError
}

// apply makes one change (section 3.4.2). The zone's own SOA and its last name server stay whatever is asked.
func (z *zone) apply(rr dns.RR) {
	h := rr.Header()
	name := dns.CanonicalName(h.Name)
	switch h.Class {
	case dns.ClassINET:
		z.insert(name, rr)
	case dns.ClassANY:
		for rrtype := range z.names[name] {
			if (h.Rrtype == dns.TypeANY || h.Rrtype == rrtype) && !z.kept(name, rrtype) {
				z.remove(name, rrtype, func(dns.RR) bool { return false })
			}
		}
	case dns.ClassNONE:
		if h.Rrtype == dns.TypeSOA || z.kept(name, h.Rrtype) && len(z.names[name][h.Rrtype]) == 1 {
			return
		}
		gone := dns.Copy(rr)
		gone.Header().Class = dns.ClassINET
		z.remove(name, h.Rrtype, func(have dns.RR) bool { return !dns.IsDuplicate(have, gone) })
	}
}

// insert adds a record, but never a CNAME beside other records or others beside a CNAME, nor an SOA that is not newer
// than the zone's own (section 3.4.2.2).
func (z *zone) insert(name string, rr dns.RR) {
	if soa, ok := rr.(*dns.SOA); ok && (name != z.apex || soa.Serial <= z.serial()) {
		return
	}
	isCNAME := rr.Header().Rrtype == dns.TypeCNAME
	for rrtype := range z.names[name] {
		if isCNAME != (rrtype == dns.TypeCNAME) {
			return
		}
	}
	if isCNAME || rr.Header().Rrtype == dns.TypeSOA {
		z.remove(name, rr.Header().Rrtype, func(dns.RR) bool { return false })
	}
	z.add(rr)
}

func (z *zone) kept(name string, rrtype uint16) bool {
	return name == z.apex && (rrtype == dns.TypeSOA || rrtype == dns.TypeNS)
}

// bump raises the zone's serial number, by which others see that it changed (section 3.6).
func (z *zone) bump() {
	for i, rr := range z.names[z.apex][dns.TypeSOA] {
		soa, ok := dns.Copy(rr).(*dns.SOA)
		if !ok {
			continue
		}
		soa.Serial++
		z.names[z.apex][dns.TypeSOA][i] = soa
	}
}

func (z *zone) serial() uint32 {
	for _, rr := range z.names[z.apex][dns.TypeSOA] {
		if soa, ok := rr.(*dns.SOA); ok {
			return soa.Serial
		}
	}
	return 0
}

// sameRecords compares two sets without regard to order and TTL.
func sameRecords(a, b []dns.RR) bool {
	if len(a) != len(b) {
		return false
	}
	for _, rr := range b {
		if len(without(a, rr)) == len(a) {
			return false
		}
	}
	return true
}
