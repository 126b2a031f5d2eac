package vault

import (
	"context"
	"errors"
	"fmt"
)

// Rights are the ways to a session, tried in their order: a token given by hand, the realm's service account, the keys.
type Rights struct {
	Client *Client
	// Token given by hand, for a Vault that others run; empty for none. It is used as it is and not revoked.
	Token Secret
	// JWT gives a token of the service account of Setup.Operator, which logs in at AuthPath as Role; nil for none.
	JWT            func(context.Context) (Secret, error)
	AuthPath, Role string
	// Keys opens the key file; it is called only when no other way is left. nil for none.
	Keys func(context.Context) (Opened, error)
	// Policy is the text of OperatorPolicy, see Setup.OperatorPolicyText.
	Policy string
	// Report gets a line when a root token is made; it may be nil.
	Report func(string)
}

// Open opens a session by the first way that leads to one. A root token that had to be made for it is revoked at once.
func (r Rights) Open(ctx context.Context) (*Session, error) {
	if !r.Token.Empty() {
		return &Session{Client: r.Client.WithToken(r.Token), lent: true}, nil
	}
	var loginErr error
	if r.JWT != nil {
		session, err := r.login(ctx)
		if err == nil || r.Keys == nil || errors.Is(err, ErrSealed) || errors.Is(err, ErrNotInitialised) {
			return session, err
		}
		loginErr = fmt.Errorf("before that, %w", err)
	}
	if r.Keys == nil {
		return nil, errors.New("no rights on vault: give its key file, or a token that may configure it")
	}
	session, err := r.fromKeys(ctx)
	if err != nil {
		return nil, errors.Join(err, loginErr)
	}
	return session, nil
}

func (r Rights) login(ctx context.Context) (*Session, error) {
	jwt, err := r.JWT(ctx)
	if err != nil {
		return nil, fmt.Errorf("token of the service account: %w", err)
	}
	return r.Client.Login(ctx, r.AuthPath, r.Role, jwt)
}

func (r Rights) fromKeys(ctx context.Context) (*Session, error) {
	opened, err := r.Keys(ctx)
	if err != nil {
		return nil, err
	}
	root, err := r.Client.Root(ctx, opened, r.Report)
	if err != nil {
		return nil, err
	}
	session, err := r.Client.OpenSession(ctx, root, OperatorPolicy, r.Policy)
	if !root.Equal(opened.RootToken) {
		err = errors.Join(err, r.Client.WithToken(root).RevokeSelf(context.WithoutCancel(ctx)))
	}
	if err != nil {
		return nil, err
	}
	return session, nil
}

// Retire revokes the root token and takes it out of the document, once all stands. Key shares, or the realm's service
// account, give rights from then on. Done before is no error.
func (c *Client) Retire(ctx context.Context, keeper Keeper, opened Opened) error {
	if opened.RootToken.Empty() {
		return nil
	}
	if err := c.WithToken(opened.RootToken).RevokeSelf(ctx); err != nil {
		return err
	}
	return ForgetRootToken(ctx, keeper)
}
