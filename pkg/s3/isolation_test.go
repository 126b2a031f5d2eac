package s3

import (
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/testbed"
)

// neighbours fills the buckets that a hostile name might reach.
func neighbours(t *testing.T, server *minioServer) []string {
	t.Helper()
	buckets := []string{"user-alice", "user-bob", "user-a", "user-aaa", "projet-group1"}
	for _, b := range buckets {
		server.fill(t, b, "sub/secret")
	}
	return buckets
}

// reach is the buckets of which somebody can read, list, write or delete anything.
func reach(t *testing.T, c *Client, buckets []string, extra url.Values) []string {
	t.Helper()
	var out []string
	for _, b := range buckets {
		list := url.Values{"list-type": {"2"}}
		for k, v := range extra {
			list[k] = v
		}
		for _, r := range []request{
			{method: http.MethodGet, path: "/" + b + "/sub/secret", query: extra},
			{method: http.MethodGet, path: "/" + b, query: list},
			{method: http.MethodPut, path: "/" + b + "/sub/new", query: extra, body: []byte("x")},
			{method: http.MethodDelete, path: "/" + b + "/sub/none", query: extra},
		} {
			r.operation, r.region = "try", DefaultRegion
			_, err := c.send(t.Context(), r)
			if err == nil {
				out = append(out, b)
				break
			}
			if !Denied(err) {
				t.Errorf("neither allowed nor refused: %v", err)
			}
		}
	}
	return out
}

// hostile are usernames that a real MinIO, after it put them into a resource, would match to other people's buckets.
// What the policy alone stops is told apart from what needs the issuer's username rule or LongestName.
func TestHostileUsernamesOnMinIO(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	server := startMinIO(t, i)
	buckets := neighbours(t, server)
	guarded := guide("group1")
	guarded.LongestName = 8
	forged := url.Values{"Preferred_username": {"harmless"}}
	for _, tc := range []struct {
		name          string
		plain, policy string // what is reached without any Deny, and with the policy as rendered
	}{
		{"alice", "user-alice", "user-alice"},
		{"a", "user-a", "user-a"},
		{"aaa", "user-aaa", "user-aaa"},
		{"*", "user-alice user-bob user-a user-aaa", ""},
		{"**", "user-alice user-bob user-a user-aaa", ""},
		{"a*", "user-alice user-a user-aaa", ""},
		{"*e", "user-alice user-bob user-a user-aaa", ""}, // keys that end in e, in every bucket

		{"*a*", "user-alice user-a user-aaa", ""},
		{"alice*", "user-alice", ""},
		{"a/sub", "user-a", ""},
		{"al*ce", "user-alice", "user-alice"},
		{"?lice", "user-alice", "user-alice"},
		{"alic?", "user-alice", "user-alice"},
		{"???", "user-bob user-aaa", "user-bob user-aaa"},
		{"../user-bob", "", ""},
		{"../projet-group1", "", ""},
		{"${aws:username}", "", ""},
		{"${jwt:sub}", "", ""},
		{"${jwt:preferred_username}", "", ""},
		{"ALICE", "", ""},
		{"alice ", "", ""},
		{"élise", "", ""},
		{`alice"`, "", ""},
		{strings.Repeat("a", 64), "", ""},
		{"", "", ""},
	} {
		client := server.enter(t, guide("group1"), i.token(t, tc.name, nil, nil))
		server.putStatements(t, guide().ownBucket())
		if got := strings.Join(reach(t, client, buckets, nil), " "); got != tc.plain {
			t.Errorf("%q without any Deny reaches %q, known was %q", tc.name, got, tc.plain)
		}
		server.put(t, guide("group1"))
		if got := strings.Join(reach(t, client, buckets, nil), " "); got != tc.policy {
			t.Errorf("%q reaches %q, want %q", tc.name, got, tc.policy)
		}
		if got := strings.Join(reach(t, client, buckets, forged), " "); got != "" && tc.name != "" {
			t.Errorf("%q with a forged name reaches %q", tc.name, got)
		}
		server.put(t, guarded)
		want := ""
		if bucket, err := guarded.UserBucket(tc.name); err == nil {
			want = bucket
		}
		if len(tc.name) > guarded.LongestName {
			want = ""
		}
		if got := strings.Join(reach(t, client, buckets, nil), " "); got != want {
			t.Errorf("%q under guard reaches %q, want %q", tc.name, got, want)
		}
	}
}

// enter writes the policy and logs in.
func (s *minioServer) enter(t *testing.T, tenancy Tenancy, token string) *Client {
	t.Helper()
	s.put(t, tenancy)
	return s.login(t, token)
}

func (s *minioServer) putStatements(t *testing.T, statements ...Statement) {
	t.Helper()
	if err := s.admin().PutPolicy(t.Context(), "stsonly", Policy{Version: PolicyVersion, Statement: statements}); err != nil {
		t.Fatal(err)
	}
}

