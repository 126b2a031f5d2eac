package vault

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

// proof is what a user will meet, tried out by users made for it: they log in with tokens of the realm, reach what is
// theirs, and are refused elsewhere. Users of another issuer are not ours to make; there vault.Check shows what can be shown.
type proof struct {
	site  *site
	setup vault.Setup
}

func newProof(s *site, setup vault.Setup) *stage.Proof {
	how := "two users are made for it, and removed"
	if !s.env.Platform.Auth.ConfiguresRealm() {
		how = "as far as that goes without its issuer's users"
	}
	return &stage.Proof{
		Stage: Name, Note: stage.NewProofNote(s.env, Name), Digest: digestOf(s.env.Platform, setup), Asked: s.options.Prove,
		How: how, Show: (&proof{site: s, setup: setup}).run,
	}
}

// digestOf stands for all that the proof depends on.
func digestOf(p platform.Platform, setup vault.Setup) string {
	parts := []string{
		p.VaultURL(), setup.Issuer, setup.Audience, setup.Origin, setup.AuthPath, setup.RoleName, setup.PolicyName, setup.KV,
		setup.UserClaim, setup.GroupsClaim, setup.UserPrefix, setup.GroupPrefix, fmt.Sprint(setup.Groups),
	}
	return fmt.Sprintf("%.16x", sha256.Sum256([]byte(strings.Join(parts, "\n"))))
}

func (p *proof) run(ctx context.Context) (missing string, err error) {
	client, err := public(p.site.env)
	if err != nil {
		return "", err
	}
	if !p.site.env.Platform.Auth.ConfiguresRealm() {
		return "what users of " + p.setup.Issuer + " may do", p.check(ctx, client)
	}
	operator, err := p.operator(ctx)
	if err != nil {
		return "", err
	}
	made := proofUsers{realm: p.site.env.Keycloak.Realm, platform: p.site.env.Platform}
	defer func() { err = made.clean(ctx, err) }()
	user, err := made.token(ctx, proofUser, ourGroup)
	if err != nil {
		return "", fmt.Errorf("a user to try Vault with: %w", err)
	}
	neighbour, err := made.token(ctx, otherProofUser, "")
	if err != nil {
		return "", fmt.Errorf("a user to try Vault with: %w", err)
	}
	return "", vault.Proof{
		Client: client, Operator: operator, Mount: p.setup.AuthPath, Role: p.setup.RoleName, KV: p.setup.KV,
		UserPrefix: p.setup.UserPrefix, GroupPrefix: p.setup.GroupPrefix,
		User: user, Neighbour: neighbour, Group: ourGroup, OtherGroup: theirGroup, Origin: p.setup.Origin,
	}.Run(ctx, p.site.say)
}

// check shows what needs no user, and says how to try the rest.
func (p *proof) check(ctx context.Context, client *vault.Client) error {
	err := vault.Check{
		Client: client, Mount: p.setup.AuthPath, Role: p.setup.RoleName, KV: p.setup.KV, Issuer: p.setup.Issuer,
		Audience: p.setup.Audience, UserClaim: p.setup.UserClaim, UserPrefix: p.setup.UserPrefix, Origin: p.setup.Origin,
	}.Run(ctx, p.site.say)
	if err != nil {
		return err
	}
	p.site.say("users of " + p.setup.Issuer + " are not ours to make. By hand: log in to Onyxia and write a secret; or, with an access token of client " + p.setup.Audience +
		" on stdin, vault write auth/" + p.setup.AuthPath + "/login role=" + p.setup.RoleName + " jwt=-")
	return nil
}

// operator cleans up afterwards. A token for a Vault that others run may not, there the users do it themselves.
func (p *proof) operator(ctx context.Context) (*vault.Client, error) {
	if p.site.external() {
		return nil, nil
	}
	return p.site.session.client(ctx)
}
