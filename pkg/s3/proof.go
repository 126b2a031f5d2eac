package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// ProofMark begins the names of the users, and so marks the buckets, that a proof makes for itself.
const ProofMark = platform.S3ProofPrefix

// ProofGroup is a group for proofs only. The policy has to hold it.
const ProofGroup = ProofMark + "group"

// proofFolder is where a proof writes in a bucket, whosever it is.
const proofFolder = ".onyxia-proof/"

// ProofName is a new name for a user of a proof.
func ProofName() string { return ProofMark + strings.ToLower(rand.Text()[:proofRandom]) }

// proofRandom is how many characters of such a name are by chance.
const proofRandom = 8

// IsProofName tells a name that ProofName may have given. A person may be called so, too.
func IsProofName(name string) bool {
	random, found := strings.CutPrefix(name, ProofMark)
	// The alphabet of rand.Text (RFC 4648 section 6).
	return found && len(random) == proofRandom && strings.Trim(random, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// Person is one of the two users that a proof needs.
type Person struct {
	// Name as the username claim has it.
	Name string
	// Token gets an access token of this user for the client onyxia-minio.
	Token func(context.Context) (string, error)
}

// Target is what a proof is run against.
type Target struct {
	// S3 is the server; its credentials are not used.
	S3 *Client
	// STS is where tokens are exchanged; nil for the S3 endpoint itself (MinIO, Ceph).
	STS     *Client
	Tenancy Tenancy
	// RoleARN for AWS and Ceph.
	RoleARN string
	// Duration of the credentials; 0 for the server's default.
	Duration time.Duration
}

// Proof shows that a token buys credentials, that those open the user's bucket and the group's, and nobody else's.
type Proof struct {
	Target
	// Member belongs to Group; Stranger belongs to no group at all.
	Member, Stranger Person
	// Group whose bucket is tried; empty for a proof without groups.
	Group string
}

// cleanTime is how long a proof may take to remove its traces after it was stopped.
const cleanTime = 30 * time.Second

// Run tells each thing that was shown as one line, and stops at the first that was not. Whatever it made is removed when
// it returns, also after the context was cancelled; what could not be removed is part of the error.
func (p Proof) Run(ctx context.Context, report func(line string)) (err error) {
	run := newProofRun(p, report)
	defer func() { err = errors.Join(err, run.clean(ctx)) }()
	for _, step := range []func(context.Context) error{run.login, run.secret, run.ownBuckets, run.foreignBuckets, run.groupBucket, run.forgedClaims} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func newProofRun(p Proof, report func(string)) *proofRun {
	return &proofRun{Proof: p, report: report, key: proofFolder + strings.ToLower(rand.Text()), content: []byte(rand.Text())}
}

// proofRun is a proof on its way.
type proofRun struct {
	Proof
	report           func(string)
	key              string
	content          []byte
	member, stranger session
	traces           []trace
}

// session is a person with credentials and the bucket that is theirs.
type session struct {
	name   string
	bucket string
	token  Token
	client *Client
}

// trace is what may have to be removed: an object, and its bucket if that was not there before.
type trace struct {
	client  *Client
	bucket  string
	existed bool
}

func (r *proofRun) login(ctx context.Context) (err error) {
	if r.member, err = r.enter(ctx, r.Member); err != nil {
		return err
	}
	if r.stranger, err = r.enter(ctx, r.Stranger); err != nil {
		return err
	}
	return r.checkGroups()
}

// secret is about MinIO, which alone has one. Which of the clients that a token is for is MinIO's own cannot be seen here.
func (r *proofRun) secret(ctx context.Context) error {
	if r.RoleARN != "" {
		return nil
	}
	token := r.member.token
	clients := token.Audience
	if token.Party != "" && !slices.Contains(clients, token.Party) {
		clients = append(slices.Clone(clients), token.Party)
	}
	return hasSecret(ctx, r.tokens(), r.Tenancy, token.Issuer, clients, r.report)
}

// tokens is where tokens are exchanged.
func (r *proofRun) tokens() *Client {
	if r.STS != nil {
		return r.STS
	}
	return r.S3
}

// enter gets a token, looks at it, and exchanges it.
func (r *proofRun) enter(ctx context.Context, person Person) (session, error) {
	bucket, err := r.Tenancy.UserBucket(person.Name)
	if err != nil {
		return session{}, err
	}
	jwt, err := person.Token(ctx)
	if err != nil {
		return session{}, fmt.Errorf("token for %s: %w", person.Name, err)
	}
	token, err := ReadToken(jwt)
	if err != nil {
		return session{}, fmt.Errorf("token for %s: %w", person.Name, err)
	}
	if err := r.checkName(token, person.Name); err != nil {
		return session{}, err
	}
	credentials, err := r.tokens().AssumeRoleWithWebIdentity(ctx, WebIdentity{Token: jwt, RoleARN: r.RoleARN, SessionName: person.Name, Duration: r.Duration})
	if err != nil {
		return session{}, fmt.Errorf("%s: %w", person.Name, err)
	}
	r.report(fmt.Sprintf("%s: token for [%s] exchanged for credentials until %s", person.Name, strings.Join(token.Audience, " "), stamp(credentials.Expires)))
	return session{name: person.Name, bucket: bucket, token: token, client: r.S3.As(credentials)}, nil
}

// checkName makes sure of the claim that decides about the bucket. MinIO takes a claim that a token lacks from a parameter
// of the request (cmd/bucket-policy.go getConditionValues; seen on a running server).
func (r *proofRun) checkName(token Token, name string) error {
	claim := r.Tenancy.UsernameClaim
	got, ok := token.Text(claim)
	switch {
	case !ok || got == "":
		return fmt.Errorf("the token of %s carries no claim %q, and MinIO would take the name from a request's URL instead: anybody could open any bucket; give client %s of the realm the default client scope \"profile\"", name, claim, token.Party)
	case got != name:
		return fmt.Errorf("the token of %s says %q in the claim %q; compare auth.usernameClaim with the client's mappers", name, got, claim)
	}
	return nil
}

func (r *proofRun) checkGroups() error {
	if r.Group == "" {
		return nil
	}
	policy, err := r.Tenancy.GroupPolicy(r.Group)
	if err != nil {
		return err
	}
	if r.RoleARN != "" {
		return nil // a server with roles asks for no claim "policy"
	}
	if !slices.Contains(r.member.token.Policy, policy) {
		return fmt.Errorf("the token of %s, a member of group %q, names the policies [%s] and not %s; the group needs the client role of that name, and the client a mapper from roles to the claim \"policy\"",
			r.member.name, r.Group, strings.Join(r.member.token.Policy, " "), policy)
	}
	if slices.Contains(r.stranger.token.Policy, policy) {
		return fmt.Errorf("the token of %s names the policy %s of group %q, of which they are no member", r.stranger.name, policy, r.Group)
	}
	return nil
}

// ownBuckets shows that each can write, read and list in the bucket that is theirs.
func (r *proofRun) ownBuckets(ctx context.Context) error {
	for _, s := range []session{r.member, r.stranger} {
		if err := r.use(ctx, s, s.bucket); err != nil {
			return err
		}
		r.report(fmt.Sprintf("%s: wrote, read and listed in %s", s.name, Location(s.bucket, "")))
	}
	return nil
}

// use makes the bucket if it is not there, and writes, reads and lists in it.
func (r *proofRun) use(ctx context.Context, s session, bucket string) error {
	existed, err := s.client.HasBucket(ctx, bucket)
	if err != nil {
		return fmt.Errorf("%s at their own bucket: %w", s.name, err)
	}
	r.traces = append(r.traces, trace{client: s.client, bucket: bucket, existed: existed})
	if _, err := s.client.CreateBucket(ctx, bucket); err != nil {
		return fmt.Errorf("%s at their own bucket: %w", s.name, err)
	}
	if err := s.client.Put(ctx, bucket, r.key, r.content); err != nil {
		return fmt.Errorf("%s at their own bucket: %w", s.name, err)
	}
	content, err := s.client.Get(ctx, bucket, r.key)
	if err != nil {
		return fmt.Errorf("%s at their own bucket: %w", s.name, err)
	}
	if !bytes.Equal(content, r.content) {
		return fmt.Errorf("%s read something else from %s than they wrote", s.name, Location(bucket, r.key))
	}
	listed, err := s.client.List(ctx, bucket, r.key)
	if err != nil {
		return fmt.Errorf("%s at their own bucket: %w", s.name, err)
	}
	if len(listed) != 1 {
		return fmt.Errorf("%s wrote %s, and the listing has %d such objects", s.name, Location(bucket, r.key), len(listed))
	}
	return nil
}
