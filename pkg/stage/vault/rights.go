package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

// rights are the rights to configure Vault: by a token that was given, as the realm's service account once Vault knows
// it, else by the keys. Making a token from keys writes to Vault, so that it is planned and not done while looking.
type rights struct{ site *site }

// rightsSeen is how this run comes by its rights.
type rightsSeen struct {
	open bool
	// keys says that a token is to be made with the keys, and unnamed that they do not say which Vault they are for.
	keys, unnamed bool
	// asks is what has to be agreed to before the token that was given is sent.
	asks string
	// trouble is why there is no way at all.
	trouble string
	// passing says that the trouble may end without a person.
	passing bool
}

// Observe takes the rights that can be had without writing. A Vault that is not open is known after that.
func (r *rights) Observe(ctx context.Context) (rightsSeen, error) {
	r.site.session.first()
	if r.site.session.stands() {
		return rightsSeen{open: true}, nil
	}
	if err := r.closed(ctx); err != nil {
		return rightsSeen{}, err
	}
	seen, err := r.without(ctx)
	if !seen.open && r.site.keys != nil && r.site.options.Token.Empty() && !errors.Is(err, vault.ErrSealed) {
		return r.byKeys(ctx)
	}
	return seen, err
}

// byKeys are the rights that the keys give, if they are this Vault's.
func (r *rights) byKeys(ctx context.Context) (rightsSeen, error) {
	keys := r.site.keys
	document, err := keys.document(ctx)
	if err != nil {
		// The initialisation may be about to make it; who uses it meets what is wrong.
		return rightsSeen{keys: true}, nil
	}
	seal, err := r.site.reached[0].SealStatus(ctx)
	if err != nil {
		return rightsSeen{}, err
	}
	err = keys.fits(ctx, document, seal)
	if errors.Is(err, vault.ErrUnnamed) {
		return rightsSeen{keys: true, unnamed: true}, nil
	}
	return rightsSeen{keys: true}, err
}

// closed is *engine.NotYetError as long as nobody can have rights.
func (r *rights) closed(ctx context.Context) error {
	seal, err := r.site.reached[0].SealStatus(ctx)
	first := sealID(r.site.servers()[0])
	switch {
	case err != nil:
		return err
	case !seal.Initialised:
		return &engine.NotYetError{After: first, Why: "vault has no keys yet"}
	case seal.Sealed:
		return &engine.NotYetError{After: first, Why: "vault is sealed"}
	}
	return nil
}

// without opens a session without keys; the trouble is why it can't.
func (r *rights) without(ctx context.Context) (rightsSeen, error) {
	token, err := r.site.token(ctx)
	switch {
	case err != nil:
		return rightsSeen{}, err
	case !token.Empty():
		return r.withToken(ctx, token)
	case r.site.operated():
		return r.operator(ctx)
	}
	return rightsSeen{trouble: noRights + ": " + r.advice()}, nil
}

// given takes a token that somebody made.
func (r *rights) given(ctx context.Context, token vault.Secret) (rightsSeen, error) {
	open := func(context.Context) (*vault.Session, error) { return r.site.reached[0].Lend(token), nil }
	made := r.site.reached[0].Lend(token)
	lives, err := made.Client.Lives(ctx)
	if err != nil {
		return rightsSeen{}, err
	}
	if !lives {
		return rightsSeen{trouble: r.source() + " is not accepted by the vault at " + r.site.env.Platform.VaultURL() + ": it has expired, was revoked, or is another Vault's"}, nil
	}
	r.site.session.use(made, open)
	return rightsSeen{open: true}, nil
}

// source is where the token comes from that somebody made.
func (r *rights) source() string {
	switch {
	case !r.site.options.Token.Empty():
		return "the token in VAULT_TOKEN (unset it to go on without)"
	case r.site.release.Dev:
		return "the token that the server in dev mode left in its pod"
	}
	return "the token in secret " + r.site.env.Platform.Vault.CredentialsSecret + ", which vault.credentialsSecret names,"
}

// operator logs in as the realm's service account. That Vault does not know it, or refuses it, is no error: what is wrong
// may be mended with the keys, or by another step.
func (r *rights) operator(ctx context.Context) (rightsSeen, error) {
	made, err := r.login(ctx)
	if err != nil {
		return r.refused(err)
	}
	r.site.session.use(made, r.login)
	return rightsSeen{open: true}, nil
}

