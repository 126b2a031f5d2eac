package s3

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3"
)

// proofClient is the client of the realm by which the users of a proof log in with a password. Onyxia's own client for S3
// does not take passwords.
const proofClient = s3.ProofMark + "s3"

// witnessName is what s3.ProofName gives. Other proofs have users whose names begin alike.
const witnessName = "^" + s3.ProofMark + "[a-z2-7]{8}$"

// cleanTime bounds the cleaning up after an interruption.
const cleanTime = 30 * time.Second

// sharedAge is how old a bucket of a proof has to be before it is swept from a server that others may prove as well.
const sharedAge = time.Hour

// witnesses are users of the realm that live as long as the proof.
type witnesses struct {
	site  *site
	realm *keycloak.Realm
	names []string
}

// sweep removes what a run left that was killed. The installation's lock is held, so nobody else is proving here.
func (w *witnesses) sweep(ctx context.Context) error {
	users, err := w.realm.Users(ctx, s3.ProofMark)
	if err != nil {
		return err
	}
	pattern, err := regexp.Compile(witnessName)
	if err != nil {
		return err
	}
	for _, user := range users {
		if !pattern.MatchString(user.Username) {
			continue
		}
		if err := w.realm.DeleteUser(ctx, user.Username); err != nil {
			return err
		}
		w.site.say("removed user " + user.Username + ", left by an earlier proof")
	}
	if !w.site.minio() {
		return nil
	}
	client, err := w.site.client(ctx)
	if err != nil {
		return err
	}
	age := sharedAge
	if w.site.installed() {
		age = 0
	}
	buckets, err := w.site.tenancy.Sweep(ctx, client, age)
	if len(buckets) > 0 {
		w.site.say("removed buckets left by an earlier proof: " + strings.Join(buckets, ", "))
	}
	return err
}

// person makes a user who is in a group, or in none.
func (w *witnesses) person(ctx context.Context, group string) (s3.Person, error) {
	name := s3.ProofName()
	w.names = append(w.names, name)
	user := keycloak.NewUser{Name: name, Email: name + "@" + w.mailDomain(), FirstName: "Onyxia", LastName: "Proof"}
	if group != "" {
		user.Groups = []string{group}
	}
	password, err := w.realm.AddProofUser(ctx, user)
	if err != nil {
		return s3.Person{}, fmt.Errorf("a user to try S3 with: %w", err)
	}
	return s3.Person{Name: name, Token: func(ctx context.Context) (string, error) { return w.token(ctx, name, password) }}, nil
}

// token logs the user in by a client that gives tokens as Onyxia's own does.
func (w *witnesses) token(ctx context.Context, name, password string) (string, error) {
	client := keycloak.Client{ID: proofClient, Confidential: true, DirectGrants: true, Lifespans: webClient(w.site.env.Platform).Lifespans}
	if err := w.realm.AddProofClient(ctx, client, w.mappers(name)...); err != nil {
		return "", err
	}
	secret, err := w.realm.ClientSecret(ctx, proofClient)
	if err != nil {
		return "", err
	}
	tokens, err := w.realm.UserTokens(ctx, keycloak.Credentials{ClientID: proofClient, ClientSecret: secret, Username: name, Password: password})
	return tokens.Access, err
}

// mappers are those of Onyxia's client for S3. Where the name is not in its usual claim, only the claim is made up.
func (w *witnesses) mappers(name string) []keycloak.Mapper {
	list := w.site.mappers()
	if claim := w.site.tenancy.UsernameClaim; claim != "preferred_username" {
		list = append(list, keycloak.HardcodedClaim("s3 name", claim, name))
	}
	if !w.site.minio() {
		// AWS looks at the party that a token was issued to, where it names one.
		list = append(list, keycloak.HardcodedClaim("s3 party", "azp", platform.S3ClientID))
	}
	return list
}

// mailDomain is one that the realm lets sign up.
func (w *witnesses) mailDomain() string {
	if domains := w.site.env.Platform.Auth.EmailDomains; len(domains) > 0 {
		return domains[0]
	}
	return w.site.env.Platform.Domain
}

// clean takes all of it away, after an interruption as well.
func (w *witnesses) clean(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
	defer cancel()
	var errs []error
	for _, name := range w.names {
		if err := w.realm.DeleteUser(ctx, name); err != nil {
			errs = append(errs, fmt.Errorf("user %s of the proof is still there, a later run removes it: %w", name, err))
		}
	}
	if err := w.realm.DeleteProofClient(ctx, proofClient); err != nil {
		errs = append(errs, fmt.Errorf("client %s of the proof is still there, a later run removes it: %w", proofClient, err))
	}
	return errors.Join(errs...)
}
