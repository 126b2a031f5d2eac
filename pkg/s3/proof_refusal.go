package s3

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
)

// attempt is one thing that has to be refused.
type attempt struct {
	name string
	try  func() error
}

// foreignBuckets shows that neither gets into the other's bucket.
func (r *proofRun) foreignBuckets(ctx context.Context) error {
	for _, pair := range [][2]session{{r.member, r.stranger}, {r.stranger, r.member}} {
		if err := r.refusedAt(ctx, pair[0], pair[1].bucket); err != nil {
			return err
		}
	}
	return nil
}

// groupBucket shows that the group's bucket is open to its member and closed to a stranger.
func (r *proofRun) groupBucket(ctx context.Context) error {
	if r.Group == "" {
		return nil
	}
	bucket, err := r.Tenancy.GroupBucket(r.Group)
	if err != nil {
		return err
	}
	if err := r.use(ctx, r.member, bucket); err != nil {
		return err
	}
	r.report(fmt.Sprintf("%s: wrote, read and listed in %s as a member of %s", r.member.name, Location(bucket, ""), r.Group))
	return r.refusedAt(ctx, r.stranger, bucket)
}

// refusedAt tries to get, list, put and delete. The object of the attempt is there, so that only a 403 is a refusal.
func (r *proofRun) refusedAt(ctx context.Context, s session, bucket string) error {
	c := s.client
	attempts := []attempt{
		{"get", func() error { _, err := c.Get(ctx, bucket, r.key); return err }},
		{"list", func() error { _, err := c.List(ctx, bucket, ""); return err }},
		{"put", func() error { return c.Put(ctx, bucket, r.key+"-of-a-stranger", r.content) }},
		{"delete", func() error { return c.Delete(ctx, bucket, r.key, "") }},
	}
	for _, a := range attempts {
		if err := denied(a.try()); err != nil {
			return fmt.Errorf("%s must not %s in %s: %w", s.name, a.name, Location(bucket, ""), err)
		}
	}
	r.report(fmt.Sprintf("%s: refused at %s (get, list, put, delete: 403)", s.name, Location(bucket, "")))
	return nil
}

// forgedClaims shows that nobody can get in by writing a claim into a request. MinIO takes a parameter for a claim that the
// token lacks, and prefers one that begins with a capital, or a header, over the token's in conditions.
func (r *proofRun) forgedClaims(ctx context.Context) error {
	claim := r.Tenancy.UsernameClaim
	for _, pair := range [][2]session{{r.member, r.stranger}, {r.stranger, r.member}} {
		if err := r.forge(ctx, pair[0], pair[1].bucket, claim, pair[1].name); err != nil {
			return err
		}
	}
	if r.Group != "" {
		bucket, err := r.Tenancy.GroupBucket(r.Group)
		if err != nil {
			return err
		}
		for claim, value := range map[string]string{"groups": r.Group, "policy": bucket} {
			if err := r.forge(ctx, r.stranger, bucket, claim, value); err != nil {
				return err
			}
		}
	}
	r.report("forged claims in requests: refused (403)")
	return nil
}

// forge lists a bucket with a claim written into the request in each of the ways.
func (r *proofRun) forge(ctx context.Context, s session, bucket, claim, value string) error {
	capital := http.CanonicalHeaderKey(claim)
	for _, try := range []struct {
		query  url.Values
		header http.Header
	}{
		{query: url.Values{claim: {value}}},
		{query: url.Values{capital: {value}}},
		{query: url.Values{capital: {value, s.name}}},
		{header: http.Header{capital: {value}}},
	} {
		query := url.Values{"list-type": {"2"}}
		maps.Copy(query, try.query)
		_, err := s.client.send(ctx, request{
			operation: "list " + Location(bucket, ""), method: http.MethodGet, path: "/" + bucket, query: query, header: try.header, region: s.client.region(),
		})
		if err := denied(err); err != nil {
			return fmt.Errorf("%s must not open %s with the claim %s=%s written into the request: %w: MinIO takes it from there, so no policy of a token may allow by a condition on jwt:%s",
				s.name, Location(bucket, ""), claim, value, err, claim)
		}
	}
	return nil
}

// errNotRefused is what an attempt comes to that should have been refused and was not.
var errNotRefused = errors.New("it was not refused")

// denied is nil for a 403. Anything else is no proof: success least, but a 404 neither.
func denied(err error) error {
	switch {
	case err == nil:
		return errNotRefused
	case Denied(err):
		return nil
	default:
		return fmt.Errorf("no refusal but another answer: %w", err)
	}
}
