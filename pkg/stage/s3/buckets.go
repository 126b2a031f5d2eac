package s3

import (
	"context"
	"errors"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3"
)

// bucketSettings are quota, versioning and the life of old versions, of the buckets that users and groups have by now. A bucket
// that is made later gets them at the next run. What is nil is left alone.
type bucketSettings struct {
	site *site
	// users of the realm, in a MinIO that others run: whose buckets are not these users' or our groups' is not known there. Nil in
	// a MinIO of ours, where the prefix tells.
	users func(context.Context) ([]string, error)
	// quota in bytes, 0 for no limit.
	quota *uint64
	// versioning keeps old versions, or no new ones.
	versioning *bool
	// versionDays after which old versions go, 0 for never.
	versionDays *int
}

// bucketSeen is what one bucket has.
type bucketSeen struct {
	Name       string
	Quota      uint64
	Versioning string
	Lifecycle  s3.LifecycleSeen
}

// atOnce is how many buckets are read or written at the same time: MinIO waits for its disks, not for us.
const atOnce = 8

// Observe reads the settings of every bucket of ours. One that goes meanwhile is left out.
func (b *bucketSettings) Observe(ctx context.Context) ([]bucketSeen, error) {
	client, err := b.site.client(ctx)
	if err != nil {
		return nil, err
	}
	all, err := client.Buckets(ctx)
	if err != nil {
		return nil, err
	}
	known, err := b.known(ctx, client)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(each s3.BucketInfo) bool { return !b.ours(each.Name) || known != nil && !known[each.Name] })
	seen, there := make([]bucketSeen, len(all)), make([]bool, len(all))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, each := range all {
		group.Go(func() error {
			var err error
			seen[i], err = b.read(ctx, client, each.Name)
			if there[i] = !gone(err); !there[i] {
				return nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var list []bucketSeen
	for i, each := range seen {
		if there[i] {
			list = append(list, each)
		}
	}
	return list, nil
}

// known are the buckets of the realm's users, and of the groups whose policy is ours; nil for all of our prefixes.
func (b *bucketSettings) known(ctx context.Context, client *s3.Client) (map[string]bool, error) {
	if b.users == nil {
		return nil, nil
	}
	tenancy := b.site.tenancy
	policies, err := (&s3.Admin{Client: client}).Policies(ctx)
	if err != nil {
		return nil, err
	}
	users, err := b.users(ctx)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for name, document := range policies {
		known[name] = strings.HasPrefix(name, tenancy.GroupPrefix) && s3.Owns(document, tenancy.Owner)
	}
	for _, name := range users {
		known[tenancy.UserPrefix+name] = true
	}
	return known, nil
}

// gone tells a bucket that is not there any more.
func gone(err error) bool {
	var notYet *engine.NotYetError
	return errors.As(err, &notYet) || s3.IsCode(err, "NoSuchBucket")
}

// read reads what the configuration is about.
func (b *bucketSettings) read(ctx context.Context, client *s3.Client, bucket string) (seen bucketSeen, err error) {
	seen.Name = bucket
	if b.quota != nil {
		if seen.Quota, err = b.quotaOf(client, bucket).Observe(ctx); err != nil {
			return seen, err
		}
	}
	if b.versioning != nil {
		if seen.Versioning, err = b.versioningOf(client, bucket).Observe(ctx); err != nil {
			return seen, err
		}
	}
	if b.versionDays != nil {
		seen.Lifecycle, err = b.lifecycleOf(client, bucket).Observe(ctx)
	}
	return seen, err
}

// ours tells the buckets of users and groups; those of proofs come and go.
func (b *bucketSettings) ours(bucket string) bool {
	tenancy := b.site.tenancy
	return (strings.HasPrefix(bucket, tenancy.UserPrefix) || strings.HasPrefix(bucket, tenancy.GroupPrefix)) && !tenancy.OfProof(bucket)
}

func (b *bucketSettings) quotaOf(client *s3.Client, bucket string) s3.Quota {
	return s3.Quota{Admin: &s3.Admin{Client: client}, Bucket: bucket, Bytes: *b.quota}
}

func (b *bucketSettings) versioningOf(client *s3.Client, bucket string) s3.Versioning {
	return s3.Versioning{Client: client, Bucket: bucket, Enabled: *b.versioning}
}

func (b *bucketSettings) lifecycleOf(client *s3.Client, bucket string) s3.Lifecycle {
	return s3.Lifecycle{Client: client, Bucket: bucket, VersionDays: *b.versionDays}
}

// setting is one thing to put right in a bucket.
type setting struct {
	change engine.Change
	write  func(context.Context, *s3.Client) error
}

// settings are what differs in a bucket.
func (b *bucketSettings) settings(seen bucketSeen) []setting {
	var list []setting
	if b.quota != nil {
		list = append(list, setting{b.quotaOf(nil, seen.Name).Plan(seen.Quota), func(ctx context.Context, client *s3.Client) error {
			return b.quotaOf(client, seen.Name).Apply(ctx, seen.Quota)
		}})
	}
	if b.versioning != nil {
		list = append(list, setting{b.versioningOf(nil, seen.Name).Plan(seen.Versioning), func(ctx context.Context, client *s3.Client) error {
			return b.versioningOf(client, seen.Name).Apply(ctx, seen.Versioning)
		}})
	}
	if b.versionDays != nil {
		list = append(list, setting{b.lifecycleOf(nil, seen.Name).Plan(seen.Lifecycle), func(ctx context.Context, client *s3.Client) error {
			return b.lifecycleOf(client, seen.Name).Apply(ctx, seen.Lifecycle)
		}})
	}
	return slices.DeleteFunc(list, func(s setting) bool { return !s.change.Action.Writes() })
}

// Plan compares each bucket.
func (b *bucketSettings) Plan(seen []bucketSeen) engine.Change {
	var fields []engine.Field
	for _, each := range seen {
		for _, s := range b.settings(each) {
			for _, field := range s.change.Fields {
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

// Apply writes what differs. A bucket that has gone meanwhile needs nothing.
func (b *bucketSettings) Apply(ctx context.Context, seen []bucketSeen) error {
	client, err := b.site.client(ctx)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, each := range seen {
		group.Go(func() error {
			for _, s := range b.settings(each) {
				if err := s.write(ctx, client); gone(err) {
					return nil
				} else if err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}