func TestGroupsOnMinIO(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	server := startMinIO(t, i)
	buckets := append(neighbours(t, server), "projet-group2")
	server.fill(t, "projet-group2", "sub/secret")
	server.put(t, guide("group1", "group2"))
	for _, tc := range []struct {
		policy any
		want   string
	}{
		{"stsonly", "user-bob"},
		{[]string{"stsonly"}, "user-bob"},
		{[]string{"stsonly", "projet-group1"}, "user-bob projet-group1"},
		{[]string{"projet-group2", "no-such-policy", "stsonly", "projet-group1"}, "user-bob projet-group1 projet-group2"},
		{"stsonly,projet-group2", "user-bob projet-group2"},
		{[]string{"stsonly", "projet-*", "PROJET-GROUP1", "${jwt:groups}", "group1"}, "user-bob"},
	} {
		token := i.token(t, "bob", []string{"group1", "group2"}, claims{"policy": tc.policy})
		if got := strings.Join(reach(t, server.login(t, token), buckets, nil), " "); got != tc.want {
			t.Errorf("policies %q reach %q, want %q", tc.policy, got, tc.want)
		}
	}
}

// Who is taken out of a group is refused from the next token on, with the credentials of before as well: MinIO keeps the
// policies by user, and the last exchange counts.
func TestMembershipTakenAway(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	server := startMinIO(t, i)
	server.fill(t, "projet-group1", "x")
	server.put(t, guide("group1"))
	before := server.login(t, i.token(t, "bob", nil, claims{"policy": []string{"stsonly", "projet-group1"}}))
	if _, err := before.Get(t.Context(), "projet-group1", "x"); err != nil {
		t.Fatal(err)
	}
	after := server.login(t, i.token(t, "bob", nil, nil))
	for name, c := range map[string]*Client{"new credentials": after, "credentials of before": before} {
		if _, err := c.Get(t.Context(), "projet-group1", "x"); !Denied(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a request may claim for itself, with the policies as rendered, and with the one policy and its condition on groups
// that is found in guides: the reason why we have none.
func TestForgedClaimsOnMinIO(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	server := startMinIO(t, i)
	buckets := neighbours(t, server)
	condition := Statement{
		Effect: Allow, Action: List{"s3:*"}, Resource: bucketAndObjects("projet-group1"),
		Condition: Condition{"ForAnyValue:StringEquals": {"jwt:groups": {"group1"}}},
	}
	missing, list := claims{"preferred_username": nil}, claims{"preferred_username": []string{"bob"}}
	for _, tc := range []struct {
		name            string
		groups          []string
		more            claims
		query           url.Values
		ours, condition string
	}{
		{"nothing forged", []string{"other"}, nil, nil, "user-bob", "user-bob"},
		{"?groups, no group", nil, nil, url.Values{"groups": {"group1"}}, "user-bob", "user-bob projet-group1"},
		{"?groups, another group", []string{"other"}, nil, url.Values{"groups": {"group1"}}, "user-bob", "user-bob"},
		{"?Groups, another group", []string{"other"}, nil, url.Values{"Groups": {"group1"}}, "user-bob", "user-bob projet-group1"},
		{"?policy", nil, nil, url.Values{"policy": {"projet-group1"}, "Policy": {"projet-group1"}}, "user-bob", "user-bob"},
		{"?preferred_username", nil, nil, url.Values{"preferred_username": {"alice"}}, "user-bob", "user-bob"},
		{"?Preferred_username", nil, nil, url.Values{"Preferred_username": {"alice"}}, "", "user-bob"},
		// The one hole that no policy can close: Proof looks at the token for it.
		{"?preferred_username, none in the token", nil, missing, url.Values{"preferred_username": {"alice"}}, "user-alice", "user-alice"},
		{"?preferred_username, a list in the token", nil, list, url.Values{"preferred_username": {"alice"}}, "user-alice", "user-alice"},
	} {
		client := server.enter(t, guide("group1"), i.token(t, "bob", tc.groups, tc.more))
		if got := strings.Join(reach(t, client, buckets, tc.query), " "); got != tc.ours {
			t.Errorf("%s: reaches %q, known was %q", tc.name, got, tc.ours)
		}
		server.putStatements(t, guide().ownBucket(), condition)
		if got := strings.Join(reach(t, client, buckets, tc.query), " "); got != tc.condition {
			t.Errorf("%s: the condition lets it reach %q, known was %q", tc.name, got, tc.condition)
		}
	}
}

// A user of MinIO may make access keys that never end. They would outlive token and membership.
func TestUsersCannotMakeAccessKeys(t *testing.T) {
	t.Parallel()
	mc := testbed.Program(t, "mc")
	i := newIssuer(t)
	server := startMinIO(t, i)
	for _, allowed := range []bool{true, false} {
		client := server.enter(t, guide(), i.token(t, "alice", nil, nil))
		if allowed {
			server.putStatements(t, guide().ownBucket())
		}
		secret, session := client.Credentials.Reveal()
		cmd := exec.Command(mc, "--config-dir", t.TempDir(), "admin", "accesskey", "create", "m/")
		cmd.Env = append(os.Environ(), "MC_HOST_m=http://"+client.Credentials.AccessKey+":"+secret+":"+session+"@"+strings.TrimPrefix(server.Endpoint, "http://"))
		out, err := cmd.CombinedOutput()
		if (err == nil) != allowed {
			t.Errorf("access keys allowed: %v, mc says %v\n%s", allowed, err, out)
		}
	}
}
