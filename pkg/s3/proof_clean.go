package s3

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// clean removes what the run made, after an interruption as well: the object, and the bucket if it was not there before.
func (r *proofRun) clean(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
	defer cancel()
	var errs []error
	for _, t := range r.traces {
		if err := t.remove(ctx, r.key); err != nil {
			errs = append(errs, fmt.Errorf("left behind, %s: %w", r.removal(t), err))
			continue
		}
		r.report(fmt.Sprintf("removed what was made in %s", Location(t.bucket, "")))
	}
	return errors.Join(errs...)
}

// removal says how what is left behind goes. With roles nobody here may look into other buckets later on.
func (r *proofRun) removal(t trace) string {
	if r.RoleARN == "" {
		return "a later run removes it"
	}
	command := fmt.Sprintf("aws --endpoint-url %s s3 rm --recursive %s", r.S3.Endpoint, Location(t.bucket, proofFolder))
	if !t.existed {
		command += fmt.Sprintf(" && aws --endpoint-url %s s3 rb %s", r.S3.Endpoint, Location(t.bucket, ""))
	}
	return "remove it by hand: " + command
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

// Sweep removes what proofs left behind in buckets of users and groups of their own, when these are older than the age (by the
// server's clock against this machine's): the objects below the folder of a proof, and the bucket if it is empty then. Somebody
// may have the name of a proof's user, and keeps everything else. It needs credentials that may do so: those of an
// administrator. It returns the names of the buckets that it removed.
func (t Tenancy) Sweep(ctx context.Context, c *Client, age time.Duration) ([]string, error) {
	buckets, err := c.Buckets(ctx)
	if err != nil {
		return nil, err
	}
	var removed []string
	var errs []error
	for _, b := range buckets {
		if !t.OfProof(b.Name) || time.Since(b.Created) < age {
			continue
		}
		err := c.Empty(ctx, b.Name, proofFolder)
		if err == nil {
			err = c.DeleteBucket(ctx, b.Name)
		}
		switch {
		case err == nil:
			removed = append(removed, b.Name)
		case !IsCode(err, "BucketNotEmpty", "NoSuchBucket"):
			errs = append(errs, err)
		}
	}
	return removed, errors.Join(errs...)
}

// OfProof tells a bucket of a user or group such as proofs make.
func (t Tenancy) OfProof(bucket string) bool {
	user, found := strings.CutPrefix(bucket, t.UserPrefix)
	return found && IsProofName(user) || bucket == t.GroupPrefix+ProofGroup
}
