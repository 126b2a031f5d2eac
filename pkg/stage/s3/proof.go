package s3

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// proof is what users will meet, tried out by two who are made for it: their tokens buy credentials, those open their own
// bucket and the group's, and are refused elsewhere. Users of another issuer are not ours to make; there s3.Check shows what
// can be shown of a MinIO, and nothing is shown of another server. It writes, so it is run once for each configuration, and
// whenever it is asked for; a ConfigMap remembers for which.
type proof struct {
	site   *site
	stamp  stage.ProofNote
	digest string
	// shown says that this run has done it.
	shown bool
}

func newProof(s *site) *proof {
	return &proof{site: s, stamp: stage.NewProofNote(s.env, Name), digest: s.digest()}
}

// digest stands for all that the proof depends on. Groups that come and go are not part of it: each has the same policy.
func (s *site) digest() string {
	p := s.env.Platform
	tenancy := s.tenancy
	tenancy.Groups = nil
	// It holds text, numbers and nothing else, for which encoding cannot fail.
	raw, err := json.Marshal([]any{p.S3URL(), p.Issuer(), p.S3.Mode, p.S3.Kind, p.S3.Region, p.S3.RoleARN, p.S3.SessionDuration, p.OnyxiaURL(), tenancy})
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%.16x", sha256.Sum256(raw))
}

// Observe reads what was shown last.
func (p *proof) Observe(ctx context.Context) (stage.Shown, error) {
	if !p.site.hasRealm() && !p.site.minio() {
		return stage.Shown{Digest: p.digest}, nil
	}
	seen, err := p.stamp.Read(ctx)
	seen.Asked = p.site.options.Prove && !p.shown
	return seen, err
}

// Plan compares.
func (p *proof) Plan(seen stage.Shown) engine.Change {
	how, shown := ": two users are made for it, and removed", "shown at "
	if !p.site.hasRealm() {
		how, shown = ", as far as that goes without its issuer's users", "checked without its issuer's users at "
	}
	switch {
	case seen.Digest == "":
		return engine.Change{Action: engine.Create, Why: "not shown yet" + how}
	case seen.Digest != p.digest:
		return engine.Change{Action: engine.Configure, Why: "shown for another configuration" + how}
	case seen.Asked:
		return engine.Change{Action: engine.Configure, Why: "to be shown again" + how}
	case seen.At == "":
		return engine.Change{Action: engine.Unchanged, Why: "the issuer's users are not ours to make: log in to Onyxia and upload a file"}
	}
	return engine.Change{Action: engine.Unchanged, Why: shown + seen.At}
}

// Apply runs the proof, and notes it where that is news.
func (p *proof) Apply(ctx context.Context, seen stage.Shown) error {
	if err := p.run(ctx); err != nil {
		return fmt.Errorf("s3 is not shown to work: %w", err)
	}
	p.shown = true
	if seen.Digest == p.digest {
		return nil
	}
	return p.stamp.Write(ctx, stage.Shown{Digest: p.digest, At: time.Now().UTC().Format(time.RFC3339)})
}

// Remove forgets it.
func (p *proof) Remove(ctx context.Context) error { return p.stamp.Remove(ctx) }

// shortest is how long MinIO's credentials live at least; a proof needs no more.
const shortest = 15 * time.Minute

func (p *proof) run(ctx context.Context) (err error) {
	s := p.site
	public, err := s.patient()
	if err != nil {
		return err
	}
	if !s.hasRealm() {
		return p.check(ctx, public)
	}
	made := &witnesses{site: s, realm: s.env.Keycloak.Realm}
	if err := made.sweep(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, made.clean(ctx)) }()
	proof := s3.Proof{
		S3: &s3.Client{Endpoint: s.env.Platform.S3URL(), Region: s.env.Platform.S3.Region, HTTP: public}, Tenancy: s.tenancy, Duration: shortest,
	}
	if s.minio() {
		proof.Group = s3.ProofGroup
	} else {
		// A role's own limit is part of what has to be right.
		proof.RoleARN, proof.Duration = s.env.Platform.S3.RoleARN, duration(s.env.Platform.S3.SessionDuration)
	}
	if s.env.Platform.S3.Kind == "aws" && !s.minio() {
		proof.STS = &s3.Client{Endpoint: s3.AWSTokenService(s.env.Platform.S3.Region), HTTP: public}
	}
	if proof.Member, err = made.person(ctx, proof.Group); err != nil {
		return err
	}
	if proof.Stranger, err = made.person(ctx, ""); err != nil {
		return err
	}
	return proof.Run(ctx, s.say)
}

// check shows what needs no user, and says how to try the rest.
func (p *proof) check(ctx context.Context, public *http.Client) error {
	s := p.site
	check := s3.Check{
		S3:      &s3.Client{Endpoint: s.env.Platform.S3URL(), Region: s.env.Platform.S3.Region, HTTP: public},
		Tenancy: s.tenancy, Issuer: s.env.Platform.Issuer(), Audience: platform.S3ConsoleClientID,
	}
	if err := check.Run(ctx, s.say); err != nil {
		return err
	}
	s.say("users of " + check.Issuer + " are not ours to make. By hand: log in to Onyxia and upload a file, as two users of whom one is in a group")
	return nil
}
