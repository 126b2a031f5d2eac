package s3

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3"
)

// inside makes the steps in MinIO: policies, the groups' buckets, and the settings of all buckets. Other servers have no
// API for it that we could use.
func (s *site) inside() ([]engine.Step, error) {
	if !s.env.Platform.S3.HasMinIOAPI() {
		return nil, nil
	}
	policies, err := s.tenancy.Policies()
	if err != nil {
		return nil, err
	}
	gate := engine.New(loadedID, &loaded{site: s})
	if s.env.Platform.S3.InstallsMinIO() {
		gate.Needs = append(gate.Needs, releaseID)
	}
	list := []engine.Step{gate}
	for _, p := range policies {
		list = append(list, adminStep(s, s3.PolicyID(p.Name), func(c *s3.Client) s3.CannedPolicy {
			return s3.CannedPolicy{Admin: &s3.Admin{Client: c}, Name: p.Name, Want: p.Policy, Shared: !s.env.Platform.S3.InstallsMinIO()}
		}))
	}
	needs := s.afterServer()
	if s.roles != nil {
		needs = append(needs, keycloak.ClientStepID(platform.S3ConsoleClientID))
	}
	list = append(list, engine.New(groupsID, &realmGroups{site: s}, needs...))
	buckets, err := s.buckets()
	return append(list, buckets...), err
}

// buckets are those of the configuration's groups, and the settings of all.
func (s *site) buckets() ([]engine.Step, error) {
	var list []engine.Step
	needs := s.afterServer()
	for _, name := range s.tenancy.Groups {
		if name == s3.ProofGroup {
			continue // made and removed by each proof
		}
		bucket, err := s.tenancy.GroupBucket(name)
		if err != nil {
			return nil, err
		}
		step := adminStep(s, s3.BucketID(bucket), func(c *s3.Client) s3.Bucket { return s3.Bucket{Client: c, Name: bucket, Owner: s.owner()} })
		if s.owner() != "" {
			// A bucket that a run has made and not marked, because it was killed, is known by the policy.
			step.Needs = append(step.Needs, s3.PolicyID(bucket))
		}
		list = append(list, step.HoldingData("the files of group "+name))
		needs = append(needs, step.ID)
	}
	settings, err := s.settings()
	if err != nil || settings == nil {
		return list, err
	}
	return append(list, engine.New(bucketsID, settings, needs...)), nil
}

// owner marks what is ours in a MinIO that others run; empty in one of ours, where all is.
func (s *site) owner() string {
	if s.env.Platform.S3.InstallsMinIO() {
		return ""
	}
	return s.tenancy.Owner
}

// settings of the configuration; nil for none.
func (s *site) settings() (*bucketSettings, error) {
	wanted := s.env.Platform.S3
	if wanted.Quota == "" && wanted.Versioning == nil && wanted.VersionDays == nil {
		return nil, nil
	}
	settings := &bucketSettings{site: s, versioning: wanted.Versioning, versionDays: wanted.VersionDays}
	if s.owner() != "" {
		settings.users = s.users
	}
	if wanted.Quota != "" {
		quantity, err := resource.ParseQuantity(wanted.Quota)
		if err != nil {
			return nil, fmt.Errorf("s3.quota: %w", err)
		}
		bytes := uint64(max(quantity.Value(), 0))
		settings.quota = &bytes
	}
	return settings, nil
}

// users are the names of the realm's users.
func (s *site) users(ctx context.Context) ([]string, error) {
	users, err := s.env.Keycloak.Realm.Users(ctx, "")
	if err != nil {
		return nil, err
	}
	names := make([]string, len(users))
	for i, each := range users {
		names[i] = each.Username
	}
	return names, nil
}

// remote is a thing in MinIO that can be taken away.
type remote[S any] interface {
	engine.Resource[S]
	engine.Remover
}

// adminResource is a thing in MinIO whose administrator may not be known yet when the steps are made.
type adminResource[S any, R remote[S]] struct {
	site *site
	make func(*s3.Client) R
}

// adminStep makes the step of a thing in MinIO. In a MinIO that we installed it is not removed by itself: it is part of what
// the volume holds, and goes or stays with that.
func adminStep[S any, R remote[S]](s *site, id engine.ID, make func(*s3.Client) R) engine.Step {
	thing := &adminResource[S, R]{site: s, make: make}
	if s.env.Platform.S3.InstallsMinIO() {
		return engine.New(id, thing, s.afterServer()...)
	}
	return engine.New(id, &removableAdminResource[S, R]{adminResource: thing}, s.afterServer()...)
}

// Observe reads it as the administrator.
func (l *adminResource[S, R]) Observe(ctx context.Context) (S, error) {
	client, err := l.site.client(ctx)
	if err != nil {
		var none S
		return none, err
	}
	return l.make(client).Observe(ctx)
}

// Plan compares; no connection is used for that.
func (l *adminResource[S, R]) Plan(seen S) engine.Change { return l.make(nil).Plan(seen) }

// Apply writes it as the administrator.
func (l *adminResource[S, R]) Apply(ctx context.Context, seen S) error {
	client, err := l.site.client(ctx)
	if err != nil {
		return err
	}
	return l.make(client).Apply(ctx, seen)
}

// removableAdminResource is one in a server that others run.
type removableAdminResource[S any, R remote[S]] struct{ *adminResource[S, R] }

// Remove takes it away as the administrator.
func (l *removableAdminResource[S, R]) Remove(ctx context.Context) error {
	client, err := l.site.client(ctx)
	if err != nil {
		return err
	}
	return l.make(client).Remove(ctx)
}

// RefuseRemoval keeps what is not ours. Where the server cannot be asked, the removal itself says so.
func (l *removableAdminResource[S, R]) RefuseRemoval(ctx context.Context) string {
	client, err := l.site.client(ctx)
	if err != nil {
		return ""
	}
	if r, ok := any(l.make(client)).(engine.Refuser); ok {
		return r.RefuseRemoval(ctx)
	}
	return ""
}
