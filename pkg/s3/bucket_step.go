package s3

import (
	"context"
	"fmt"
	"maps"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// BucketID is the ID of the step that makes a bucket.
func BucketID(bucket string) engine.ID { return engine.ID("bucket.s3/" + bucket) }

// Bucket is a bucket that has to be there, as a step: a group's, before its first member comes. Mark the step as
// HoldingData.
type Bucket struct {
	Client *Client
	Name   string
	// Owner marks a bucket as one datalab's, in a MinIO that others use, too: a bucket of that name may be somebody else's, and
	// members would get it. Empty in a MinIO of ours.
	Owner string
}

// ownerTag is the tag of a bucket that holds its owner.
const ownerTag = "owner"

// BucketSeen is a bucket as the server has it.
type BucketSeen struct {
	Exists bool
	// Tags of the bucket, read where it has an owner.
	Tags map[string]string
	// Opened says that the policy of the group is the owner's: buckets that Onyxia's page makes, and those of former versions, have
	// no tag.
	Opened bool
}

// Observe tells whether the bucket is there, and whose it is.
func (b Bucket) Observe(ctx context.Context) (seen BucketSeen, err error) {
	if seen.Exists, err = b.Client.HasBucket(ctx, b.Name); err != nil || !seen.Exists || b.Owner == "" {
		return seen, err
	}
	if seen.Tags, err = b.Client.bucketTags(ctx, b.Name); err != nil {
		return seen, err
	}
	document, err := (&Admin{Client: b.Client}).PolicyDocument(ctx, b.Name)
	seen.Opened = Owns(document, b.Owner)
	return seen, err
}

// Plan makes it if it is not there, and stops where it is somebody else's.
func (b Bucket) Plan(seen BucketSeen) engine.Change {
	switch {
	case !seen.Exists:
		return engine.Change{Action: engine.Create}
	case b.Owner == "", seen.Tags[ownerTag] == b.Owner:
		return engine.Change{Action: engine.Unchanged}
	case b.Theirs(seen):
		return engine.Change{
			Action: engine.Blocked,
			Why:    fmt.Sprintf("bucket %q of this MinIO was there before this datalab had such a group, and its members would get it", b.Name),
			Fix: fmt.Sprintf("call the group otherwise, or take another prefixes.group; if the bucket is to be the group's, say so: mc tag set ALIAS/%s %q (which replaces its tags)",
				b.Name, ownerTag+"="+b.Owner),
		}
	}
	return engine.Change{Action: engine.Configure, Fields: []engine.Field{{Path: "tag " + ownerTag, From: seen.Tags[ownerTag], To: b.Owner}}}
}

// Theirs tells a bucket of somebody else.
func (b Bucket) Theirs(seen BucketSeen) bool {
	return b.Owner != "" && seen.Exists && !seen.Opened && seen.Tags[ownerTag] != b.Owner
}

// RefuseRemoval keeps the bucket of somebody else.
func (b Bucket) RefuseRemoval(ctx context.Context) string {
	if seen, err := b.Observe(ctx); err != nil || !b.Theirs(seen) {
		return ""
	}
	return fmt.Sprintf("bucket %q was not made by this datalab", b.Name)
}

// Apply makes it, and marks it.
func (b Bucket) Apply(ctx context.Context, seen BucketSeen) error {
	if !seen.Exists {
		created, err := b.Client.CreateBucket(ctx, b.Name)
		if err != nil {
			return err
		}
		if !created && b.Owner != "" {
			return fmt.Errorf("bucket %s was made by somebody else a moment ago: look whose it is, and run this again", b.Name)
		}
	}
	if b.Owner == "" {
		return nil
	}
	tags := maps.Clone(seen.Tags)
	if tags == nil {
		tags = map[string]string{}
	}
	tags[ownerTag] = b.Owner
	return b.Client.setBucketTags(ctx, b.Name, tags)
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
