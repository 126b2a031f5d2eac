package acme

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
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
		return old, s.ready(ctx, old)
	}
	pending, err := s.newPending()
	if err != nil {
		return placed{}, err
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
	pending.URL = made.Location
	s.account.Pending = pending
	s.order.Progress("ordered a certificate for " + strings.Join(s.order.Names, ", "))
	return placed{Order: made.Order, url: made.Location}, s.save(ctx)
}

// newPending makes the key of a certificate and the request for it. They are kept before they are handed in, so that no
// certificate belongs to a key that is gone.
func (s *session) newPending() (*Pending, error) {
	signer, key, err := newKeyOf(s.order.KeyType)
	if err != nil {
		return nil, err
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: s.order.Names}, signer)
	if err != nil {
		return nil, fmt.Errorf("make a certificate request: %w", err)
	}
	return &Pending{Names: s.order.Names, KeyType: s.order.KeyType, Key: key, Request: request}, nil
}

// ready gives an order that is not finished the key that is wanted now: one that was placed by an older version has none.
func (s *session) ready(ctx context.Context, old placed) error {
	kept := s.account.Pending
	if finished(old) || kept.Key != "" && kept.KeyType == s.order.KeyType {
		return nil
	}
	pending, err := s.newPending()
	if err != nil {
		return err
	}
	pending.URL = old.url
	s.account.Pending = pending
	return s.save(ctx)
}

// finished reports whether the request for the certificate was handed in.
func finished(p placed) bool {
	return p.Status == acme.StatusProcessing || p.Status == acme.StatusValid
}

// pending asks for the order kept with the account. One that failed, expired or is unknown is no use, nor is one whose
// certificate belongs to another kind of key, or was put in place already.
func (s *session) pending() (placed, bool) {
	kept := s.account.Pending
	if kept == nil || !sameNames(kept.Names, s.order.Names) {
		return placed{}, false
	}
	order, err := s.core.Orders.Get(kept.URL)
	if err != nil {
		return placed{}, false
	}
	old := placed{Order: order.Order, url: kept.URL}
	if !finished(old) {
		return old, order.Status == acme.StatusPending || order.Status == acme.StatusReady
	}
	if kept.Key == "" || kept.KeyType != s.order.KeyType {
		return placed{}, false
	}
	return old, order.Status == acme.StatusProcessing || s.unused(order.Certificate, kept.Key)
}

// unused reports whether the certificate of a finished order is a good one and not the one that is to be replaced.
func (s *session) unused(link, key string) bool {
	chain, err := s.chain(link)
	if err != nil {
		return false
	}
	info, err := Inspect(chain, []byte(key))
	if err != nil || !info.KeyMatches {
		return false
	}
	if due, _ := Due(info, time.Now()); due {
		return false
	}
	leaf, _ := pem.Decode(chain)
	old, _ := pem.Decode(s.order.Replaces)
	return old == nil || leaf == nil || !bytes.Equal(leaf.Bytes, old.Bytes)
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

// finalize hands in the request, unless that was done before, and waits for the certificate (RFC 8555 section 7.4).
func (s *session) finalize(ctx context.Context, order placed) (chain []byte, key string, err error) {
	pending := s.account.Pending
	if !finished(order) {
		if _, err := s.core.Orders.UpdateForCSR(order.Finalize, pending.Request); err != nil {
			return nil, "", fmt.Errorf("finish the order: %w", explain(err))
		}
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
	return chain, pending.Key, nil
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
