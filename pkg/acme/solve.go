package acme

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/challenge"
)

// record is the TXT record that proves control over one name (RFC 8555 section 8.4).
type record struct {
	name  string // as on the certificate: *.lab.example.org
	fqdn  string // where the record goes, CNAMEs followed
	value string

	domain, token, keyAuth string // what a provider of lego is given
	challenge, authz       string // URLs
}

// line is the record as it stands in a zone file.
func (r record) line() string { return fmt.Sprintf("%s 60 IN TXT %q", r.fqdn, r.value) }

// records asks what is to be proven. Names that were proven a short while ago may need nothing.
func (s *session) records(ctx context.Context, order placed) ([]record, error) {
	var todo []record
	for _, link := range order.Authorizations {
		authz, err := s.core.Authorizations.Get(link)
		if err != nil {
			return nil, fmt.Errorf("ask what has to be proven: %w", explain(err))
		}
		if authz.Status == acme.StatusValid {
			continue
		}
		r, err := s.record(ctx, link, authz)
		if err != nil {
			return nil, err
		}
		todo = append(todo, r)
	}
	// Authorities list them in any order; people see the same one each time.
	position := func(r record) int { return slices.Index(s.order.Names, r.name) }
	slices.SortFunc(todo, func(a, b record) int { return position(a) - position(b) })
	return todo, nil
}

func (s *session) record(ctx context.Context, link string, authz acme.Authorization) (record, error) {
	name := challenge.GetTargetedDomain(authz)
	asked, err := challenge.FindChallenge(challenge.DNS01, authz)
	if err != nil {
		return record{}, fmt.Errorf("the certificate authority offers no DNS-01 challenge for %s", name)
	}
	keyAuth, err := s.core.GetKeyAuthorization(asked.Token)
	if err != nil {
		return record{}, fmt.Errorf("answer the challenge for %s: %w", name, err)
	}
	sum := sha256.Sum256([]byte(keyAuth))
	return record{
		name:      name,
		fqdn:      s.lookup.follow(ctx, "_acme-challenge."+authz.Identifier.Value+"."),
		value:     base64.RawURLEncoding.EncodeToString(sum[:]),
		domain:    authz.Identifier.Value,
		token:     asked.Token,
		keyAuth:   keyAuth,
		challenge: asked.URL,
		authz:     link,
	}, nil
}

// solve puts the records into DNS, has them checked, and takes them away again, whatever happens in between.
func (s *session) solve(ctx context.Context, todo []record) (err error) {
	made := &cleaner{provider: s.provider}
	defer func() { err = s.cleanUp(ctx, made, err) }()
	wait, oneByOne := s.provider.sequential()
	if !oneByOne {
		return s.prove(ctx, made, todo)
	}
	for i, r := range todo {
		// The pause is for caches that still hold the value before this one; another name has none.
		if i > 0 && r.fqdn == todo[i-1].fqdn {
			s.order.Progress(fmt.Sprintf("waiting %s before the next record at the same name", wait))
			if err := pause(ctx, wait); err != nil {
				return err
			}
		}
		if err := s.prove(ctx, made, []record{r}); err != nil {
			return err
		}
		if err := s.cleanUp(ctx, made, nil); err != nil {
			return err
		}
	}
	return nil
}

// cleanUp removes what was made. A record that stays is part of a failure; after a success it is only told, because
// the certificate is worth more.
func (s *session) cleanUp(ctx context.Context, made *cleaner, failure error) error {
	left := made.finish(ctx, failure)
	if left != nil && failure == nil {
		s.order.Notice(left.Error())
		return nil
	}
	return errors.Join(failure, left)
}

// prove takes some names through the challenge: records, visibility, validation.
func (s *session) prove(ctx context.Context, made *cleaner, todo []record) error {
	for _, r := range todo {
		made.remember(r)
		if err := s.provider.present(ctx, r); err != nil {
			return err
		}
		s.order.Progress("TXT record " + r.fqdn + " is set")
	}
	for _, r := range todo {
		if err := s.awaitRecord(ctx, r); err != nil {
			return err
		}
	}
	for _, r := range todo {
		if _, err := s.core.Challenges.New(r.challenge); err != nil {
			return fmt.Errorf("have %s validated: %w", r.name, explain(err))
		}
	}
	var errs []error
	for _, r := range todo {
		errs = append(errs, s.awaitValidation(ctx, r))
	}
	return errors.Join(errs...)
}

// awaitRecord waits until the record is seen everywhere, and tells who doesn't have it each time that this changes.
func (s *session) awaitRecord(ctx context.Context, r record) error {
	timeout, interval := s.provider.timeout()
	deadline, told := time.Now().Add(timeout), ""
	for {
		lacking := s.lookup.lacking(ctx, r.fqdn, r.value)
		if lacking == "" {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the TXT record %s was set, but is not visible after %s: %s; if the zone's servers are slow, raise %s",
				r.fqdn, timeout, lacking, s.provider.timeoutVariable())
		}
		if lacking != told {
			s.order.Progress("waiting for " + r.fqdn + ": " + lacking)
			told = lacking
		}
		if err := pause(ctx, interval); err != nil {
			return err
		}
	}
}

// awaitValidation waits for the authority's verdict on one name.
func (s *session) awaitValidation(ctx context.Context, r record) error {
	err := poll(ctx, r.name+" to be validated", func() (bool, error) {
		authz, err := s.core.Authorizations.Get(r.authz)
		if err != nil {
			return false, err
		}
		switch authz.Status {
		case acme.StatusValid:
			return true, nil
		case acme.StatusPending, acme.StatusProcessing:
			return false, nil
		default:
			return false, verdict(authz)
		}
	})
	if err != nil {
		return fmt.Errorf("the certificate authority did not validate %s: %w", r.name, explain(err))
	}
	return nil
}

// verdict finds the problem document of a failed authorization.
func verdict(authz acme.Authorization) error {
	for _, c := range authz.Challenges {
		if c.Error != nil {
			return c.Error
		}
	}
	return errors.New("it gives no reason, only the status " + authz.Status)
}

// cleaner remembers the records that were given to a provider and takes them away.
type cleaner struct {
	provider *provider
	records  []record
}

// cleanupTime bounds the removal of all records, in which the user may be waiting after Ctrl-C.
const cleanupTime = 90 * time.Second

// remember comes before the provider is called: one that crashes or is interrupted may have made the record.
func (c *cleaner) remember(r record) { c.records = append(c.records, r) }

// finish removes every record, under a context of its own because the order's may have ended. A provider that refused
// to set a record made none, so its refusal to remove it is not told again.
func (c *cleaner) finish(ctx context.Context, failure error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	var left []string
	var errs []error
	var refused *refusedError
	errors.As(failure, &refused)
	for _, r := range c.records {
		if err := c.provider.cleanUp(ctx, r, failure == nil); err != nil && (refused == nil || refused.record != r) {
			left, errs = append(left, r.line()), append(errs, err)
		}
	}
	c.records = nil
	if len(left) == 0 {
		return nil
	}
	return fmt.Errorf("these TXT records could not be removed, take them out by hand: %s: %w", strings.Join(left, "; "), errors.Join(errs...))
}
