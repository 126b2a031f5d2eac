// Package dnsserver is an authoritative DNS server for one zone that takes dynamic updates (RFC 2136) signed with TSIG
// (RFC 8945). It exists so that DNS-01 challenges, record printing and "is it visible yet" waits are tested on real queries.
//
// It keeps its zone in memory, has no delegation and no zone transfer, and takes no update that is not signed.
package dnsserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"

	"github.com/miekg/dns"
)

// Config says what a Server answers for. Zone is required, everything else has a default.
type Config struct {
	// Zone is the name of the zone, for instance "demo.test".
	Zone string
	// Listen holds host:port addresses; each is served over UDP and TCP. Port 0 takes a free one.
	// Default: 127.0.0.1:0.
	Listen []string
	// NSAddress is the IPv4 or IPv6 address of the zone's name server "ns.<zone>". Clients that ask the zone's
	// authoritative servers ask there, on port 53. Default: 127.0.0.1.
	NSAddress string
	// Keys holds TSIG secrets, base64, by key name. Without one every update is refused.
	Keys map[string]string
	// Records are there from the start, in zone file form: "www.demo.test. 60 IN A 192.0.2.1".
	Records []string
}

// Server is a running DNS server. Make one with Start.
type Server struct {
	zone    *zone
	servers []*dns.Server
	addrs   []string
	queries atomic.Int64
	updates atomic.Int64
}

// Start listens on every address of the configuration, over UDP and TCP, and serves until Close. It returns once all
// of them answer, or with the first error, or when the context ends.
func Start(ctx context.Context, c Config) (*Server, error) {
	z, err := newZone(c)
	if err != nil {
		return nil, err
	}
	s := &Server{zone: z}
	listen := c.Listen
	if len(listen) == 0 {
		listen = []string{"127.0.0.1:0"}
	}
	for _, addr := range listen {
		if err := s.listen(ctx, addr, canonicalKeys(c.Keys)); err != nil {
			return nil, errors.Join(fmt.Errorf("serve zone %s on %s: %w", z.apex, addr, err), s.Close())
		}
	}
	return s, nil
}

// listen serves one address over UDP and TCP on the same port.
func (s *Server) listen(ctx context.Context, addr string, keys map[string]string) error {
	pc, l, err := bind(ctx, addr)
	if err != nil {
		return err
	}
	s.addrs = append(s.addrs, pc.LocalAddr().String())
	for _, srv := range []*dns.Server{{PacketConn: pc}, {Listener: l}} {
		srv.Handler = dns.HandlerFunc(s.serve)
		srv.TsigSecret = keys
		srv.MsgAcceptFunc = accept
		srv.UDPSize = dns.DefaultMsgSize
		if err := s.run(ctx, srv); err != nil {
			return err
		}
	}
	return nil
}

// bind takes a port for both UDP and TCP. One that the system gives for UDP may be taken for TCP: then another is tried.
func bind(ctx context.Context, addr string) (net.PacketConn, net.Listener, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, nil, err
	}
	var lc net.ListenConfig
	for attempt := 0; ; attempt++ {
		pc, err := lc.ListenPacket(ctx, "udp", addr)
		if err != nil {
			return nil, nil, err
		}
		l, err := lc.Listen(ctx, "tcp", pc.LocalAddr().String())
		if err == nil {
			return pc, l, nil
		}
		err = errors.Join(err, pc.Close())
		if port != "0" || attempt == 20 {
			return nil, nil, err
		}
	}
}

// run starts one listener's loop and waits until it runs, so that Close never comes before it.
func (s *Server) run(ctx context.Context, srv *dns.Server) error {
	started, failed := make(chan struct{}), make(chan error, 1)
	srv.NotifyStartedFunc = func() { close(started) }
	go func() { failed <- srv.ActivateAndServe() }()
	select {
	case <-started:
		s.servers = append(s.servers, srv)
		return nil
	case err := <-failed:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close stops serving and frees the ports.
func (s *Server) Close() error {
	var errs []error
	for _, srv := range s.servers {
		errs = append(errs, srv.Shutdown())
	}
	s.servers = nil
	return errors.Join(errs...)
}

// Addr is the first address served, host:port, the same for UDP and TCP.
func (s *Server) Addr() string { return s.addrs[0] }

// Queries counts the queries answered since Start.
func (s *Server) Queries() int { return int(s.queries.Load()) }

// Updates counts the updates accepted since Start.
func (s *Server) Updates() int { return int(s.updates.Load()) }

// Records returns the records stored at exactly this name and type (no wildcard, no CNAME followed), in zone file form.
func (s *Server) Records(name string, rrtype uint16) []string {
	var out []string
	for _, rr := range s.zone.at(dns.CanonicalName(name), rrtype) {
		out = append(out, rr.String())
	}
	return out
}

func (s *Server) serve(w dns.ResponseWriter, r *dns.Msg) {
	m := new(dns.Msg)
	m.SetReply(r)
	switch r.Opcode {
	case dns.OpcodeQuery:
		s.queries.Add(1)
		s.zone.answer(m, r.Question[0])
	case dns.OpcodeUpdate:
		m.Rcode = s.update(w, r)
	default:
		m.Rcode = dns.RcodeNotImplemented
	}
	if o := r.IsEdns0(); o != nil {
		m.SetEdns0(dns.DefaultMsgSize, o.Do())
	}
	if w.LocalAddr().Network() == "udp" {
		m.Truncate(udpSize(r))
	}
	if t := r.IsTsig(); t != nil && w.TsigStatus() == nil {
		m.SetTsig(t.Hdr.Name, t.Algorithm, 300, int64(t.TimeSigned))
	}
	// A client that went away is not our failure, and there is no one left to tell.
	_ = w.WriteMsg(m)
}

// update refuses what is not signed with a known key (RFC 3007 section 2) and counts what was done.
func (s *Server) update(w dns.ResponseWriter, r *dns.Msg) int {
	if r.IsTsig() == nil {
		return dns.RcodeRefused
	}
	if w.TsigStatus() != nil {
		return dns.RcodeNotAuth
	}
	rcode := s.zone.update(r)
	if rcode == dns.RcodeSuccess {
		s.updates.Add(1)
	}
	return rcode
}

// accept lets updates through, which the library's own filter does not.
func accept(h dns.Header) dns.MsgAcceptAction {
	opcode, isResponse := int(h.Bits>>11)&0xF, h.Bits&(1<<15) != 0
	if opcode == dns.OpcodeUpdate && !isResponse && h.Qdcount == 1 {
		return dns.MsgAccept
	}
	return dns.DefaultMsgAcceptFunc(h)
}

func udpSize(r *dns.Msg) int {
	if o := r.IsEdns0(); o != nil && o.UDPSize() > dns.MinMsgSize {
		return int(o.UDPSize())
	}
	return dns.MinMsgSize
}

func canonicalKeys(keys map[string]string) map[string]string {
	out := make(map[string]string, len(keys))
	for name, secret := range keys {
		out[dns.CanonicalName(name)] = strings.TrimSpace(secret)
	}
	return out
}
