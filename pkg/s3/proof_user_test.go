package s3

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func userProof(i *issuer, token string) UserProof {
	return UserProof{Target: Target{Tenancy: guide()}, Token: token, Issuer: i.server.URL, Audience: "minio"}
}

// All that is wrong with a token is said before anything is sent anywhere.
func TestClaimsOfAUser(t *testing.T) {
	i := newIssuer(t)
	for name, tc := range map[string]struct {
		more   claims
		change func(*UserProof)
		want   string
	}{
		"no name":        {claims{"preferred_username": nil}, nil, "preferred_username is missing, or no text. Where a token lacks it, MinIO takes the name from the request's own address (?preferred_username=alice)"},
		"names":          {claims{"preferred_username": []string{"alice"}}, nil, "preferred_username is missing, or no text"},
		"an address":     {claims{"preferred_username": "alice@demo.test"}, nil, "can have no bucket"},
		"a long name":    {nil, func(p *UserProof) { p.Tenancy.LongestName = 4 }, "preferred_username has 5 characters, and names of more than 4 are refused"},
		"another issuer": {claims{"iss": "https://other"}, nil, `iss is "https://other" and has to be`},
		"for another":    {claims{"aud": "account", "azp": "onyxia"}, nil, `aud is [account] and lacks "minio"`},
		"no policy":      {claims{"policy": nil}, nil, `policy is [] and lacks "stsonly"`},
		"an old one":     {claims{"exp": time.Now().Add(-time.Hour).Unix()}, nil, "it was good until"},
		"without tags":   {nil, func(p *UserProof) { p.RoleARN = "arn:aws:iam:::role/onyxia" }, `https://aws.amazon.com/tags is to hold the session tag preferred_username: ["alice"]`},
		"another's tags": {claims{tagsClaim: claims{"principal_tags": claims{"preferred_username": []string{"bob"}}}}, func(p *UserProof) { p.RoleARN = "arn:aws:iam:::role/onyxia" }, "session tag"},
	} {
		p := userProof(i, i.token(t, "alice", nil, tc.more))
		if tc.change != nil {
			tc.change(&p)
		}
		if err := p.Run(t.Context(), func(string) {}); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	all := userProof(i, i.token(t, "alice", nil, claims{"preferred_username": nil, "policy": nil, "iss": "x", "aud": "y", "azp": "z"}))
	if err := all.Run(t.Context(), func(string) {}); err == nil || strings.Count(err.Error(), "; ") != 3 {
		t.Errorf("all of it: %v", err)
	}
	if err := userProof(i, "opaque").Run(t.Context(), func(string) {}); err == nil || strings.Contains(err.Error(), "opaque") {
		t.Errorf("no JWT: %v", err)
	}
	tagged := userProof(i, i.token(t, "alice", nil, claims{tagsClaim: claims{"principal_tags": claims{"preferred_username": []string{"alice"}}}}))
	tagged.RoleARN = "arn:aws:iam:::role/onyxia"
	token, err := ReadToken(tagged.Token)
	if err != nil || len(tagged.wrong(token)) != 0 {
		t.Errorf("tagged: %v %v", tagged.wrong(token), err)
	}
}

// A real user keeps what they have, and is refused elsewhere; where the server lets more through than it should, it is seen.
func TestUserProofOnMinIO(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	server := startMinIO(t, i)
	guarded := guide()
	guarded.LongestName = 30
	server.put(t, guarded)
	server.fill(t, "user-alice", "hello.txt")
	server.fill(t, "user-alice", proofFolder+"of-a-killed-run")
	p := userProof(i, i.token(t, "alice", nil, nil))
	p.Tenancy, p.S3, p.Administrator = guarded, &Client{Endpoint: server.Endpoint, HTTP: server.http}, server.client()
	var lines []string
	if err := p.Run(t.Context(), func(line string) { lines = append(lines, line) }); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(lines, "\n")
	for _, want := range []string{
		"alice: the token has the name in the claim preferred_username, and is for [minio account] by onyxia-minio", "alice: token for [minio account] exchanged",
		"a token that anybody could sign is refused", "alice: wrote, read and listed in s3://user-alice", "alice: refused at s3://user-" + ProofMark, "alice: refused at s3://projet-" + ProofGroup,
		"forged claims in requests: refused (403)",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("not said: %s\n%s", want, text)
		}
	}
	kept := func(when string) {
		t.Helper()
		objects, err := server.client().List(t.Context(), "user-alice", "")
		if err != nil || len(objects) != 1 || objects[0].Key != "hello.txt" || !slices.Equal(server.buckets(t), []string{"user-alice"}) {
			t.Errorf("%s: %v %v %v", when, objects, server.buckets(t), err)
		}
	}
	kept("after the proof")

	stopped, stop := context.WithCancel(t.Context())
	err := p.Run(stopped, func(line string) {
		if strings.Contains(line, "alice: refused at") {
			stop()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
	kept("stopped")
	server.putStatements(t, guarded.ownBucket(), Statement{Effect: Allow, Action: List{"s3:ListBucket"}, Resource: List{arn + "*"}})
	if err := p.Run(t.Context(), func(string) {}); err == nil || !strings.Contains(err.Error(), "alice must not list in s3://user-"+ProofMark) {
		t.Errorf("lists are open: %v", err)
	}
	kept("refused")
	// Nobody here may make a neighbour's bucket: only a refusal shows something.
	p.Administrator = nil
	for want, prepare := range map[string]func(){
		"not shown: that alice is refused at the bucket of somebody else": func() {},
		"alice: refused at s3://user-" + ProofMark:                        func() { server.put(t, guarded) },
	} {
		server.putStatements(t, guarded.ownBucket(), Statement{Effect: Allow, Action: List{"s3:ListBucket"}, Resource: List{arn + "*"}})
		prepare()
		lines = nil
		if err := p.Run(t.Context(), func(line string) { lines = append(lines, line) }); err != nil || !strings.Contains(strings.Join(lines, "\n"), want) {
			t.Errorf("without an administrator: %v, not said: %s\n%s", err, want, strings.Join(lines, "\n"))
		}
		kept("without an administrator")
	}
}
