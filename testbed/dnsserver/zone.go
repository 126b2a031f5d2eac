package dnsserver

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"

	"github.com/miekg/dns"
)

// ttl of the zone's own records, in seconds; also how long a client may remember that a name is absent.
const ttl = 1

// zone is the set of records of one zone. Names are lower case and end with a dot.
type zone struct {
	apex string

	mu    sync.RWMutex
	names map[string]rrsets
}

// rrsets holds the records of one name by type.
type rrsets map[uint16][]dns.RR

func newZone(c Config) (*zone, error) {
	if _, ok := dns.IsDomainName(c.Zone); !ok || c.Zone == "" {
		return nil, fmt.Errorf("%q is not a name for a zone", c.Zone)
	}
	z := &zone{apex: dns.CanonicalName(c.Zone), names: map[string]rrsets{}}
	records, err := z.own(c.NSAddress)
	if err != nil {
		return nil, err
	}
	for _, text := range append(records, c.Records...) {
		rr, err := dns.NewRR(text)
		if err != nil || rr == nil {
			return nil, errors.Join(fmt.Errorf("%q is not a DNS record in zone file form", text), err)
		}
		if !dns.IsSubDomain(z.apex, rr.Header().Name) {
			return nil, fmt.Errorf("record %q is outside the zone %s", text, z.apex)
		}
		z.add(rr)
	}
	return z, nil
}

// own is what every zone has: its start of authority, its name server and that server's address.
func (z *zone) own(nsAddress string) ([]string, error) {
	if nsAddress == "" {
		nsAddress = "127.0.0.1"
	}
	ip, err := netip.ParseAddr(nsAddress)
	if err != nil {
		return nil, fmt.Errorf("address of the zone's name server: %w", err)
	}
	rrtype := "A"
	if ip.Is6() {
		rrtype = "AAAA"
	}
	ns := "ns." + z.apex
	return []string{
		fmt.Sprintf("%s %d IN SOA %s hostmaster.%s 1 60 60 600 %d", z.apex, ttl, ns, z.apex, ttl),
		fmt.Sprintf("%s %d IN NS %s", z.apex, ttl, ns),
		fmt.Sprintf("%s %d IN %s %s", ns, ttl, rrtype, ip),
	}, nil
}

func (z *zone) at(name string, rrtype uint16) []dns.RR {
	z.mu.RLock()
	defer z.mu.RUnlock()
	return append([]dns.RR(nil), z.names[name][rrtype]...)
}

// add puts a record in place. A second copy only renews the TTL, which all records of one name and type share
// (RFC 2181 section 5.2).
func (z *zone) add(rr dns.RR) {
	name := dns.CanonicalName(rr.Header().Name)
	if z.names[name] == nil {
		z.names[name] = rrsets{}
	}
	rrtype := rr.Header().Rrtype
	set := without(z.names[name][rrtype], rr)
	for _, other := range set {
		other.Header().Ttl = rr.Header().Ttl
	}
	z.names[name][rrtype] = append(set, rr)
}

// remove takes away the records of one name and type that keep does not want.
func (z *zone) remove(name string, rrtype uint16, keep func(dns.RR) bool) {
	var kept []dns.RR
	for _, rr := range z.names[name][rrtype] {
		if keep(rr) {
			kept = append(kept, rr)
		}
	}
	if len(kept) > 0 {
		z.names[name][rrtype] = kept
		return
	}
	delete(z.names[name], rrtype)
	if len(z.names[name]) == 0 {
		delete(z.names, name)
	}
}

// exists tells whether a name is there, also as an empty non-terminal: a name without records that has some below it
// (RFC 4592 section 2.2.2).
func (z *zone) exists(name string) bool {
	if _, ok := z.names[name]; ok {
		return true
	}
	for other := range z.names {
		if strings.HasSuffix(other, "."+name) {
			return true
		}
	}
	return false
}

// find returns the records that answer for a name: its own, or those of the wildcard at its closest encloser
// (RFC 4592 section 3.3.1). The second result is false if the name does not exist.
func (z *zone) find(name string) (rrsets, bool) {
	if z.exists(name) {
		return z.names[name], true
	}
	encloser := name
	for !z.exists(encloser) && encloser != z.apex {
		_, encloser, _ = strings.Cut(encloser, ".")
	}
	sets, ok := z.names["*."+encloser]
	return sets, ok
}

// without copies the records that differ from rr, so that no slice handed out before is written to.
func without(set []dns.RR, rr dns.RR) []dns.RR {
	var out []dns.RR
	for _, other := range set {
		if !dns.IsDuplicate(other, rr) {
			out = append(out, dns.Copy(other))
		}
	}
	return out
}
