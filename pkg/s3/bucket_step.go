package s3

import (
	"context"
	"fmt"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// BucketID is the ID of the step that makes a bucket.
func BucketID(bucket string) engine.ID { return engine.ID("bucket.s3/" + bucket) }

// Bucket is a bucket that has to be there, as a step: a group's, before its first member comes. Mark the step as
// HoldingData.
type Bucket struct {
	Client *Client
	Name   string
}

// Observe tells whether the bucket is there.
func (b Bucket) Observe(ctx context.Context) (bool, error) { return b.Client.HasBucket(ctx, b.Name) }

// Plan makes it if it is not.
func (b Bucket) Plan(exists bool) engine.Change {
	if exists {
		return engine.Change{Action: engine.Unchanged}
	}
	return engine.Change{Action: engine.Create}
}

// Apply makes it.
func (b Bucket) Apply(ctx context.Context, _ bool) error {
	_, err := b.Client.CreateBucket(ctx, b.Name)
	return err
}

// Remove takes the bucket away if it is empty; one that holds objects is an error that says so.
func (b Bucket) Remove(ctx context.Context) error {
	err := b.Client.DeleteBucket(ctx, b.Name)
	if IsCode(err, "BucketNotEmpty") {
		return fmt.Errorf("%w; empty it first: mc rm --recursive --force --versions ALIAS/%s", err, b.Name)
	}
	return err
}

// notYet turns "no such bucket" into an input that the bucket's own step makes known.
func notYet(err error, bucket string) error {
	if IsCode(err, "NoSuchBucket") {
		return &engine.NotYetError{After: BucketID(bucket), Why: "the bucket is not there"}
	}
	return err
}

// Quota limits the size of a bucket in MinIO, as a step.
type Quota struct {
	Admin  *Admin
	Bucket string
	// Bytes that the bucket may reach; 0 for no limit.
	Bytes uint64
}

// Observe reads the limit.
func (q Quota) Observe(ctx context.Context) (uint64, error) {
	bytes, err := q.Admin.Quota(ctx, q.Bucket)
	return bytes, notYet(err, q.Bucket)
}

// Plan compares the two limits.
func (q Quota) Plan(seen uint64) engine.Change {
	if seen == q.Bytes {
		return engine.Change{Action: engine.Unchanged}
	}
	return engine.Change{Action: engine.Configure, Fields: []engine.Field{{Path: "quota", From: limit(seen), To: limit(q.Bytes)}}}
}

func limit(bytes uint64) string {
	if bytes == 0 {
		return "none"
	}
	return fmt.Sprintf("%d bytes", bytes)
}

// Apply writes the limit.
func (q Quota) Apply(ctx context.Context, _ uint64) error {
	return q.Admin.SetQuota(ctx, q.Bucket, q.Bytes)
}
