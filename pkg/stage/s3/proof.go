package s3

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// proof is what users will meet, tried out by two who are made for it: their tokens buy credentials, those open their own
// bucket and the group's, and are refused elsewhere. Users of another issuer are not ours to make: there the token of one shows
// it, and without a token s3.Check shows what can be shown of a MinIO.
type proof struct{ site *site }

func newProof(s *site) *stage.Proof {
	how := "two users are made for it, and removed"
	switch given := s.options.UserToken.Reveal() != ""; {
	case !s.env.Platform.Auth.ConfiguresRealm() && given:
		how = "with the token of a user"
	case !s.env.Platform.Auth.ConfiguresRealm():
		how = "as far as that goes without its issuer's users"
	}
	return &stage.Proof{
		Stage: Name, Note: stage.NewProofNote(s.env, Name), Digest: s.digest(), Asked: s.options.Prove, How: how, Show: (&proof{site: s}).run,
	}
}

// digest stands for all that the proof depends on. Groups that come and go are not part of it: each has the same policy.
func (s *site) digest() string {
	p := s.env.Platform
	tenancy := s.tenancy
	tenancy.Groups = nil
	// The number is of what a proof shows: with another one each installation is shown it once. It holds text, numbers and nothing else, for which encoding cannot fail.
	raw, err := json.Marshal([]any{2, p.S3URL(), p.Issuer(), p.S3.Mode, p.S3.Kind, p.S3.Region, p.S3.RoleARN, p.S3.SessionDuration, p.OnyxiaURL(), tenancy})
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%.16x", sha256.Sum256(raw))
}

// shortest is how long MinIO's credentials live at least; a proof needs no more.
const shortest = 15 * time.Minute

// target is what a proof is run against.
func (s *site) target(public *http.Client) s3.Target {
	p := s.env.Platform
	target := s3.Target{S3: &s3.Client{Endpoint: p.S3URL(), Region: p.S3.Region, HTTP: public}, Tenancy: s.tenancy, Duration: shortest}
	if !s.env.Platform.S3.HasMinIOAPI() {
		// A role's own limit is part of what has to be right.
		target.RoleARN, target.Duration = p.S3.RoleARN, p.S3.CredentialsTime()
	}
	if address := p.STSURL(); address != "" {
		target.STS = &s3.Client{Endpoint: address, HTTP: public}
	}
	return target
}

func (p *proof) run(ctx context.Context) (missing string, err error) {
	s := p.site
	public, err := s.proofHTTPClient()
	if err != nil {
		return "", err
	}
	if !s.env.Platform.Auth.ConfiguresRealm() {
		return p.foreign(ctx, public)
	}
	made := &proofUsers{site: s, realm: s.env.Keycloak.Realm}
	if err := made.sweep(ctx); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, made.clean(ctx)) }()
	proof := s3.Proof{Target: s.target(public)}
	if s.env.Platform.S3.HasMinIOAPI() {
		proof.Group = s3.ProofGroup
	}
	if proof.Member, err = made.person(ctx, proof.Group); err != nil {
		return "", err
	}
	if proof.Stranger, err = made.person(ctx, ""); err != nil {
		return "", err
	}
	return "", proof.Run(ctx, s.say)
}

// foreign is for an issuer that is not ours: what needs no user, and, with the token of one, the rest.
func (p *proof) foreign(ctx context.Context, public *http.Client) (missing string, err error) {
	s := p.site
	issuer := s.env.Platform.Issuer()
	target, audience := s.target(public), platform.S3ClientID
	var administrator *s3.Client
	if s.env.Platform.S3.HasMinIOAPI() {
		audience = platform.S3ConsoleClientID
		if err := (s3.Check{S3: target.S3, Tenancy: s.tenancy, Issuer: issuer, Audience: audience}).Run(ctx, s.say); err != nil {
			return "", err
		}
		if err := s.sweep(ctx); err != nil {
			return "", err
		}
		if administrator, err = s.client(ctx); err != nil {
			return "", err
		}
	}
	if token := s.options.UserToken.Reveal(); token != "" {
		return "", s3.UserProof{Target: target, Token: token, Issuer: issuer, Audience: audience, Administrator: administrator}.Run(ctx, s.say)
	}
	missing = fmt.Sprintf("what users of %s may do. With an access token of one, for client %s, this shows it: kubectl onyxia s3 configure --user-token FILE", issuer, platform.S3ClientID)
	s.say("NOT SHOWN: " + missing)
	return missing, nil
}
