package acme

import (
	"context"
	"crypto"
	"errors"
	"fmt"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"
)

// session is one order in the making.
type session struct {
	order    Order
	account  Account
	core     *api.Core
	provider *provider
	lookup   *lookup
}

// placed is an order at the server.
type placed struct {
	acme.Order
	url string
}

// begin opens a session and places the order. An account that the server doesn't know any more is registered again,
// with the same key.
func begin(ctx context.Context, o Order) (*session, placed, error) {
	s, err := open(ctx, o)
	if err != nil {
		return nil, placed{}, err
	}
	order, err := s.place(ctx)
	if !isProblem(err, "accountDoesNotExist") || o.Account.URI == "" {
		return s, order, err
	}
	o.Notice("the certificate authority does not know our account any more; registering it again")
	o.Account.URI, o.Account.Pending = "", nil
	if s, err = open(ctx, o); err != nil {
		return nil, placed{}, err
	}
	order, err = s.place(ctx)
	return s, order, err
}

// open connects with the order's account, and registers it if it is new.
func open(ctx context.Context, o Order) (*session, error) {
	s := &session{order: o, account: o.Account}
	if s.account.Directory != o.Directory {
		s.account = Account{Directory: o.Directory, Email: o.Email}
	}
	key, err := s.key(ctx)
	if err != nil {
		return nil, err
	}
	if s.core, err = connect(ctx, o.Directory, o.CAPEM, s.account.URI, key); err != nil {
		return nil, err
	}
	if s.account.URI != "" {
		return s, nil
	}
	return s, s.register(ctx)
}

// key reads the account's key or makes one. A new key is kept before the server hears of it: registering the same key
// twice gives the same account (RFC 8555 section 7.3.1), so a run killed in between loses none.
func (s *session) key(ctx context.Context) (crypto.Signer, error) {
	if s.account.Key != "" {
		key, err := parseKey([]byte(s.account.Key))
		if err != nil {
			return nil, fmt.Errorf("the key of the ACME account: %w", err)
		}
		return key, nil
	}
	key, text, err := newKey()
	if err != nil {
		return nil, err
	}
	s.account.Key = text
	return key, s.save(ctx)
}

func (s *session) register(ctx context.Context) error {
	meta := s.core.GetDirectory().Meta
	eab := s.order.EAB
	if meta.ExternalAccountRequired && eab.KeyID == "" {
		return errors.New("the certificate authority takes only accounts bound to one of its own (RFC 8555 section 7.3.4): ask it for a key identifier and an HMAC key; set the first as tls.acme.eab.kid, and give the second in a Secret that tls.acme.eab.hmacSecret names or as ACME_EAB_HMAC in the environment (external account binding)")
	}
	request := acme.Account{TermsOfServiceAgreed: true, Contact: []string{}}
	if s.order.Email != "" {
		request.Contact = []string{"mailto:" + s.order.Email}
	}
	made, err := s.newAccount(request, eab)
	if err != nil {
		return fmt.Errorf("register an account at %s: %w", s.order.Directory, explain(err))
	}
	s.account.URI, s.account.Email = made.Location, s.order.Email
	agreed := ""
	if meta.TermsOfService != "" {
		agreed = ", agreeing to its terms of service: " + meta.TermsOfService
	}
	s.order.Notice("registered an account at " + s.order.Directory + agreed)
	return s.save(ctx)
}

func (s *session) newAccount(request acme.Account, eab EAB) (acme.ExtendedAccount, error) {
	if eab.KeyID == "" {
		return s.core.Accounts.New(request)
	}
	return s.core.Accounts.NewEAB(request, eab.KeyID, eab.HMAC)
}

func (s *session) save(ctx context.Context) error {
	if s.order.Save == nil {
		return nil
	}
	if err := s.order.Save(ctx, s.account); err != nil {
		return fmt.Errorf("keep the ACME account: %w", err)
	}
	return nil
}
