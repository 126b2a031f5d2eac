package vault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

// lookTime bounds the look at the Vault that the environment names.
const lookTime = 10 * time.Second

// sendable says why the token that was given by hand must not be sent to this Vault: *vault.AnotherError, or vault.ErrUnnamed
// where nobody has agreed to it. A token does not say whose it is. The address beside it does, and whether that leads here is
// asked without the token: two clusters may have one address.
func (s *site) sendable(ctx context.Context) error {
	beside := strings.TrimRight(s.options.TokenAddress, "/")
	switch {
	case s.options.Agreed || s.tokens.isGiven():
		return nil
	case beside == "":
		return fmt.Errorf("%s %w; set VAULT_ADDR to the address of that one", givenToken, vault.ErrUnnamed)
	case s.external() && beside == strings.TrimRight(s.env.Platform.VaultURL(), "/") && strings.HasPrefix(beside, "https://"):
		return nil
	}
	here, err := s.reached[0].SealStatus(ctx)
	if err != nil {
		return err
	}
	there, err := s.beside(ctx, beside)
	switch {
	case err != nil:
		return fmt.Errorf("%s %w: the one at %s, by VAULT_ADDR, gives no answer: %w", givenToken, vault.ErrUnnamed, beside, err)
	case there == "" || here.ClusterID == "":
		return fmt.Errorf("%s %w: the one at %s, by VAULT_ADDR, is not open", givenToken, vault.ErrUnnamed, beside)
	case there != here.ClusterID:
		return &vault.AnotherError{Why: fmt.Sprintf("%s is for the vault at %s, by VAULT_ADDR, with the cluster_id %s, and this one has %s", givenToken, beside, there, here.ClusterID)}
	}
	return nil
}

// beside asks the Vault that the environment names for its cluster_id, without a token.
func (s *site) beside(ctx context.Context, address string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	carrier, err := stage.External(s.env.Platform)
	if err != nil {
		return "", err
	}
	state, err := (&vault.Client{HTTP: carrier, Address: address}).Health(ctx)
	return state.ClusterID, err
}

const givenToken = "the token in VAULT_TOKEN"

// tokenQuestion is what has to be agreed to before such a token is sent.
func (s *site) tokenQuestion(err error) string {
	return fmt.Sprintf("%s; it would be sent to the vault at %s of cluster %s", err, s.env.Platform.VaultURL(), s.env.Kube.Name())
}

// withToken opens a session with a token that was made elsewhere. One from the environment is only sent to the Vault that it is
// for.
func (r *rights) withToken(ctx context.Context, token vault.Secret) (rightsSeen, error) {
	if r.site.options.Token.Empty() {
		return r.given(ctx, token)
	}
	err := r.site.sendable(ctx)
	var another *vault.AnotherError
	switch {
	case err == nil:
		return r.given(ctx, token)
	case errors.As(err, &another):
		return rightsSeen{trouble: err.Error() + ": it is not sent; unset it to go on without"}, nil
	case errors.Is(err, vault.ErrUnnamed) && r.site.options.Removing:
		return rightsSeen{trouble: err.Error() + ", or agree by --yes"}, nil
	case errors.Is(err, vault.ErrUnnamed):
		return rightsSeen{asks: r.site.tokenQuestion(err)}, nil
	}
	return rightsSeen{}, err
}
