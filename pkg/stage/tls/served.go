package tls

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// ServedID is the certificate as clients get it.
const ServedID engine.ID = "certificate.tls/served"

const (
	// handshakeTime bounds one handshake. Where the controller cannot be reached from here it is waited for once.
	handshakeTime = 3 * time.Second
	// reloadTime is how long a controller may take to serve a new certificate; ours take seconds.
	reloadTime = time.Minute
	// probeLabel stands for any service below the lab domain.
	probeLabel = "kubectl-onyxia-probe"
)

// served is the certificate that the ingress controller answers with, which need not be the one in the Secret: the datalab's
// Ingresses name no Secret, so it has to be the controller's default certificate. It is looked at from outside, by a TLS
// handshake, because that is the same for every controller.
type served struct {
	env   stage.Env
	place place
	port  string
	// limit of one handshake.
	limit time.Duration
	// onThisMachine also asks addresses that lead to this machine itself.
	onThisMachine bool
}

var (
	_ engine.Resource[servedSeen] = (*served)(nil)
	_ engine.Waiter               = (*served)(nil)
	_ engine.Patient              = (*served)(nil)
)

func servedStep(env stage.Env, b base) engine.Step {
	return engine.New(ServedID, &served{env: env, place: b.place, port: "443", limit: handshakeTime}, stage.CertificateID, stage.AddressID)
}

// servedSeen is what was seen of the certificate from outside.
type servedSeen struct {
	// Unseen is why nothing could be seen.
	Unseen string
	// Wrong says what is served in the place of the certificate; empty if that is served.
	Wrong string
	// Fix says what to do about it.
	Fix string
	// Other says that another certificate is served, which clients trust as well.
	Other bool
}

// Observe asks for both names. That nobody can be asked is no trouble: the address may be one that only others reach.
func (s *served) Observe(ctx context.Context) (servedSeen, error) {
	held, err := s.place.read(ctx)
	if err = ignoreNotYet(err); err != nil {
		return servedSeen{}, err
	}
	if !held.Exists || held.Broken != "" {
		return servedSeen{}, &engine.NotYetError{After: stage.CertificateID}
	}
	addresses, err := s.env.Links.Address.Get()
	if err != nil {
		return servedSeen{Unseen: "the ingress controller has no address yet"}, nil
	}
	var seen servedSeen
	for _, host := range []string{s.env.Platform.OnyxiaHost(), probeLabel + "." + s.env.Platform.LabDomain()} {
		chain, err := s.ask(ctx, addresses, host)
		if ctx.Err() != nil {
			return servedSeen{}, context.Cause(ctx)
		}
		if err != nil {
			return s.unseen(err), nil
		}
		switch {
		case sameLeaf(held.chain(), chain[0]):
		case s.trusts(chain, host):
			seen.Other = true
		default:
			fix, err := s.fix(ctx)
			return servedSeen{Wrong: wrong(host, chain[0], s.place), Fix: fix}, err
		}
	}
	return seen, nil
}

func wrong(host string, got *x509.Certificate, want place) string {
	by := got.Issuer.CommonName
	if by == "" {
		by = strings.Join(got.Issuer.Organization, ", ")
	}
	return fmt.Sprintf("the ingress controller answers for %s with a certificate of %q, and not with that of secret %s", host, by, want)
}

// unseen is told where somebody else runs the controller: nobody has set its default certificate for us.
func (s *served) unseen(err error) servedSeen {
	if s.env.Platform.Ingress.Existing() {
		s.env.Warn(fmt.Sprintf("it cannot be seen from here which certificate the ingress controller serves (%s): make sure that it is that of secret %s, because the datalab's Ingresses name none", err, s.place))
	}
	return servedSeen{Unseen: err.Error()}
}

// ask makes a handshake with the first address that takes one, and returns the certificates that came.
func (s *served) ask(ctx context.Context, addresses []kube.Address, host string) ([]*x509.Certificate, error) {
	var errs []error
	for _, a := range addresses {
		if a.Scope() == kube.Local && !s.onThisMachine {
			errs = append(errs, fmt.Errorf("%s leads to this machine only", a))
			continue
		}
		chain, err := s.handshake(ctx, net.JoinHostPort(a.String(), s.port), host)
		if err == nil {
			return chain, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// handshake takes whatever certificate comes: nothing is sent to whoever has it.
func (s *served) handshake(ctx context.Context, address, host string) ([]*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{ServerName: host, InsecureSkipVerify: true}}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	secure, ok := conn.(*tls.Conn)
	if !ok || len(secure.ConnectionState().PeerCertificates) == 0 {
		return nil, fmt.Errorf("%s has no certificate", address)
	}
	return secure.ConnectionState().PeerCertificates, nil
}

func sameLeaf(wanted []byte, got *x509.Certificate) bool {
	block, _ := pem.Decode(wanted)
	return block != nil && bytes.Equal(block.Bytes, got.Raw)
}

// trusts tells whether clients take a certificate although it is not ours: a load balancer or a proxy may bring its own.
func (s *served) trusts(chain []*x509.Certificate, host string) bool {
	roots, err := platform.Roots(s.env.Platform.CAPEM)
	if err != nil {
		return false
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err = chain[0].Verify(x509.VerifyOptions{DNSName: host, Roots: roots, Intermediates: between})
	return err == nil
}

// Plan waits as long as something else is served.
func (s *served) Plan(seen servedSeen) engine.Change {
	switch {
	case seen.Wrong != "":
		return engine.Change{Action: engine.Pending, Why: seen.Wrong, Fix: seen.Fix}
	case seen.Unseen != "":
		return engine.Change{Action: engine.Unchanged, Why: "not looked at: " + seen.Unseen}
	case seen.Other:
		return engine.Change{Action: engine.Unchanged, Why: "another certificate is served, which clients trust"}
	}
	return engine.Change{Action: engine.Unchanged}
}

// Apply has nothing to write.
func (s *served) Apply(context.Context, servedSeen) error { return nil }

// Ready is the same question.
func (s *served) Ready(ctx context.Context) (engine.Health, error) {
	seen, err := s.Observe(ctx)
	if err != nil || seen.Wrong == "" {
		return engine.Health{Ready: err == nil}, err
	}
	return engine.Health{Reason: seen.Wrong + "; " + seen.Fix}, nil
}

// Patience is what a controller needs to take up a certificate. If it has not by then, somebody has to tell it to.
func (s *served) Patience() time.Duration { return reloadTime }