// refused tells a Vault that has no login, no configuration of it or no role for the service account from one that has, and
// refuses it (vault 1.14.1). Where nothing is mounted it denies permission, so that nobody learns what is.
func (r *rights) refused(err error) (rightsSeen, error) {
	var answer *vault.APIError
	switch {
	case !errors.As(err, &answer) || answer.Status >= 500 || errors.Is(err, vault.ErrSealed):
		return rightsSeen{}, err
	case errors.Is(err, vault.ErrPermissionDenied), errors.Is(err, vault.ErrNotFound), answer.Says("could not be found"), answer.Says("could not load configuration"):
		return rightsSeen{trouble: "vault does not know the realm's service account yet, so its keys are needed once: " + r.advice()}, nil
	case answer.Status == http.StatusTooManyRequests, answer.Says("fetching keys"), answer.Says("token is expired"), answer.Says("not yet valid"):
		return rightsSeen{passing: true, trouble: fmt.Sprintf("vault cannot check the realm's service account: %s; it has to reach %s, and the clocks have to agree", err, r.site.env.Platform.Issuer())}, nil
	}
	return rightsSeen{trouble: fmt.Sprintf("vault refuses the realm's service account: %s; if the realm or its address changed since vault was configured, its keys are needed once: %s", err, r.advice())}, nil
}

func (r *rights) login(ctx context.Context) (*vault.Session, error) {
	jwt, err := r.site.operatorToken(ctx)
	if err != nil {
		return nil, fmt.Errorf("token of the service account: %w", err)
	}
	return r.site.reached[0].Login(ctx, r.site.env.Platform.Vault.AuthPath, operatorRole, jwt)
}

// operatorToken is a token of the realm for the service account. Its secret is read from Keycloak each time and kept nowhere.
func (s *site) operatorToken(ctx context.Context) (vault.Secret, error) {
	realm := s.env.Keycloak.Realm
	secret, err := realm.ClientSecret(ctx, operatorClient)
	if err != nil {
		return vault.Secret{}, err
	}
	tokens, err := realm.UserTokens(ctx, keycloak.Credentials{ClientID: operatorClient, ClientSecret: secret})
	if err != nil {
		return vault.Secret{}, err
	}
	return vault.NewSecret(tokens.Access), nil
}

// noRights is why nothing inside Vault can be looked at.
const noRights = "nobody in this run has rights on vault"

// unused is why no rights are taken although all stands.
func (r *rights) unused() string {
	if r.site.keys != nil {
		return "that takes a token made with the keys in " + r.site.keys.keeper.String() + ": kubectl onyxia vault configure does it"
	}
	return "nobody in this run has rights on it: " + r.advice()
}

// advice is how one comes by rights.
func (r *rights) advice() string {
	switch {
	case r.site.options.Removing:
		return "give VAULT_TOKEN"
	case r.site.external():
		return "name a Secret with a token by vault.credentialsSecret, or give the token to `kubectl onyxia vault configure` in VAULT_TOKEN"
	case !r.site.env.Platform.Auth.ConfiguresRealm():
		return "kubectl onyxia vault configure --keys-file FILE, or name a Secret with a token of policy " + vault.OperatorPolicy + " by vault.credentialsSecret"
	}
	return "kubectl onyxia vault configure --keys-file FILE"
}

// Plan tells whether the rights are there.
func (r *rights) Plan(seen rightsSeen) engine.Change {
	switch {
	case seen.open:
		return engine.Change{Action: engine.Unchanged}
	case seen.asks != "":
		return engine.Change{Action: engine.Create, Why: givenToken, Risk: r.site.tokens.ask(rightsID, seen.asks)}
	case seen.keys:
		change := engine.Change{Action: engine.Create, Why: "a token for a quarter of an hour, made with the keys"}
		if seen.unnamed {
			change.Risk = r.site.keys.known.ask(rightsID, r.site.keys.question())
		}
		return change
	}
	return engine.Change{Action: engine.Pending, Why: seen.trouble}
}

// Apply makes a token with the keys, or takes the one that was given.
func (r *rights) Apply(ctx context.Context, seen rightsSeen) error {
	if seen.asks != "" {
		r.site.tokens.give(rightsID)
		now, err := r.withToken(ctx, r.site.options.Token)
		if err == nil && !now.open {
			err = errors.New(now.trouble)
		}
		return err
	}
	r.site.keys.known.give(rightsID)
	open := func(ctx context.Context) (*vault.Session, error) {
		keys, err := r.site.keys.use(ctx, r.site.reached[0])
		if err != nil {
			return nil, err
		}
		made, err := r.site.reached[0].SessionByKeys(ctx, r.site.makesRoot, keys, r.site.policy, r.site.say)
		if err == nil {
			r.site.keys.opened(ctx, r.site.reached[0])
		}
		return made, err
	}
	made, err := open(ctx)
	if err != nil {
		return fmt.Errorf("rights by the keys: %w", err)
	}
	r.site.session.use(made, open)
	return nil
}

// Ready ends the run where only a person can bring rights.
func (r *rights) Ready(ctx context.Context) (engine.Health, error) {
	seen, err := r.Observe(ctx)
	if err != nil {
		return engine.Health{}, err
	}
	return engine.Health{Ready: seen.open, Reason: seen.trouble, Hopeless: seen.trouble != "" && !seen.passing}, nil
}
