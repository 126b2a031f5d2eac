package acme

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"
	"github.com/go-acme/lego/v4/certificate"
)

// How often the authority is asked whether it is done, at first and at most, and how long it may take altogether.
const (
	firstPoll  = 500 * time.Millisecond
	longPoll   = 5 * time.Second
	caPatience = 5 * time.Minute
)

// place takes up the pending order for the same names or places a new one. A pending order keeps its challenges, so the
// records that a person entered for it still count, and those that a killed run left behind are found and removed.
func (s *session) place(ctx context.Context) (placed, error) {
	if old, ok := s.pending(); ok {
		s.order.Progress("taking up the order that an earlier run placed")
		return old, nil
	}
	options := &api.OrderOptions{}
	if len(s.order.Replaces) > 0 {
		id, err := certificateID(s.order.Replaces)
		if err != nil {
			return placed{}, err
		}
		options.ReplacesCertID = id
	}
	made, err := s.core.Orders.NewWithOptions(s.order.Names, options)
	var refused *acme.ProblemDetails
	if options.ReplacesCertID != "" && errors.As(err, &refused) {
		// The authority need not take the old certificate for ours (RFC 9773 section 5): that of a lost account, say.
		made, err = s.core.Orders.NewWithOptions(s.order.Names, &api.OrderOptions{})
	}
	if err != nil {
		return placed{}, fmt.Errorf("order a certificate for %s: %w", strings.Join(s.order.Names, ", "), explain(err))
	}
	s.account.Pending = &Pending{Names: s.order.Names, URL: made.Location}
	s.order.Progress("ordered a certificate for " + strings.Join(s.order.Names, ", "))
	return placed{Order: made.Order, url: made.Location}, s.save(ctx)
}

// pending asks for the order kept with the account. One that is done, failed, expired or unknown is no use: its
// certificate belongs to a key that is gone.
func (s *session) pending() (placed, bool) {
	kept := s.account.Pending
	if kept == nil || !sameNames(kept.Names, s.order.Names) {
		return placed{}, false
	}
	order, err := s.core.Orders.Get(kept.URL)
	if err != nil {
		return placed{}, false
	}
	usable := order.Status == acme.StatusPending || order.Status == acme.StatusReady
	return placed{Order: order.Order, url: kept.URL}, usable
}

// issue proves control over the names and fetches the certificate.
func (s *session) issue(ctx context.Context, order placed) (*Certificate, error) {
	if order.Status == acme.StatusPending {
		records, err := s.records(ctx, order)
		if err != nil {
			return nil, err
		}
		if err := s.solve(ctx, records); err != nil {
			return nil, err
		}
	}
	chain, key, err := s.finalize(ctx, order)
	if err != nil {
		return nil, err
	}
	info, err := Inspect(chain, []byte(key))
	if err != nil {
		return nil, fmt.Errorf("the certificate authority's answer: %w", err)
	}
	if missing := info.Missing(s.order.Names); len(missing) > 0 {
		return nil, fmt.Errorf("the certificate authority left out %s", strings.Join(missing, ", "))
	}
	s.order.Progress("the certificate was issued by " + info.Issuer + " and is good until " + info.NotAfter.UTC().Format(time.DateOnly))
	return &Certificate{Chain: chain, Key: []byte(key), Account: s.account, Info: info}, nil
}

// finalize hands in a request with a new key and waits for the certificate (RFC 8555 section 7.4).
func (s *session) finalize(ctx context.Context, order placed) (chain []byte, key string, err error) {
	signer, key, err := newKeyOf(s.order.KeyType)
	if err != nil {
		return nil, "", err
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: s.order.Names}, signer)
	if err != nil {
		return nil, "", fmt.Errorf("make a certificate request: %w", err)
	}
	if _, err := s.core.Orders.UpdateForCSR(order.Finalize, request); err != nil {
		return nil, "", fmt.Errorf("finish the order: %w", explain(err))
	}
	var link string
	err = poll(ctx, "the certificate to be issued", func() (bool, error) {
		now, err := s.core.Orders.Get(order.url)
		switch {
		case err != nil:
			return false, err
		case now.Status == acme.StatusInvalid:
			return false, errors.Join(errors.New("the order failed"), now.Err())
		}
		link = now.Certificate
		return now.Status == acme.StatusValid, nil
	})
	if err != nil {
		return nil, "", fmt.Errorf("finish the order: %w", explain(err))
	}
	chain, err = s.chain(link)
	if err != nil {
		return nil, "", fmt.Errorf("fetch the certificate: %w", explain(err))
	}
	return chain, key, nil
}

// chain fetches the certificate with the preferred chain, or with the one that the authority gives by itself.
func (s *session) chain(link string) ([]byte, error) {
	if s.order.PreferredChain == "" {
		chain, _, err := s.core.Certificates.Get(link, true)
		return chain, err
	}
	all, err := s.core.Certificates.GetAll(link, true)
	if err != nil {
		return nil, err
	}
	var offered []string
	for _, address := range slices.Sorted(maps.Keys(all)) {
		certificates, err := parseCertificates(all[address].Cert)
		if err != nil {
			return nil, err
		}
		root := certificates[len(certificates)-1].Issuer.CommonName
		if root == s.order.PreferredChain {
			return all[address].Cert, nil
		}
		offered = append(offered, root)
	}
	s.order.Notice(fmt.Sprintf("the certificate authority has no chain that leads to %q (tls.acme.preferredChain), it offers %s: its own choice was taken", s.order.PreferredChain, strings.Join(offered, ", ")))
	return all[link].Cert, nil
}

// poll asks the authority again and again, at growing intervals, until it is done.
func poll(ctx context.Context, what string, done func() (bool, error)) error {
	interval, deadline := firstPoll, time.Now().Add(caPatience)
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %s for %s; the same command goes on with this order", caPatience, what)
		}
		if err := pause(ctx, interval); err != nil {
			return err
		}
		interval = min(2*interval, longPoll)
	}
}

// pause waits, or returns why the context ended.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// certificateID is how an authority knows a certificate again (RFC 9773 section 4.1).
func certificateID(chain []byte) (string, error) {
	certificates, err := parseCertificates(chain)
	if err != nil {
		return "", fmt.Errorf("the certificate to replace: %w", err)
	}
	id, err := certificate.MakeARICertID(certificates[0])
	if err != nil {
		return "", fmt.Errorf("the certificate to replace: %w", err)
	}
	return id, nil
}
