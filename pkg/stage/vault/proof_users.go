package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

// The users and groups of the proof. Their names are always the same, so that a run cleans up after one that was killed.
const (
	proofUser      = vault.ProofPrefix + "one"
	otherProofUser = vault.ProofPrefix + "two"
	ourGroup       = vault.ProofPrefix + "ours"
	theirGroup     = vault.ProofPrefix + "theirs"
	proofClient    = vault.ProofPrefix + "vault"
)

// cleanTime bounds the cleaning up after an interruption.
const cleanTime = 30 * time.Second

// proofUsers are users of the realm that live as long as the proof, and a client by which they log in with a password.
type proofUsers struct {
	realm    *keycloak.Realm
	platform platform.Platform
}

// token makes a user who is in a group, or in none, and logs the user in by a copy of the client of Onyxia's web. The group
// stands in the token only: it is made by the copy, so that nothing is left behind in the realm.
func (w proofUsers) token(ctx context.Context, name, group string) (vault.ProofUser, error) {
	mappers, err := w.mappers(group)
	if err != nil {
		return vault.ProofUser{}, err
	}
	if err := w.realm.AddProofClient(ctx, proofClient, platform.VaultClientID, mappers...); err != nil {
		return vault.ProofUser{}, err
	}
	password, err := w.realm.AddProofUser(ctx, name, w.mailDomain())
	if err != nil {
		return vault.ProofUser{}, err
	}
	secret, err := w.realm.ClientSecret(ctx, proofClient)
	if err != nil {
		return vault.ProofUser{}, err
	}
	tokens, err := w.realm.UserTokens(ctx, keycloak.Credentials{ClientID: proofClient, ClientSecret: secret, Username: name, Password: password})
	if err != nil {
		return vault.ProofUser{}, fmt.Errorf("login of %s: %w", name, err)
	}
	return vault.ProofUser{Name: name, JWT: vault.NewSecret(tokens.Access)}, nil
}

// mappers of the copy that the client has not: the one that makes the group.
func (w proofUsers) mappers(group string) ([]keycloak.Mapper, error) {
	if group == "" {
		return nil, nil
	}
	groups, err := json.Marshal([]string{group})
	if err != nil {
		return nil, err
	}
	claim := keycloak.HardcodedClaim(proofClient+" group", w.platform.Auth.GroupsClaim, string(groups))
	claim.Config["jsonType.label"] = "JSON"
	return []keycloak.Mapper{claim}, nil
}

// mailDomain is one that the realm lets sign up.
func (w proofUsers) mailDomain() string {
	if domains := w.platform.Auth.EmailDomains; len(domains) > 0 {
		return domains[0]
	}
	return w.platform.Domain
}

// clean takes all of it away, after an interruption as well.
func (w proofUsers) clean(ctx context.Context, after error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
	defer cancel()
	errs := []error{after}
	for _, name := range []string{proofUser, otherProofUser} {
		if err := w.realm.DeleteProofUser(ctx, name); err != nil {
			errs = append(errs, fmt.Errorf("user %s of the proof is still there: %w", name, err))
		}
	}
	if err := w.realm.DeleteProofClient(ctx, proofClient); err != nil {
		errs = append(errs, fmt.Errorf("client %s of the proof is still there: %w", proofClient, err))
	}
	return errors.Join(errs...)
}
