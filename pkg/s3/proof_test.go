package s3

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/testbed"
)

// proofOf is a proof with two new users, the first a member of the group. Changes go into the tokens.
func proofOf(t *testing.T, i *issuer, server *minioServer, tenancy Tenancy, member, stranger claims) Proof {
	t.Helper()
	person := func(name string, policies []string, more claims) Person {
		all := claims{"policy": policies}
		for k, v := range more {
			all[k] = v
		}
		return Person{Name: name, Token: func(context.Context) (string, error) { return i.token(t, name, nil, all), nil }}
	}
	policy, err := tenancy.GroupPolicy(ProofGroup)
	if err != nil {
		t.Fatal(err)
	}
	return Proof{
		Target: Target{S3: &Client{Endpoint: server.Endpoint, HTTP: server.http}, Tenancy: tenancy, Duration: 15 * time.Minute}, Group: ProofGroup,
		Member: person(ProofName(), []string{"stsonly", policy}, member), Stranger: person(ProofName(), []string{"stsonly"}, stranger),
	}
}

func TestProof(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	server := startMinIO(t, i)
	tenancy := guide("group1", ProofGroup)
	server.put(t, tenancy)
	server.fill(t, "user-alice", "hello.txt")
	proof := proofOf(t, i, server, tenancy, nil, nil)
	var lines []string
	if err := proof.Run(t.Context(), func(line string) { lines = append(lines, line) }); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(lines, "\n")
	t.Log("\n" + text)
	member, stranger := proof.Member.Name, proof.Stranger.Name
	for _, want := range []string{
		member + ": token for [minio account] exchanged for credentials until 2",
		member + ": wrote, read and listed in s3://user-" + member,
		stranger + ": refused at s3://user-" + member + " (get, list, put, delete: 403)",
		member + ": refused at s3://user-" + stranger + " (get, list, put, delete: 403)",
		member + ": wrote, read and listed in s3://projet-" + ProofGroup + " as a member of " + ProofGroup,
		stranger + ": refused at s3://projet-" + ProofGroup,
		"a token that anybody could sign is refused", "forged claims in requests: refused (403)",
		"removed what was made in s3://projet-" + ProofGroup,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no line %q", want)
		}
	}
	if got := server.buckets(t); !slices.Equal(got, []string{"user-alice"}) {
		t.Errorf("left behind: %q", got)
	}
	without := proof
	without.Group = ""
	if err := without.Run(t.Context(), func(string) {}); err != nil {
		t.Errorf("without a group: %v", err)
	}
}

// A bucket that was there before, and what is in it, stays.
func TestProofInBucketsThatExist(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	server := startMinIO(t, i)
	tenancy := guide(ProofGroup)
	server.put(t, tenancy)
	proof := proofOf(t, i, server, tenancy, nil, nil)
	own, group := "user-"+proof.Member.Name, "projet-"+ProofGroup
	server.fill(t, own, "hello.txt")
	server.fill(t, group, ".onyxia-proof/of-another-run")
	converge(t, Versioning{Client: server.client(), Bucket: group, Enabled: true}, "configure")
	if err := proof.Run(t.Context(), func(string) {}); err != nil {
		t.Fatal(err)
	}
	for bucket, key := range map[string]string{own: "hello.txt", group: ".onyxia-proof/of-another-run"} {
		versions, err := server.client().Versions(t.Context(), bucket, "")
		if err != nil || len(versions) != 1 || versions[0].Key != key {
			t.Errorf("in %s: %v %v", bucket, versions, err)
		}
	}
	if got := server.buckets(t); !slices.Equal(got, []string{group, own}) {
		t.Errorf("buckets %q", got)
	}
}

func TestProofFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	server := startMinIO(t, i)
	tenancy := guide(ProofGroup)
	everything := Statement{Effect: Allow, Action: List{"s3:*"}, Resource: List{arn + "*"}}
	group, condition := "projet-"+ProofGroup, Condition{"ForAnyValue:StringEquals": {"jwt:groups": {ProofGroup}}}
	for _, tc := range []struct {
		name             string
		policy           []Statement // nil for the right one
		member, stranger claims
		want             string
	}{
		{"everybody may do everything", []Statement{everything}, nil, nil, "must not get in s3://user-"},
		{"only reading is open", []Statement{tenancy.ownBucket(), {Effect: Allow, Action: List{"s3:ListBucket"}, Resource: List{arn + "*"}}}, nil, nil, "must not list in s3://user-"},
		{"group by a condition", []Statement{tenancy.ownBucket(), {Effect: Allow, Action: List{"s3:*"}, Resource: bucketAndObjects(group), Condition: condition}},
			nil, claims{"groups": []string{"other"}}, "by a condition on jwt:groups"},
		{"nobody may do anything", []Statement{{Effect: Allow, Action: List{"s3:*"}, Resource: List{arn + "elsewhere"}}}, nil, nil, "at their own bucket: look for s3://user-"},
		{"no claim policy", nil, claims{"policy": nil}, nil, "carries no claim \"policy\""},
		{"no claim for the name", nil, claims{"preferred_username": nil}, nil, "anybody could open any bucket"},
		{"a list for the name", nil, nil, claims{"preferred_username": []string{"x"}}, "anybody could open any bucket"},
		{"another name", nil, claims{"preferred_username": "someone"}, nil, `says "someone" in the claim "preferred_username"`},
		{"member without the policy", nil, claims{"policy": "stsonly"}, nil, "needs the client role of that name"},
		{"stranger with the policy", nil, nil, claims{"policy": []string{"stsonly", group}}, "of which they are no member"},
		{"expired", nil, nil, claims{"exp": time.Now().Add(-time.Minute).Unix()}, "the token was good until"},
		{"wrong audience", nil, nil, claims{"aud": "account", "azp": "onyxia"}, "audience mapper"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server.put(t, tenancy)
			if tc.policy != nil {
				server.putStatements(t, tc.policy...)
			}
			proof := proofOf(t, i, server, tenancy, tc.member, tc.stranger)
			err := proof.Run(t.Context(), func(string) {})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v\nwant %q", err, tc.want)
			}
			if got := server.buckets(t); len(got) != 0 {
				t.Errorf("left behind: %q", got)
			}
		})
	}
	t.Run("no token", func(t *testing.T) {
		proof := proofOf(t, i, server, tenancy, nil, nil)
		gone := errors.New("keycloak is down")
		proof.Stranger.Token = func(context.Context) (string, error) { return "", gone }
		if err := proof.Run(t.Context(), func(string) {}); !errors.Is(err, gone) || !strings.Contains(err.Error(), "token for "+proof.Stranger.Name) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a name that can have no bucket", func(t *testing.T) {
		proof := proofOf(t, i, server, tenancy, nil, nil)
		proof.Member.Name = "Alice*"
		if err := proof.Run(t.Context(), func(string) {}); err == nil || !strings.Contains(err.Error(), "can have no bucket") {
			t.Errorf("error %v", err)
		}
	})
}

// counted cancels a context before or after its n-th request.
type counted struct {
	n      int
	after  bool
	cancel context.CancelFunc
}

func (c *counted) RoundTrip(r *http.Request) (*http.Response, error) {
	c.n--
	if c.n == 0 && !c.after {
		c.cancel()
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if c.n == 0 && c.after {
		c.cancel()
	}
	return res, err
}

// Stopped at any request, before it is sent or after it was answered, the proof leaves nothing behind.
func TestProofStoppedAnywhere(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	server := startMinIO(t, i)
	tenancy := guide(ProofGroup)
	server.put(t, tenancy)
	stopped := 0
	for n := 1; ; n++ {
		ctx, cancel := context.WithCancel(t.Context())
		proof := proofOf(t, i, server, tenancy, nil, nil)
		proof.S3.HTTP = &http.Client{Transport: &counted{n: (n + 1) / 2, after: n%2 == 0, cancel: cancel}}
		err := proof.Run(ctx, func(string) {})
		cancel()
		if got := server.buckets(t); len(got) != 0 {
			t.Fatalf("stopped at %d half requests, left behind: %q", n, got)
		}
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("stopped at %d half requests: %v", n, err)
		}
		stopped++
	}
	if stopped < 40 {
		t.Errorf("stopped at %d points only", stopped)
	}
}

