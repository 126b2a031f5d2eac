package s3

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// UserProof shows what Proof shows, with the token of one user of an issuer whose users are not ours to make.
type UserProof struct {
	Target
	// Token is an access token of a user for the client onyxia-minio. It is never printed.
	Token string
	// Issuer of the datalab's tokens, and the Audience that the server asks for.
	Issuer, Audience string
	// Administrator makes the buckets of a neighbour and of a group, at which the user has to be refused; nil where nobody here
	// may do so (AWS, Ceph).
	Administrator *Client
}

// Run tells each thing that was shown as one line, and stops at the first that was not. What it made is removed when it
// returns, also after the context was cancelled. Of what the user has it touches nothing but a folder of its own.
func (p UserProof) Run(ctx context.Context, report func(line string)) (err error) {
	token, err := ReadToken(p.Token)
	if err != nil {
		return err
	}
	if wrong := p.wrong(token); len(wrong) > 0 {
		return fmt.Errorf("the claims of the user's token are not as S3 needs them: %s", strings.Join(wrong, "; "))
	}
	name, _ := token.Text(p.Tenancy.UsernameClaim)
	report(fmt.Sprintf("%s: the token has the name in the claim %s, and is for [%s] by %s", name, p.Tenancy.UsernameClaim, strings.Join(token.Audience, " "), token.Party))
	run := newProofRun(Proof{Target: p.Target}, report)
	defer func() { err = errors.Join(err, run.clean(ctx)) }()
	user, err := run.enter(ctx, Person{Name: name, Token: func(context.Context) (string, error) { return p.Token, nil }})
	if err != nil {
		return err
	}
	run.member = user
	if err := run.secret(ctx); err != nil {
		return err
	}
	// What a run left that was killed can be told from the user's own things by its folder.
	if err := user.client.Empty(ctx, user.bucket, proofFolder); err != nil && !IsCode(err, "NoSuchBucket") {
		return fmt.Errorf("%s at their own bucket: %w", name, err)
	}
	if err := run.use(ctx, user, user.bucket); err != nil {
		return err
	}
	report(fmt.Sprintf("%s: wrote, read and listed in %s", name, Location(user.bucket, "")))
	if p.Administrator == nil {
		return p.refusedSomewhere(ctx, run, user)
	}
	return p.refusedElsewhere(ctx, run, user)
}

// refusedElsewhere makes the bucket of a neighbour and that of a group, and has the user refused at both, whatever the user
// writes into a request.
func (p UserProof) refusedElsewhere(ctx context.Context, run *proofRun, user session) error {
	neighbour := ProofName()
	forged := []struct{ bucket, claim, value string }{
		{p.Tenancy.UserPrefix + neighbour, p.Tenancy.UsernameClaim, neighbour},
		{p.Tenancy.GroupPrefix + ProofGroup, "groups", ProofGroup},
		{p.Tenancy.GroupPrefix + ProofGroup, "policy", p.Tenancy.GroupPrefix + ProofGroup},
	}
	for _, bucket := range []string{forged[0].bucket, forged[1].bucket} {
		if err := run.use(ctx, session{name: "the administrator", client: p.Administrator}, bucket); err != nil {
			return err
		}
		if err := run.refusedAt(ctx, user, bucket); err != nil {
			return err
		}
	}
	for _, f := range forged {
		if err := run.forge(ctx, user, f.bucket, f.claim, f.value); err != nil {
			return err
		}
	}
	run.report("forged claims in requests: refused (403)")
	return nil
}

// refusedSomewhere has the user refused at a bucket that is not there, which is all that can be tried without the rights of
// somebody else. AWS answers 404 to that, which shows nothing.
func (p UserProof) refusedSomewhere(ctx context.Context, run *proofRun, user session) error {
	bucket := p.Tenancy.UserPrefix + ProofName()
	_, err := user.client.List(ctx, bucket, "")
	switch {
	case Denied(err):
		run.report(fmt.Sprintf("%s: refused at %s (list: 403)", user.name, Location(bucket, "")))
	case IsCode(err, "NoSuchBucket"):
		run.report("not shown: that " + user.name + " is refused at the bucket of somebody else; try it by hand at one that is there")
	case err == nil:
		return fmt.Errorf("%s must not list in %s: %w", user.name, Location(bucket, ""), errNotRefused)
	default:
		return err
	}
	return nil
}

// wrong is all that keeps a token from opening the user's own bucket and no other.
func (p UserProof) wrong(token Token) []string {
	claim := p.Tenancy.UsernameClaim
	var list []string
	tell := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	name, _ := token.Text(claim)
	_, unusable := p.Tenancy.UserBucket(name)
	switch longest := p.Tenancy.LongestName; {
	case name == "":
		tell("%s is missing, or no text. %s", claim, MissingName(claim))
	case unusable != nil:
		tell("%s: %s", claim, unusable)
	case longest > 0 && len(name) > longest:
		tell("%s has %d characters, and names of more than %d are refused", claim, len(name), longest)
	}
	if token.Issuer != p.Issuer {
		tell("iss is %q and has to be %q, letter by letter", token.Issuer, p.Issuer)
	}
	if !slices.Contains(token.Audience, p.Audience) && token.Party != p.Audience {
		tell("aud is [%s] and lacks %q", strings.Join(token.Audience, " "), p.Audience)
	}
	switch {
	case p.RoleARN != "":
		if name != "" && !slices.Equal(token.tag(claim), []string{name}) {
			tell("%s is to hold the session tag %s: [%q]", tagsClaim, claim, name)
		}
	case !slices.Contains(token.Policy, platform.S3Policy):
		tell("policy is [%s] and lacks %q", strings.Join(token.Policy, " "), platform.S3Policy)
	}
	if now := time.Now(); !token.Expires.After(now) {
		tell("it was good until %s, and it is %s: get a new one", stamp(token.Expires), stamp(now))
	}
	return list
}

// MissingName says why every token has to carry the claim with the user's name. MinIO takes a claim that a token lacks, or that
// is no text in it, from a parameter of the request (cmd/bucket-policy.go getConditionValues; seen on a running server), and
// no policy can keep it from that.
func MissingName(claim string) string {
	return fmt.Sprintf("Where a token lacks it, MinIO takes the name from the request's own address (?%s=alice): its user opens every bucket of every user", claim)
}
