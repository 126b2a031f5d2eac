package acme

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// queryTime bounds one question to one name server. Each is asked twice before it counts as out of reach.
const queryTime = 2 * time.Second

// forgetAfter is when a server that was out of reach is tried again.
const forgetAfter = time.Minute

// maxAliases bounds a chain of CNAMEs.
const maxAliases = 10

// lookup asks name servers directly, so that no cache stands between us and what the authority will see.
type lookup struct {
	resolvers []string
	port      string

	mu          sync.Mutex
	unreachable map[string]time.Time
}

func newLookup(resolvers []string, port string) *lookup {
	if port == "" {
		port = "53"
	}
	return &lookup{resolvers: resolvers, port: port, unreachable: map[string]time.Time{}}
}

// resolversOr adds the port where it is missing, and takes the system's resolvers where none are given.
func resolversOr(given []string) ([]string, error) {
	servers := given
	if len(servers) == 0 {
		config, err := dns.ClientConfigFromFile("/etc/resolv.conf")
		if err != nil || len(config.Servers) == 0 {
			return nil, errors.Join(errors.New("this machine names no DNS resolver; give some as tls.dns.resolvers"), err)
		}
		servers = config.Servers
	}
	out := make([]string, 0, len(servers))
	for _, server := range servers {
		if _, _, err := net.SplitHostPort(server); err != nil {
			server = net.JoinHostPort(strings.Trim(server, "[]"), "53")
		}
		out = append(out, server)
	}
	return out, nil
}

// follow finds where a record has to be if the name is an alias. A name that isn't there yet is none.
func (l *lookup) follow(ctx context.Context, fqdn string) string {
	for range maxAliases {
		answer, err := l.resolve(ctx, fqdn, dns.TypeCNAME)
		if err != nil {
			return fqdn
		}
		target := ""
		for _, rr := range answer.Answer {
			if alias, ok := rr.(*dns.CNAME); ok && strings.EqualFold(alias.Hdr.Name, fqdn) {
				target = alias.Target
			}
		}
		if target == "" {
			return fqdn
		}
		fqdn = target
	}
	return fqdn
}

// lacking says who does not have the record yet; empty if it is visible. Every authoritative server that can be
// reached from here must have it. Where none can be reached (networks that let DNS out only through their resolvers),
// the resolvers must see it.
func (l *lookup) lacking(ctx context.Context, fqdn, value string) string {
	servers, err := l.authoritative(ctx, fqdn)
	if err != nil {
		return err.Error()
	}
	lacking, asked := l.askAll(ctx, servers, fqdn, value)
	if asked == 0 {
		resolvers := make(map[string]string, len(l.resolvers))
		for _, r := range l.resolvers {
			resolvers[r] = "resolver " + r
		}
		lacking, asked = l.askAll(ctx, resolvers, fqdn, value)
	}
	switch {
	case asked == 0:
		return "no name server of the zone and no resolver answers"
	case len(lacking) > 0:
		return "not yet at " + strings.Join(lacking, ", ")
	default:
		return ""
	}
}

// askAll asks servers (address to the name it is shown by) at once. It returns who lacks the value and how many answered.
func (l *lookup) askAll(ctx context.Context, servers map[string]string, fqdn, value string) (lacking []string, asked int) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for address, name := range servers {
		if l.isUnreachable(address) {
			continue
		}
		wg.Go(func() {
			has, err := l.has(ctx, address, fqdn, value)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil && ctx.Err() == nil:
				l.setUnreachable(address)
				return
			case !has:
				lacking = append(lacking, name)
			}
			asked++
		})
	}
	wg.Wait()
	slices.Sort(lacking)
	return lacking, asked
}

func (l *lookup) isUnreachable(address string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	since, ok := l.unreachable[address]
	return ok && time.Since(since) < forgetAfter
}

func (l *lookup) setUnreachable(address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unreachable[address] = time.Now()
}

