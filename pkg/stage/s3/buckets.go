package s3

import (
	"context"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3"
)

// bucketSettings are quota and versioning of the buckets that users and groups have by now. A bucket that is made later
// gets them at the next run.
type bucketSettings struct {
	site *site
	// quota in bytes, 0 for no limit; nil leaves quotas alone.
	quota *uint64
	// versioning of all buckets; false leaves it alone.
	versioning bool
}

// bucketSeen is what one bucket has.
type bucketSeen struct {
	Name       string
	Quota      uint64
	Versioning string
}

// Observe reads the settings of every bucket of ours, two requests for each.
func (b *bucketSettings) Observe(ctx context.Context) ([]bucketSeen, error) {
	client, err := b.site.client(ctx)
	if err != nil {
		return nil, err
	}
	all, err := client.Buckets(ctx)
	if err != nil {
		return nil, err
	}
	var list []bucketSeen
	for _, each := range all {
		if !b.ours(each.Name) {
			continue
		}
		seen := bucketSeen{Name: each.Name}
		if b.quota != nil {
			if seen.Quota, err = b.quotaOf(client, each.Name).Observe(ctx); err != nil {
				return nil, err
			}
		}
		if b.versioning {
			if seen.Versioning, err = b.versioningOf(client, each.Name).Observe(ctx); err != nil {
				return nil, err
			}
		}
		list = append(list, seen)
	}
	return list, nil
}

// ours tells the buckets of users and groups; those of proofs come and go.
func (b *bucketSettings) ours(bucket string) bool {
	for _, prefix := range []string{b.site.tenancy.UserPrefix, b.site.tenancy.GroupPrefix} {
		if name, found := strings.CutPrefix(bucket, prefix); found {
			return !strings.HasPrefix(name, s3.ProofMark)
		}
	}
	return false
}

func (b *bucketSettings) quotaOf(client *s3.Client, bucket string) s3.Quota {
	return s3.Quota{Admin: &s3.Admin{Client: client}, Bucket: bucket, Bytes: *b.quota}
}

func (b *bucketSettings) versioningOf(client *s3.Client, bucket string) s3.Versioning {
	return s3.Versioning{Client: client, Bucket: bucket, Enabled: true}
}

// Plan compares each bucket.
func (b *bucketSettings) Plan(seen []bucketSeen) engine.Change {
	var fields []engine.Field
	for _, each := range seen {
		for _, change := range b.changes(each) {
			for _, field := range change.Fields {
				field.Path = each.Name + ": " + field.Path
				fields = append(fields, field)
			}
		}
	}
	if len(fields) == 0 {
		return engine.Change{Action: engine.Unchanged}
	}
	return engine.Change{Action: engine.Configure, Fields: fields}
}

func (b *bucketSettings) changes(seen bucketSeen) []engine.Change {
	var list []engine.Change
	if b.quota != nil {
		list = append(list, b.quotaOf(nil, seen.Name).Plan(seen.Quota))
	}
	if b.versioning {
		list = append(list, b.versioningOf(nil, seen.Name).Plan(seen.Versioning))
	}
	return list
}

// Apply writes what differs.
func (b *bucketSettings) Apply(ctx context.Context, seen []bucketSeen) error {
	client, err := b.site.client(ctx)
	if err != nil {
		return err
	}
	for _, each := range seen {
		if b.quota != nil && b.quotaOf(nil, each.Name).Plan(each.Quota).Action.Writes() {
			if err := b.quotaOf(client, each.Name).Apply(ctx, each.Quota); err != nil {
				return err
			}
		}
		if b.versioning && b.versioningOf(nil, each.Name).Plan(each.Versioning).Action.Writes() {
			if err := b.versioningOf(client, each.Name).Apply(ctx, each.Versioning); err != nil {
				return err
			}
		}
	}
	return nil
}
