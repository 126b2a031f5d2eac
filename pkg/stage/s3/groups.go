package s3

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3"
)

// realmGroups gives the groups that were made in the realm by hand what those of the configuration have: a policy in MinIO,
// a role of client minio that names it, and the role to the group. It takes away what groups that are gone have left. One
// that the configuration names no longer is not gone: its members still have it in their tokens.
type realmGroups struct{ site *site }

// groupsSeen is what there is of all groups.
type groupsSeen struct {
	// Groups of the realm with their roles, and the Roles of client minio; none at an issuer that is not ours.
	Groups []keycloak.GroupRoles
	Roles  []keycloak.ClientRole
	// Policies of MinIO as they stand there.
	Policies map[string]json.RawMessage
	// Taken are the names of buckets that groups of the realm would have and that somebody else has made, in a MinIO that others run.
	Taken []string
	// Directories from which a realm of ours takes users.
	Directories []string
}

// correction is one thing to put right.
type correction struct {
	field engine.Field
	do    func(context.Context, *s3.Admin) error
}

// Observe reads groups, roles, policies and directories, one request for each.
func (g *realmGroups) Observe(ctx context.Context) (groupsSeen, error) {
	var seen groupsSeen
	client, err := g.site.client(ctx)
	if err != nil {
		return seen, err
	}
	if seen.Policies, err = (&s3.Admin{Client: client}).Policies(ctx); err != nil {
		return seen, err
	}
	if g.site.roles != nil {
		if seen.Groups, err = g.site.roles.Groups(ctx); err != nil {
			return seen, err
		}
		if seen.Roles, err = g.site.roles.List(ctx); err != nil {
			return seen, err
		}
	}
	if seen.Taken, err = g.takenBuckets(ctx, client, seen); err != nil {
		return seen, err
	}
	if g.site.env.Platform.Auth.InstallsKeycloak() {
		if seen.Directories, err = g.site.env.Keycloak.Realm.Federations(ctx); err != nil {
			return seen, err
		}
	}
	for _, doubt := range g.doubts(seen) {
		g.site.env.Warn("s3: " + doubt)
	}
	return seen, nil
}

// takenBuckets looks at the buckets of groups that have no policy yet.
func (g *realmGroups) takenBuckets(ctx context.Context, client *s3.Client, seen groupsSeen) (taken []string, err error) {
	owner := g.site.owner()
	if owner == "" {
		return nil, nil
	}
	tenancy, _ := g.others(seen)
	for _, name := range tenancy.Groups {
		bucket := s3.Bucket{Client: client, Name: tenancy.GroupPrefix + name, Owner: owner}
		if seen.Policies[bucket.Name] != nil {
			continue
		}
		found, err := bucket.Observe(ctx)
		if err != nil {
			return nil, err
		}
		if bucket.Theirs(found) {
			taken = append(taken, bucket.Name)
		}
	}
	return taken, nil
}

// doubts are what an admin may not expect: groups that the configuration names no longer and that keep their bucket, names
// that can have none, policies of others, groups that share a bucket, and groups in groups, whose members have in Keycloak
// whatever role the outer group has. Onyxia itself shows them the inner group only.
func (g *realmGroups) doubts(seen groupsSeen) []string {
	list := slices.Concat(g.dropped(seen), g.sharing(seen), g.taken(seen))
	for _, name := range seen.Directories {
		list = append(list, "users of the directory "+name+" in realm "+g.site.env.Platform.Auth.Realm+" come with names that our sign-up has not checked, and a name with a star, a question mark or a slash may open other people's buckets: "+
			"keep such names out there, for LDAP by its \"user LDAP filter\"")
	}
	_, refused := g.others(seen)
	for _, err := range refused {
		list = append(list, err.Error()+"; it gets none")
	}
	for _, each := range seen.Groups {
		at := strings.LastIndex(each.Path, "/")
		if at < 0 {
			continue
		}
		outer := each.Path[strings.LastIndex(each.Path[:at], "/")+1 : at]
		if bucket, err := g.site.tenancy.GroupBucket(outer); err == nil {
			list = append(list, "members of group "+each.Path+" have the bucket "+bucket+" of the group around it as well")
		}
	}
	return list
}