// has tells whether one server gives the TXT record.
func (l *lookup) has(ctx context.Context, server, fqdn, value string) (bool, error) {
	answer, err := ask(ctx, server, fqdn, dns.TypeTXT)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(answer.Answer, func(rr dns.RR) bool {
		txt, ok := rr.(*dns.TXT)
		return ok && strings.Join(txt.Txt, "") == value
	}), nil
}

// authoritative finds the addresses of the servers of the zone that a name is in, with the names to show them by.
func (l *lookup) authoritative(ctx context.Context, fqdn string) (map[string]string, error) {
	zone, err := l.zone(ctx, fqdn)
	if err != nil {
		return nil, err
	}
	answer, err := l.resolve(ctx, zone, dns.TypeNS)
	if err != nil {
		return nil, fmt.Errorf("the name servers of %s are not known: %w", zone, err)
	}
	servers := map[string]string{}
	for _, rr := range answer.Answer {
		ns, ok := rr.(*dns.NS)
		if !ok {
			continue
		}
		for _, address := range l.addresses(ctx, ns.Ns) {
			servers[net.JoinHostPort(address, l.port)] = fmt.Sprintf("%s (%s)", strings.TrimSuffix(ns.Ns, "."), address)
		}
	}
	return servers, nil
}

// zone walks up from a name to the start of its zone.
func (l *lookup) zone(ctx context.Context, fqdn string) (string, error) {
	var failure error
	for _, i := range dns.Split(fqdn) {
		answer, err := l.resolve(ctx, fqdn[i:], dns.TypeSOA)
		if err != nil {
			failure = err
			continue
		}
		for _, rr := range answer.Answer {
			if soa, ok := rr.(*dns.SOA); ok {
				return soa.Hdr.Name, nil
			}
		}
	}
	if failure != nil {
		return "", fmt.Errorf("the zone of %s is not known: %w", fqdn, failure)
	}
	return "", fmt.Errorf("the zone of %s is not known to %s: is the domain registered and delegated?", fqdn, strings.Join(l.resolvers, ", "))
}

// addresses are a server's, of both families. One that has none is left out.
func (l *lookup) addresses(ctx context.Context, host string) []string {
	var out []string
	for _, rrtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		answer, err := l.resolve(ctx, host, rrtype)
		if err != nil {
			continue
		}
		for _, rr := range answer.Answer {
			switch address := rr.(type) {
			case *dns.A:
				out = append(out, address.A.String())
			case *dns.AAAA:
				out = append(out, address.AAAA.String())
			}
		}
	}
	return out
}

// resolve asks the resolvers in turn until one answers.
func (l *lookup) resolve(ctx context.Context, fqdn string, rrtype uint16) (*dns.Msg, error) {
	var errs []error
	for _, server := range l.resolvers {
		answer, err := ask(ctx, server, fqdn, rrtype)
		if err == nil && answer.Rcode != dns.RcodeSuccess && answer.Rcode != dns.RcodeNameError {
			err = fmt.Errorf("resolver %s answers %s for %s", server, dns.RcodeToString[answer.Rcode], fqdn)
		}
		if err == nil {
			return answer, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// ask sends one question over UDP, twice if need be, and over TCP if the answer is too long.
func ask(ctx context.Context, server, fqdn string, rrtype uint16) (*dns.Msg, error) {
	question := new(dns.Msg).SetQuestion(fqdn, rrtype)
	question.SetEdns0(dns.DefaultMsgSize, false)
	var failure error
	for _, network := range []string{"udp", "udp", "tcp"} {
		client := &dns.Client{Net: network, Timeout: queryTime}
		answer, _, err := client.ExchangeContext(ctx, question, server)
		if err == nil && !(answer.Truncated && network == "udp") {
			return answer, nil
		}
		failure = err
	}
	return nil, fmt.Errorf("name server %s does not answer: %w", server, failure)
}
