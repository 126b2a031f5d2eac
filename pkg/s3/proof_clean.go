package s3

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// clean removes what the run made: the object, and the bucket if it was not there before.
func (r *proofRun) clean(ctx context.Context) error {
	var errs []error
	for _, t := range r.traces {
		if err := t.remove(ctx, r.key); err != nil {
			errs = append(errs, fmt.Errorf("left behind, a later run removes it: %w", err))
			continue
		}
		r.report(fmt.Sprintf("removed what was made in %s", Location(t.bucket, "")))
	}
	return errors.Join(errs...)
}

func (t trace) remove(ctx context.Context, key string) error {
	err := t.client.Empty(ctx, t.bucket, key)
	if IsCode(err, "NoSuchBucket") {
		return nil
	}
	if err != nil || t.existed {
		return err
	}
	return t.client.DeleteBucket(ctx, t.bucket)
}

// Sweep removes the buckets that proofs left behind, users' and groups', when they are older than the age (by the server's
// clock against this machine's). It needs credentials that may do so: those of an administrator. It returns the names of
// what it removed.
func (t Tenancy) Sweep(ctx context.Context, c *Client, age time.Duration) ([]string, error) {
	buckets, err := c.Buckets(ctx)
	if err != nil {
		return nil, err
	}
	var removed []string
	var errs []error
	for _, b := range buckets {
		if !t.ofProof(b.Name) || time.Since(b.Created) < age {
			continue
		}
		if err := errors.Join(c.Empty(ctx, b.Name, ""), c.DeleteBucket(ctx, b.Name)); err != nil {
			errs = append(errs, err)
			continue
		}
		removed = append(removed, b.Name)
	}
	return removed, errors.Join(errs...)
}

func (t Tenancy) ofProof(bucket string) bool {
	return strings.HasPrefix(bucket, t.UserPrefix+ProofMark) || strings.HasPrefix(bucket, t.GroupPrefix+ProofMark)
}