// A server that goes away in the middle: what is left is named, and a later run removes it.
func TestProofLeavesATraceAndSweepFindsIt(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	folder, port := t.TempDir(), testbed.Port(t)
	server := launch(t, folder, port, openID(i.server.URL)...)
	server.await(t)
	tenancy := guide(ProofGroup)
	server.put(t, tenancy)
	server.fill(t, "user-alice", "hello.txt")
	// People may be called as the users of proofs are, or nearly so.
	named, nearly := "user-"+ProofName(), "user-"+ProofMark+"of-somebody-else"
	server.fill(t, named, "hello.txt")
	server.fill(t, named, proofFolder+"left")
	server.fill(t, nearly, "hello.txt")
	proof := proofOf(t, i, server, tenancy, nil, nil)
	err := proof.Run(t.Context(), func(line string) {
		if strings.Contains(line, "as a member of") {
			server.stop()
		}
	})
	if err == nil || !strings.Contains(err.Error(), "left behind, a later run removes it") || !strings.Contains(err.Error(), "s3://user-"+proof.Member.Name) {
		t.Fatalf("error %v", err)
	}
	server = launch(t, folder, port, openID(i.server.URL)...)
	server.await(t)
	if removed, err := tenancy.Sweep(t.Context(), server.client(), time.Hour); err != nil || len(removed) != 0 {
		t.Errorf("younger than an hour, and removed: %q %v", removed, err)
	}
	removed, err := tenancy.Sweep(t.Context(), server.client(), 0)
	if err != nil || len(removed) != 3 {
		t.Errorf("removed %q, %v", removed, err)
	}
	want := []string{"user-alice", named, nearly}
	slices.Sort(want)
	if got := server.buckets(t); !slices.Equal(got, want) {
		t.Errorf("left %q", got)
	}
	if kept, err := server.client().List(t.Context(), named, ""); err != nil || len(kept) != 1 || kept[0].Key != "hello.txt" {
		t.Errorf("what a person of that name keeps: %v %v", kept, err)
	}
}

func TestOfProof(t *testing.T) {
	for bucket, want := range map[string]bool{
		"user-" + ProofName(): true, "projet-" + ProofGroup: true, "user-" + ProofGroup: false, "projet-" + ProofName(): false,
		"user-" + ProofMark + "abcdefg": false, "user-" + ProofMark + "abcdefgh": true, "user-" + ProofMark + "abcdefgh-thesis": false,
		"user-" + ProofMark + "abcdefg1": false, ProofName(): false, "user-alice": false,
	} {
		if guide().OfProof(bucket) != want {
			t.Errorf("%s: %v", bucket, !want)
		}
	}
}

// With roles nobody here may look into the buckets of others later on, so what is left is told with the command that removes it.
func TestLeftBehindWithRoles(t *testing.T) {
	run := newProofRun(Proof{Target: Target{S3: &Client{Endpoint: "https://rgw.example.org"}, RoleARN: "arn:aws:iam:::role/onyxia"}}, nil)
	got := run.removal(trace{bucket: "user-x"})
	if want := "remove it by hand: aws --endpoint-url https://rgw.example.org s3 rm --recursive s3://user-x/.onyxia-proof/ && aws --endpoint-url https://rgw.example.org s3 rb s3://user-x"; got != want {
		t.Error(got)
	}
	if got := run.removal(trace{bucket: "user-x", existed: true}); strings.Contains(got, "s3 rb") {
		t.Error(got)
	}
}

func TestProofName(t *testing.T) {
	a, b := ProofName(), ProofName()
	if a == b || !strings.HasPrefix(a, ProofMark) || CheckBucket("user-"+a) != nil || CheckBucket("projet-"+ProofGroup) != nil {
		t.Errorf("names %q %q", a, b)
	}
}

func (s *minioServer) buckets(t *testing.T) []string {
	t.Helper()
	all, err := s.client().Buckets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, b := range all {
		names = append(names, b.Name)
	}
	return names
}
