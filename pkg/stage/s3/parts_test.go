package s3

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

func siteOf(t *testing.T, change func(*platform.Config)) *site {
	t.Helper()
	config := platform.Config{Domain: "demo.test"}
	config.Auth.Groups = []string{"group1"}
	if change != nil {
		change(&config)
	}
	s, err := newSite(environment(t, config, &kube.Client{}, func(string) {}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// opening is the policy document that opens a group's bucket, as MinIO shows it.
func opening(t *testing.T, group string) json.RawMessage {
	t.Helper()
	p, err := policyOf(siteOf(t, nil).tenancy, group)
	if err != nil {
		t.Fatal(err)
	}
	return p.Policy.JSON()
}

// unmarked is the same without the mark of the datalab.
func unmarked(t *testing.T, group string) json.RawMessage {
	t.Helper()
	p, err := s3.ParsePolicy(opening(t, group))
	if err != nil || p.ID == "" {
		t.Fatal(p.ID, err)
	}
	p.ID = ""
	return p.JSON()
}

// elsewhere is a MinIO that others run.
func elsewhere(c *platform.Config) {
	c.S3.Mode, c.S3.URL, c.S3.CredentialsSecret = "external", "https://s3.example.org", "a/b"
}

func TestGroupsOfTheRealm(t *testing.T) {
	wide := json.RawMessage(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::*"]}]}`)
	settled := func() groupsSeen {
		return groupsSeen{
			Groups: []keycloak.GroupRoles{
				{Name: "group1", Path: "group1"}, {Name: "onyxia-s3-proof-group", Path: "onyxia-s3-proof-group"},
				{Name: "late", Path: "late", Roles: []string{"projet-late"}},
			},
			Roles:    []keycloak.ClientRole{{Name: "stsonly"}, {Name: "projet-group1", Description: memberRole}, {Name: "projet-late", Description: memberRole}},
			Policies: map[string]json.RawMessage{"stsonly": wide, "consoleAdmin": wide, "projet-group1": wide, "projet-late": opening(t, "late")},
		}
	}
	for name, tc := range map[string]struct {
		config func(*platform.Config)
		change func(*groupsSeen)
		want   string
	}{
		"nothing to do":     {nil, func(*groupsSeen) {}, "unchanged"},
		"a new group":       {nil, func(s *groupsSeen) { s.Groups = append(s.Groups, keycloak.GroupRoles{Name: "new", Path: "parent/new"}) }, "configure group new: policy  -> projet-new, group new: role  -> projet-new, group new: role of parent/new  -> projet-new"},
		"its policy opened": {nil, func(s *groupsSeen) { s.Policies["projet-late"] = wide }, "configure group late: policy  -> projet-late"},
		"its policy broken": {nil, func(s *groupsSeen) { s.Policies["projet-late"] = json.RawMessage(`{"Statement": 1}`) }, "configure group late: policy  -> projet-late"},
		"its role taken":    {nil, func(s *groupsSeen) { s.Groups[2].Roles = nil }, "configure group late: role of late  -> projet-late"},
		"two of one name":   {nil, func(s *groupsSeen) { s.Groups = append(s.Groups, keycloak.GroupRoles{Name: "late", Path: "a/late"}) }, "configure group late: role of a/late  -> projet-late"},
		"a group is gone":   {nil, func(s *groupsSeen) { s.Groups = s.Groups[:2] }, "configure group late: policy projet-late -> , group late: role projet-late -> "},
		"somebody's policy": {nil, func(s *groupsSeen) { s.Policies["projet-theirs"] = wide }, "unchanged"},
		"somebody's role": {nil, func(s *groupsSeen) {
			s.Roles = append(s.Roles, keycloak.ClientRole{Name: "projet-x", Description: "theirs"})
		}, "unchanged"},
		"a name of no use": {nil, func(s *groupsSeen) { s.Groups = append(s.Groups, keycloak.GroupRoles{Name: "UPPER", Path: "UPPER"}) }, "unchanged"},
		"a hostile name":   {nil, func(s *groupsSeen) { s.Groups = append(s.Groups, keycloak.GroupRoles{Name: "*", Path: "*"}) }, "unchanged"},
		"in others' MinIO": {elsewhere, func(s *groupsSeen) { s.Groups = s.Groups[:2] }, "configure group late: policy projet-late -> , group late: role projet-late -> "},
		"in others' MinIO, not of ours": {elsewhere, func(s *groupsSeen) {
			s.Groups, s.Policies["projet-late"] = s.Groups[:2], unmarked(t, "late")
		}, "configure group late: role projet-late -> "},
		"in others' MinIO, taken": {elsewhere, func(s *groupsSeen) {
			s.Groups = append(s.Groups, keycloak.GroupRoles{Name: "new", Path: "new"})
			s.Policies["projet-new"] = wide
		}, "unchanged"},
		"in others' MinIO, a bucket of theirs": {elsewhere, func(s *groupsSeen) {
			s.Groups, s.Taken = append(s.Groups, keycloak.GroupRoles{Name: "new", Path: "new"}), []string{"projet-new"}
		}, "unchanged"},
		"with other issuers": {func(c *platform.Config) { c.Auth.Mode, c.Auth.URL = "oidc", "https://sso.example.org" }, func(s *groupsSeen) { s.Groups, s.Roles = nil, nil }, "unchanged"},
		"dropped, and still in the realm": {func(c *platform.Config) { c.Auth.Groups = nil }, func(s *groupsSeen) {
			s.Groups[0].Roles = []string{"projet-group1"}
			s.Policies["projet-group1"] = opening(t, "group1")
		}, "unchanged"},
		"dropped, and gone from the realm": {func(c *platform.Config) { c.Auth.Groups = nil }, func(s *groupsSeen) {
			s.Groups = s.Groups[1:]
			s.Policies["projet-group1"] = opening(t, "group1")
		}, "configure group group1: policy projet-group1 -> , group group1: role projet-group1 -> "},
		"found, and gone": {nil, func(s *groupsSeen) {
			s.Groups, s.Roles[2].Description = s.Groups[:2], foundRole
		}, "configure group late: policy projet-late -> , group late: role projet-late -> "},
	} {
		t.Run(name, func(t *testing.T) {
			seen := settled()
			tc.change(&seen)
			change := (&realmGroups{site: siteOf(t, tc.config)}).Plan(seen)
			var fields []string
			for _, f := range change.Fields {
				fields = append(fields, fmt.Sprintf("%s %s -> %s", f.Path, f.From, f.To))
			}
			got := strings.TrimRight(string(change.Action)+" "+strings.Join(fields, ", "), " ")
			if !strings.HasPrefix(got, strings.TrimRight(tc.want, " ")) || len(fields) != strings.Count(tc.want, "->") {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestDoubtsAboutGroups(t *testing.T) {
	dropped := func(c *platform.Config) { c.Auth.Groups = []string{"group2"} }
	foreign := func(c *platform.Config) {
		c.Auth.Mode, c.Auth.URL, c.Auth.Groups = "oidc", "https://sso.example.org", []string{"group2"}
	}
	wide := json.RawMessage(`{"Version":"2012-10-17","Statement":[]}`)
	for name, tc := range map[string]struct {
		config func(*platform.Config)
		seen   groupsSeen
		want   []string
	}{
		"names and places": {nil, groupsSeen{Groups: []keycloak.GroupRoles{
			{Name: "group1", Path: "group1"}, {Name: "*", Path: "*"}, {Name: "b", Path: "a/b"}, {Name: "c", Path: "UPPER/c"}, {Name: "e", Path: "a/d/e"},
		}}, []string{`group "*" can have no bucket`, "members of group a/b have the bucket projet-a", "members of group a/d/e have the bucket projet-d"}},
		"of one name": {nil, groupsSeen{Groups: []keycloak.GroupRoles{{Name: "late", Path: "late"}, {Name: "late", Path: "UPPER/late"}, {Name: "group1", Path: "group1"}}},
			[]string{"groups UPPER/late and late end in the same name and share the bucket projet-late"}},
		"of one name with the configuration's": {nil, groupsSeen{Groups: []keycloak.GroupRoles{{Name: "group1", Path: "UPPER/group1"}}},
			[]string{"groups UPPER/group1 and group1 end in the same name and share the bucket projet-group1"}},
		"a directory": {nil, groupsSeen{Directories: []string{"staff"}}, []string{"users of the directory staff in realm datalab come with names that our sign-up has not checked"}},
		"taken by others": {elsewhere, groupsSeen{Groups: []keycloak.GroupRoles{{Name: "late", Path: "late"}}, Policies: map[string]json.RawMessage{"projet-late": wide}},
			[]string{"group late gets no bucket: policy projet-late of this MinIO was written by somebody else"}},
		"a bucket of others": {elsewhere, groupsSeen{Groups: []keycloak.GroupRoles{{Name: "late", Path: "late"}}, Taken: []string{"projet-late"}},
			[]string{`group late gets no bucket: projet-late of this MinIO was made by somebody else; if it is to be the group's: mc tag set ALIAS/projet-late "owner=kubectl-onyxia onyxia.demo.test"`}},
		"in the configuration": {nil, groupsSeen{
			Groups: []keycloak.GroupRoles{{Name: "group1", Path: "group1"}}, Roles: []keycloak.ClientRole{{Name: "projet-group1", Description: memberRole}},
		}, nil},
		"made in the realm": {nil, groupsSeen{
			Groups: []keycloak.GroupRoles{{Name: "late", Path: "late"}}, Roles: []keycloak.ClientRole{{Name: "projet-late", Description: foundRole}},
		}, nil},
		"dropped from the configuration": {dropped, groupsSeen{
			Groups: []keycloak.GroupRoles{{Name: "group1", Path: "group1"}}, Roles: []keycloak.ClientRole{{Name: "projet-group1", Description: memberRole}},
		}, []string{"group group1 is not in auth.groups any more and still in the realm, so its members keep the bucket projet-group1: put it back, or delete it in the realm"}},
		"dropped, and gone": {dropped, groupsSeen{Roles: []keycloak.ClientRole{{Name: "projet-group1", Description: memberRole}}}, nil},
		"dropped, at another issuer": {foreign, groupsSeen{Policies: map[string]json.RawMessage{
			"projet-group1": opening(t, "group1"), "projet-group2": opening(t, "group2"), "projet-theirs": wide, "stsonly": wide, "projet-onyxia-s3-proof-group": opening(t, "onyxia-s3-proof-group"),
		}}, []string{"group group1 is not in auth.groups, and whoever's token has projet-group1 in the claim policy opens its bucket"}},
	} {
		got := (&realmGroups{site: siteOf(t, tc.config)}).doubts(tc.seen)
		if len(got) != len(tc.want) {
			t.Errorf("%s: %q", name, got)
			continue
		}
		for i := range tc.want {
			if !strings.HasPrefix(got[i], tc.want[i]) {
				t.Errorf("%s: %q, want %q", name, got[i], tc.want[i])
			}
		}
	}
}

func TestPlanOfBucketSettings(t *testing.T) {
	tenth := uint64(10)
	yes, no, days := true, false, 30
	seen := []bucketSeen{{Name: "user-a", Quota: 10, Versioning: "Enabled"}, {Name: "user-b"}, {Name: "projet-c", Quota: 10, Versioning: "Suspended"}}
	for _, tc := range []struct {
		versioning *bool
		days       *int
		want       string
	}{
		{&yes, nil, "user-b: quota, user-b: versioning, projet-c: versioning"},
		{&no, nil, "user-a: versioning, user-b: quota"},
		{nil, nil, "user-b: quota"},
		{nil, &days, "user-a: kubectl-onyxia-old-versions, user-b: quota, user-b: kubectl-onyxia-old-versions, projet-c: kubectl-onyxia-old-versions"},
	} {
		b := &bucketSettings{site: siteOf(t, nil), quota: &tenth, versioning: tc.versioning, versionDays: tc.days}
		change := b.Plan(seen)
		var got []string
		for _, f := range change.Fields {
			got = append(got, f.Path)
		}
		if change.Action != engine.Configure || strings.Join(got, ", ") != tc.want {
			t.Errorf("%s %v, want %s", change.Action, got, tc.want)
		}
	}
	b := &bucketSettings{site: siteOf(t, nil), quota: &tenth}
	if got := b.Plan(nil).Action; got != engine.Unchanged {
		t.Errorf("no buckets: %s", got)
	}
	for bucket, ours := range map[string]bool{"user-a": true, "projet-c": true, "user-onyxia-s3-proof-abcdefgh": false, "user-onyxia-s3-proof-me": true, "projet-onyxia-s3-proof-group": false, "backup": false} {
		if b.ours(bucket) != ours {
			t.Errorf("%s is ours: %v", bucket, !ours)
		}
	}
}

func TestJudge(t *testing.T) {
	const address, origin = "https://minio.lab.demo.test", "https://onyxia.demo.test"
	for name, tc := range map[string]struct {
		status  int
		allowed string
		asked   bool
		want    string
	}{
		"MinIO":               {204, origin, true, ""},
		"any origin":          {200, "*", true, ""},
		"another origin":      {204, "https://other.test", true, "MINIO_API_CORS_ALLOW_ORIGIN"},
		"no origin":           {204, "", true, "does not let pages of https://onyxia.demo.test in"},
		"nothing behind it":   {502, "", true, "no S3 server is behind it yet"},
		"the default backend": {404, "", true, "no S3 server is behind it yet"},
		"refused":             {403, "", true, "answers a browser's preflight with 403"},
		"another S3":          {403, "", false, ""},
		"another S3, down":    {503, "", false, "no S3 server is behind it yet"},
	} {
		response := &http.Response{StatusCode: tc.status, Status: fmt.Sprintf("%d %s", tc.status, http.StatusText(tc.status)), Header: http.Header{}}
		response.Header.Set("Access-Control-Allow-Origin", tc.allowed)
		err := judge(address, origin, tc.asked, response)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatIsProved(t *testing.T) {
	p := newProof(siteOf(t, nil))
	if got := p.Plan(stage.Shown{}); got.Why != "not shown yet: two users are made for it, and removed" {
		t.Errorf("%+v", got)
	}
	oidc := func(c *platform.Config) { c.Auth.Mode, c.Auth.URL = "oidc", "https://sso.example.org" }
	foreign := siteOf(t, oidc)
	if got := newProof(foreign).Plan(stage.Shown{}); got.Why != "not shown yet: as far as that goes without its issuer's users" {
		t.Errorf("another issuer: %+v", got)
	}
	foreign.options.UserToken = secret.New("a.b.c")
	if got := newProof(foreign).Plan(stage.Shown{}); got.Why != "not shown yet: with the token of a user" {
		t.Errorf("another issuer, and a token: %+v", got)
	}
	if other := newProof(siteOf(t, func(c *platform.Config) { c.Prefixes.User = "u-" })); other.Digest == p.Digest {
		t.Error("another prefix is not proved again")
	}
	if other := newProof(siteOf(t, func(c *platform.Config) { c.Auth.Groups = nil })); other.Digest != p.Digest {
		t.Error("another group is proved again")
	}
}

// At an issuer that is not ours a server with roles can be shown nothing without the token of a user, and that is said.
func TestNothingShownWithoutAUser(t *testing.T) {
	s := siteOf(t, func(c *platform.Config) {
		c.Auth.Mode, c.Auth.URL = "oidc", "https://sso.example.org"
		c.S3 = platform.S3{Mode: "external", Kind: "aws", URL: "https://s3.example.org", RoleARN: "arn:aws:iam::1:role/x", SessionDuration: "12h"}
	})
	var said []string
	s.options.Say = func(line string) { said = append(said, line) }
	missing, err := (&proof{site: s}).run(t.Context())
	if want := "what users of https://sso.example.org may do"; err != nil || !strings.HasPrefix(missing, want) || len(said) != 1 || !strings.HasPrefix(said[0], "NOT SHOWN: "+want) {
		t.Errorf("%q, %v, %q", missing, err, said)
	}
}

// Who may have a name past our sign-up is held to the full guard.
func TestGuardOfNames(t *testing.T) {
	for mode, longest := range map[string]int{"install": 0, "keycloak": longestForeignName, "oidc": longestForeignName} {
		s := siteOf(t, func(c *platform.Config) {
			c.Auth.Mode, c.Auth.URL, c.Auth.CredentialsSecret = mode, "https://sso.example.org", "onyxia/admin"
		})
		if s.tenancy.LongestName != longest {
			t.Errorf("auth.mode %s: %d", mode, s.tenancy.LongestName)
		}
	}
}

func TestDocuments(t *testing.T) {
	external := func(kind, role string) platform.Config {
		c := platform.Config{Domain: "demo.test"}
		c.S3 = platform.S3{Mode: "external", Kind: kind, URL: "https://s3.example.org", RoleARN: role, CredentialsSecret: "a/b", SessionDuration: "12h"}
		return c
	}
	for name, tc := range map[string]struct {
		config platform.Config
		want   []string
	}{
		"installed": {platform.Config{Domain: "demo.test"}, nil},
		"a MinIO":   {external("minio", ""), []string{"identity_openid config_url=https://auth.lab.demo.test/auth/realms/datalab/.well-known", "client_id=minio", "claim_name=policy", "secret minio-oidc"}},
		"AWS":       {external("aws", "arn:aws:iam::123456789012:role/onyxia"), []string{"create-open-id-connect-provider", "sts:AssumeRoleWithWebIdentity", "onyxia-minio", "aws:PrincipalTag/preferred_username"}},
		"Ceph":      {external("ceph", "arn:aws:iam:::role/onyxia"), []string{"radosgw-admin caps add", "--endpoint-url https://s3.example.org", "app_id"}},
	} {
		p, err := platform.Complete(tc.config)
		if err != nil {
			t.Fatal(err)
		}
		documents, err := Documents(t.Context(), p)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		text := fmt.Sprint(documents)
		for _, want := range tc.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in %s", name, want, text)
			}
		}
		if (len(documents) == 0) != (tc.want == nil) {
			t.Errorf("%s: %v", name, documents)
		}
	}
}

// Whoever else writes a claim that opens buckets may open them to anybody.
func TestSoleWriters(t *testing.T) {
	external := func(kind string) func(*platform.Config) {
		return func(c *platform.Config) {
			c.S3 = platform.S3{Mode: "external", Kind: kind, URL: "https://s3.example.org", RoleARN: "arn:aws:iam::1:role/x", SessionDuration: "12h"}
		}
	}
	for name, tc := range map[string]struct {
		change func(*platform.Config)
		want   string
	}{"MinIO": {nil, policyMapper}, "AWS": {external("aws"), tagsMapper}, "Ceph": {external("ceph"), tagsMapper + ", " + groupTagsMapper}} {
		var got []string
		for _, m := range siteOf(t, tc.change).mappers() {
			if m.Sole {
				got = append(got, m.Name)
			}
		}
		if strings.Join(got, ", ") != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