// sharing tells groups of the same last name: tokens, buckets and Onyxia know groups by that.
func (g *realmGroups) sharing(seen groupsSeen) (list []string) {
	var paths []string
	for _, each := range seen.Groups {
		paths = append(paths, each.Path)
	}
	for _, each := range g.site.groups {
		paths = append(paths, each.path)
	}
	for _, same := range platform.SameNames(paths) {
		bucket, err := g.site.tenancy.GroupBucket(platform.GroupName(same[0]))
		if err != nil {
			continue
		}
		slices.Sort(same)
		list = append(list, "groups "+strings.Join(same, " and ")+" end in the same name and share the bucket "+bucket+": rename one of them if they are not to")
	}
	return list
}

// taken tells the groups that the realm alone knows and whose policy or bucket is somebody else's, in a MinIO that others run.
func (g *realmGroups) taken(seen groupsSeen) (list []string) {
	tenancy, _ := g.others(seen)
	for _, name := range tenancy.Groups {
		want, err := policyOf(tenancy, name)
		switch {
		case err != nil:
		case slices.Contains(seen.Taken, want.Name):
			list = append(list, "group "+name+" gets no bucket: "+want.Name+" of this MinIO was made by somebody else; if it is to be the group's: mc tag set ALIAS/"+want.Name+
				` "owner=`+tenancy.Owner+`" (which replaces its tags)`)
		case g.foreign(seen.Policies[want.Name], want.Policy):
			list = append(list, "group "+name+" gets no bucket: policy "+want.Name+" of this MinIO was written by somebody else: mc admin policy info ALIAS "+want.Name)
		}
	}
	return list
}

// foreign tells a policy that is not as we want it and that we have not written, in a MinIO that others run.
func (g *realmGroups) foreign(document json.RawMessage, want s3.Policy) bool {
	return !g.site.env.Platform.S3.InstallsMinIO() && document != nil && !same(document, want) && !s3.Owns(document, want.ID)
}

// dropped tells the groups that were in the configuration once. At an issuer that is not ours nobody can tell whether they
// are gone; there a policy is what is left of them.
func (g *realmGroups) dropped(seen groupsSeen) (list []string) {
	tenancy, _ := g.others(seen)
	for _, name := range tenancy.Groups {
		bucket := tenancy.GroupPrefix + name
		if slices.Contains(seen.Roles, keycloak.ClientRole{Name: bucket, Description: memberRole}) {
			list = append(list, "group "+name+" is not in auth.groups any more and still in the realm, so its members keep the bucket "+bucket+
				": put it back, or delete it in the realm, and the next s3 configure takes its policy and its role away; the files stay")
		}
	}
	if g.site.roles != nil {
		return list
	}
	for _, policy := range slices.Sorted(maps.Keys(seen.Policies)) {
		group, ours := strings.CutPrefix(policy, g.site.tenancy.GroupPrefix)
		if ours && group != s3.ProofGroup && !slices.Contains(g.site.tenancy.Groups, group) && ourForm(g.site.tenancy, group, seen.Policies[policy]) {
			list = append(list, "group "+group+" is not in auth.groups, and whoever's token has "+policy+" in the claim policy opens its bucket: put it back, or remove the policy: mc admin policy remove ALIAS "+policy)
		}
	}
	return list
}

// Plan names what groups lack and what is left over.
func (g *realmGroups) Plan(seen groupsSeen) engine.Change {
	tenancy, _ := g.others(seen)
	corrections := g.corrections(seen, tenancy)
	if len(corrections) == 0 {
		return engine.Change{Action: engine.Unchanged}
	}
	fields := make([]engine.Field, len(corrections))
	for i, c := range corrections {
		fields[i] = c.field
	}
	return engine.Change{Action: engine.Configure, Fields: fields}
}

// Apply puts everything right.
func (g *realmGroups) Apply(ctx context.Context, seen groupsSeen) error {
	client, err := g.site.client(ctx)
	if err != nil {
		return err
	}
	tenancy, _ := g.others(seen)
	for _, c := range g.corrections(seen, tenancy) {
		if err := c.do(ctx, &s3.Admin{Client: client}); err != nil {
			return err
		}
	}
	return nil
}

