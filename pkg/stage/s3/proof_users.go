package s3

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3"
)

// proofClient is the client of the realm by which the users of a proof log in with a password. Onyxia's own client for S3
// does not take passwords.
const proofClient = s3.ProofMark + "client"

// cleanTime bounds the cleaning up after an interruption.
const cleanTime = 30 * time.Second

// sharedAge is how old a bucket of a proof has to be before it is swept from a server that others may prove as well.
const sharedAge = time.Hour

// proofUsers are users of the realm that live as long as the proof.
type proofUsers struct {
	site  *site
	realm *keycloak.Realm
	names []string
}

// sweep removes what a run left that was killed. The installation's lock is held, so nobody else is proving here.
func (w *proofUsers) sweep(ctx context.Context) error {
	users, err := w.realm.ProofUsers(ctx, s3.ProofMark)
	if err != nil {
		return err
	}
	for _, user := range users {
		if !s3.IsProofName(user.Username) {
			continue
		}
		if err := w.realm.DeleteProofUser(ctx, user.Username); err != nil {
			return err
		}
		w.site.say("removed user " + user.Username + ", left by an earlier proof")
	}
	return w.site.sweep(ctx)
}

// sweep removes the buckets that a proof left behind, where we may look into those of others.
func (s *site) sweep(ctx context.Context) error {
	if !s.env.Platform.S3.HasMinIOAPI() {
		return nil
	}
	client, err := s.client(ctx)
	if err != nil {
		return err
	}
	age := sharedAge
	if s.env.Platform.S3.InstallsMinIO() {
		age = 0
	}
	buckets, err := s.tenancy.Sweep(ctx, client, age)
	if len(buckets) > 0 {
		s.say("removed buckets left by an earlier proof: " + strings.Join(buckets, ", "))
	}
	return err
}

// person makes a user who is in a group, or in none.
func (w *proofUsers) person(ctx context.Context, group string) (s3.Person, error) {
	name := s3.ProofName()
	w.names = append(w.names, name)
	var groups []string
	if group != "" {
		groups = append(groups, group)
	}
	password, err := w.realm.AddProofUser(ctx, name, w.mailDomain(), groups...)
	if err != nil {
		return s3.Person{}, fmt.Errorf("a user to try S3 with: %w", err)
	}
	return s3.Person{Name: name, Token: func(ctx context.Context) (string, error) { return w.token(ctx, name, password) }}, nil
}

// token logs the user in by a copy of Onyxia's own client, which gives tokens as that one does.
func (w *proofUsers) token(ctx context.Context, name, password string) (string, error) {
	var more []keycloak.Mapper
	if !w.site.env.Platform.S3.HasMinIOAPI() {
		// AWS and Ceph look at the party that a token was issued to, where it names one.
		more = append(more, keycloak.HardcodedClaim(proofClient+" party", "azp", platform.S3ClientID))
	}
	if err := w.realm.AddProofClient(ctx, proofClient, platform.S3ClientID, more...); err != nil {
		return "", err
	}
	secret, err := w.realm.ClientSecret(ctx, proofClient)
	if err != nil {
		return "", err
	}
	tokens, err := w.realm.UserTokens(ctx, keycloak.Credentials{ClientID: proofClient, ClientSecret: secret, Username: name, Password: password})
	return tokens.Access, err
}

// mailDomain is one that the realm lets sign up.
func (w *proofUsers) mailDomain() string {
	if domains := w.site.env.Platform.Auth.EmailDomains; len(domains) > 0 {
		return domains[0]
	}
	return w.site.env.Platform.Domain
}

// clean takes all of it away, after an interruption as well.
func (w *proofUsers) clean(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
	defer cancel()
	var errs []error
	for _, name := range w.names {
		if err := w.realm.DeleteProofUser(ctx, name); err != nil {
			errs = append(errs, fmt.Errorf("user %s of the proof is still there, a later run removes it: %w", name, err))
		}
	}
	if err := w.realm.DeleteProofClient(ctx, proofClient); err != nil {
		errs = append(errs, fmt.Errorf("client %s of the proof is still there, a later run removes it: %w", proofClient, err))
	}
	return errors.Join(errs...)
}
