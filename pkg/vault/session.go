package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// SessionTime is how long a session's token lives if nobody revokes it.
const SessionTime = 15 * time.Minute

// OperatorPolicy is the name of the policy that a session's token has.
const OperatorPolicy = "onyxia-operator"

// Session is a short-lived token with the rights of one policy.
type Session struct {
	// Client carries the token.
	Client *Client
	// left says that closing leaves the token alone: it is somebody else's to revoke, or ends by itself only.
	left bool
}

// OpenSession makes a short-lived token with the named policy, writing the policy first if it is not there as given. The
// root token makes it and is not its parent, so the root token may be revoked while the session goes on. If this program
// is killed, the token ends by itself after SessionTime.
func (c *Client) OpenSession(ctx context.Context, root Secret, name, policy string) (*Session, error) {
	as := c.WithToken(root)
	seen, err := as.policy(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("policy %s of the session: %w", name, err)
	}
	if seen == nil || *seen != policy {
		if err := as.writePolicy(ctx, name, policy); err != nil {
			return nil, fmt.Errorf("policy %s of the session: %w", name, err)
		}
	}
	ttl := SessionTime.String()
	in := map[string]any{
		"policies": []string{name}, "ttl": ttl, "explicit_max_ttl": ttl, "renewable": false, "display_name": "kubectl-onyxia",
	}
	session, err := as.sessionFrom(ctx, "auth/token/create-orphan", in)
	if err != nil {
		return nil, fmt.Errorf("token of the session: %w", err)
	}
	return session, nil
}

// SessionByKeys opens a session with OperatorPolicy, whose text is given, by the keys: their root token, or else one that
// is made from the shares where makesRoot leads, and revoked at once. If this program is killed between the two, that root
// token stays in Vault and nobody knows it: it was shown to this process only.
func (c *Client) SessionByKeys(ctx context.Context, makesRoot *Client, keys DecryptedKeys, policy string, report func(string)) (*Session, error) {
	root := keys.RootToken
	lives := false
	if !root.Empty() {
		var err error
		if lives, err = c.WithToken(root).Lives(ctx); err != nil {
			return nil, err
		}
	}
	if lives {
		return c.OpenSession(ctx, root, OperatorPolicy, policy)
	}
	root, err := makesRoot.GenerateRoot(ctx, SharesOf(keys), report)
	if err != nil {
		return nil, err
	}
	session, err := c.OpenSession(ctx, root, OperatorPolicy, policy)
	if err = errors.Join(err, c.WithToken(root).RevokeSelf(context.WithoutCancel(ctx))); err != nil {
		return nil, err
	}
	return session, nil
}

// Lend is a session with a token that somebody else made. Closing it does not revoke the token.
func (c *Client) Lend(token Secret) *Session {
	return &Session{Client: c.WithToken(token), left: true}
}

// Login opens a session with a JWT, for the role of a service account.
func (c *Client) Login(ctx context.Context, mount, role string, jwt Secret) (*Session, error) {
	session, err := c.WithToken(Secret{}).sessionFrom(ctx, "auth/"+mount+"/login", map[string]any{"role": role, "jwt": jwt.Reveal()})
	if err != nil {
		return nil, fmt.Errorf("login as %s: %w", role, err)
	}
	return session, nil
}

// sessionFrom is the session whose token a request makes. Vault keeps no record of batch tokens: they end by themselves and
// cannot be revoked.
func (c *Client) sessionFrom(ctx context.Context, path string, in any) (*Session, error) {
	var answer struct {
		Auth struct {
			Token string `json:"client_token"`
			Type  string `json:"token_type"`
		} `json:"auth"`
	}
	if err := c.Write(ctx, path, in, &answer); err != nil {
		return nil, err
	}
	if answer.Auth.Token == "" {
		return nil, fmt.Errorf("vault: PUT %s: no token in the answer; is there a second factor (MFA) on it?", path)
	}
	return &Session{Client: c.WithToken(NewSecret(answer.Auth.Token)), left: answer.Auth.Type == "batch"}, nil
}

// Close revokes the session's token, unless it was given by hand or ends by itself only.
func (s *Session) Close(ctx context.Context) error {
	if s.left {
		return nil
	}
	return s.Client.RevokeSelf(ctx)
}

// RevokeSelf revokes the token that the client carries: a session's, or the root token once all stands.
func (c *Client) RevokeSelf(ctx context.Context) error {
	err := c.Write(ctx, "auth/token/revoke-self", nil, nil)
	if errors.Is(err, ErrPermissionDenied) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("revoke the token: %w; it ends by itself after %s unless it is the root token", err, SessionTime)
	}
	return nil
}

// Lives tells whether the token that the client carries is still good.
func (c *Client) Lives(ctx context.Context) (bool, error) {
	err := c.Read(ctx, "auth/token/lookup-self", nil)
	if errors.Is(err, ErrPermissionDenied) {
		return false, nil
	}
	return err == nil, err
}

// IsRoot tells whether the token that the client carries is a root token. One that is no good is none.
func (c *Client) IsRoot(ctx context.Context) (bool, error) {
	var answer struct {
		Data struct {
			Policies []string `json:"policies"`
		} `json:"data"`
	}
	err := c.Read(ctx, "auth/token/lookup-self", &answer)
	if errors.Is(err, ErrPermissionDenied) {
		return false, nil
	}
	return slices.Contains(answer.Data.Policies, "root"), err
}

// Retire revokes the root token and takes it out of the document, once all stands. Done before is no error.
func (c *Client) Retire(ctx context.Context, keeper Keeper, keys DecryptedKeys) error {
	if keys.RootToken.Empty() {
		return nil
	}
	if err := c.WithToken(keys.RootToken).RevokeSelf(ctx); err != nil {
		return err
	}
	return forgetRootToken(ctx, keeper)
}

// forgetRootToken takes the root token out of the document, after it has been revoked. It needs no identity.
func forgetRootToken(ctx context.Context, keeper Keeper) error {
	return rewrite(ctx, keeper, func(k *Keys) { k.RootToken = "" })
}