// others is the tenancy of the groups that only the realm knows, and why some can have no bucket.
func (g *realmGroups) others(seen groupsSeen) (s3.Tenancy, []error) {
	names := map[string]bool{}
	for _, each := range seen.Groups {
		if !slices.Contains(g.site.tenancy.Groups, each.Name) {
			names[each.Name] = true
		}
	}
	tenancy := g.site.tenancy
	tenancy.Groups = slices.Sorted(maps.Keys(names))
	return tenancy.Usable()
}

func (g *realmGroups) corrections(seen groupsSeen, others s3.Tenancy) []correction {
	var list []correction
	for _, name := range others.Groups {
		list = append(list, g.opened(seen, others, name)...)
	}
	return append(list, g.leftOver(seen, others)...)
}

// opened is what a group lacks.
func (g *realmGroups) opened(seen groupsSeen, others s3.Tenancy, name string) []correction {
	want, err := policyOf(others, name)
	if err != nil {
		return nil
	}
	var list []correction
	add := func(path, to string, do func(context.Context, *s3.Admin) error) {
		list = append(list, correction{engine.Field{Path: "group " + name + ": " + path, To: to}, do})
	}
	if g.foreign(seen.Policies[want.Name], want.Policy) || slices.Contains(seen.Taken, want.Name) {
		return nil
	}
	if !same(seen.Policies[want.Name], want.Policy) {
		add("policy", want.Name, func(ctx context.Context, admin *s3.Admin) error { return admin.PutPolicy(ctx, want.Name, want.Policy) })
	}
	if !slices.ContainsFunc(seen.Roles, func(r keycloak.ClientRole) bool { return r.Name == want.Name }) {
		add("role", want.Name, func(ctx context.Context, _ *s3.Admin) error { return g.site.roles.Add(ctx, want.Name, foundRole) })
	}
	for _, each := range seen.Groups {
		if each.Name == name && !slices.Contains(each.Roles, want.Name) {
			add("role of "+each.Path, want.Name, func(ctx context.Context, _ *s3.Admin) error { return g.site.roles.Grant(ctx, each.Path, want.Name) })
		}
	}
	return list
}

// leftOver is what belonged to groups that are gone. In a MinIO that others run, policies of the same form that are not marked
// as ours may be somebody else's, and stay. At an issuer that is not ours nobody knows which groups are gone.
func (g *realmGroups) leftOver(seen groupsSeen, others s3.Tenancy) []correction {
	if g.site.roles == nil {
		return nil
	}
	known := slices.Concat(g.site.tenancy.Groups, others.Groups)
	gone := func(name string) (string, bool) {
		group, ours := strings.CutPrefix(name, g.site.tenancy.GroupPrefix)
		return group, ours && !slices.Contains(known, group)
	}
	var list []correction
	for _, name := range slices.Sorted(maps.Keys(seen.Policies)) {
		group, left := gone(name)
		if !left || !g.site.env.Platform.S3.InstallsMinIO() && !s3.Owns(seen.Policies[name], g.site.tenancy.Owner) || !ourForm(g.site.tenancy, group, seen.Policies[name]) {
			continue
		}
		list = append(list, correction{engine.Field{Path: "group " + group + ": policy", From: name},
			func(ctx context.Context, admin *s3.Admin) error { return admin.RemovePolicy(ctx, name) }})
	}
	for _, role := range seen.Roles {
		if group, left := gone(role.Name); left && (role.Description == memberRole || role.Description == foundRole) {
			list = append(list, correction{engine.Field{Path: "group " + group + ": role", From: role.Name},
				func(ctx context.Context, _ *s3.Admin) error { return g.site.roles.Remove(ctx, role.Name) }})
		}
	}
	return list
}

// policyOf is the policy that opens a group's bucket.
func policyOf(tenancy s3.Tenancy, group string) (s3.NamedPolicy, error) {
	tenancy.Groups = []string{group}
	policies, err := tenancy.Policies()
	if err != nil {
		return s3.NamedPolicy{}, err
	}
	return policies[len(policies)-1], nil
}

func same(document json.RawMessage, want s3.Policy) bool {
	if document == nil {
		return false
	}
	seen, err := s3.ParsePolicy(document)
	return err == nil && seen.Canonical() == want.Canonical()
}

// ourForm tells whether a policy is the one that we would write for that group.
func ourForm(tenancy s3.Tenancy, group string, document json.RawMessage) bool {
	want, err := policyOf(tenancy, group)
	return err == nil && same(document, want.Policy)
}
