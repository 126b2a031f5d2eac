package s3

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/stagetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/internal/testbed"
	"github.com/kubectl-onyxia/kubectl-onyxia/internal/vaulttest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// foreign is the stage on a real API server and a real MinIO, with an issuer whose users are not ours to make. It is the one
// of the tests of Vault: no honest one signs the names that are tried here.
type foreign struct {
	*whole
	issuer *vaulttest.Issuer
}

// enter gives the credentials that a user of the issuer gets.
func (f *foreign) enter(t *testing.T, name string, policies ...string) *s3.Client {
	t.Helper()
	token := f.token(t, map[string]any{"preferred_username": name, "policy": append(policies, platform.S3Policy)})
	credentials, err := f.root(t).AssumeRoleWithWebIdentity(t.Context(), s3.WebIdentity{Token: token})
	if err != nil {
		t.Fatal(err)
	}
	return f.root(t).As(credentials)
}

// token is one of the issuer with these claims, for MinIO.
func (f *foreign) token(t *testing.T, claims map[string]any) string {
	t.Helper()
	now := time.Now()
	all := map[string]any{"iss": f.issuer.URL(), "aud": "minio", "azp": "minio", "sub": "id", "iat": now.Add(-time.Second).Unix(), "exp": now.Add(time.Minute).Unix()}
	maps.Copy(all, claims)
	return f.issuer.Token(t, all)
}

// provedByAUser: with the token of a user the rest is shown, and is not forgotten by a run without one; and a token without the
// name fails, because it opens everything.
func (f *foreign) provedByAUser(t *testing.T) {
	t.Helper()
	prove := func(token string) error {
		done, err := apply(t.Context(), t, f.run(t, Options{Prove: true, Say: f.say, UserToken: secret.New(token)}))
		if err == nil && (len(done) != 1 || done[stage.S3ReadyID] == "") {
			t.Errorf("%v", done)
		}
		return err
	}
	noted := func(when, missing string) {
		t.Helper()
		if seen, err := stage.NewProofNote(f.env, Name).Read(t.Context()); err != nil || seen.Digest == "" || !strings.HasPrefix(seen.Missing, missing) || (missing == "") != (seen.Missing == "") {
			t.Errorf("%s: %+v, %v", when, seen, err)
		}
	}
	noted("without a user", "what users of "+f.issuer.URL()+" may do")
	good := f.token(t, map[string]any{"preferred_username": "alice", "policy": []string{platform.S3Policy}})
	if err := prove(good); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"alice: wrote, read and listed in s3://user-alice", "alice: refused at s3://user-onyxia-s3-proof-", "forged claims in requests: refused (403)"} {
		if !strings.Contains(f.transcript(), line) {
			t.Errorf("not said: %s\n%s", line, f.transcript())
		}
	}
	if strings.Contains(f.transcript(), good) {
		t.Error("the token was said")
	}
	noted("with a user", "")
	if err := prove(""); err != nil {
		t.Fatal(err)
	}
	noted("without a user, later", "")
	f.second(t)
	err := prove(f.token(t, map[string]any{"policy": []string{platform.S3Policy}}))
	if err == nil || !strings.Contains(err.Error(), "preferred_username is missing") {
		t.Errorf("a token without the name: %v", err)
	}
	if seen, err := stage.NewProofNote(f.env, Name).Read(t.Context()); err != nil || seen.Digest != "" {
		t.Errorf("what was shown before a proof failed is still noted: %+v, %v", seen, err)
	}
	if err := prove(good); err != nil {
		t.Fatal(err)
	}
}

// Another issuer than a Keycloak that we configure: what can be shown without its users is, names that nobody checks are
// told and refused, and what a group has is not taken away behind its back.
func TestForeignIssuer(t *testing.T) {
	testbed.Program(t, "minio")
	f := &foreign{whole: &whole{front: newFront(t, "minio.lab.demo.test")}, issuer: vaulttest.StartIssuer(t)}
	authority := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authority, []byte(f.issuer.CAPEM()), 0o600); err != nil {
		t.Fatal(err)
	}
	f.lab = newLab(t, func(c *platform.Config) {
		c.Trust.CABundle = f.front.caPEM + f.issuer.CAPEM()
		c.Auth.Mode, c.Auth.URL, c.Auth.Groups = "oidc", f.issuer.URL(), []string{"group1", "group2"}
	})
	f.public = f.front.address
	stagetest.UseChart(t, &f.env, "minio")
	// What the chart's Secret of private authorities is for. Programs that fetch something know no other authority from here on.
	t.Setenv("SSL_CERT_FILE", authority)
	f.cluster.KeepReady(t)
	run := f.run(t, Options{Say: f.say})
	plan, err := run.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- run.Apply(t.Context(), plan, engine.Options{Timeout: 5 * time.Minute}) }()
	f.serve(t, done)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"make a public client onyxia-minio at the issuer", "is refused with 403 wherever they ask MinIO", "a token that " + f.issuer.URL() + " did not sign is refused",
		"nothing is listed without credentials", "NOT SHOWN: what users of " + f.issuer.URL() + " may do", "MANDATORY: every access token"} {
		if !strings.Contains(f.transcript(), line) {
			t.Errorf("not said: %s\n%s", line, f.transcript())
		}
	}
	f.second(t)
	if done, err := apply(t.Context(), t, f.run(t, Options{Prove: true, Say: f.say})); err != nil || len(done) != 1 || done[stage.S3ReadyID] != engine.Configure {
		t.Errorf("checked again: %v, %v", done, err)
	}

	f.provedByAUser(t)
	alice := f.enter(t, "alice", "projet-group1")
	opens(t, "alice", alice, "user-alice", true)
	opens(t, "alice", alice, "projet-group1", true)
	opens(t, "alice", alice, "projet-group2", false)
	for _, name := range []string{"*", "a*", "alice/x", "al?ce", "Alice", "alice@demo.test", strings.Repeat("a", longestForeignName+1)} {
		opens(t, name, f.enter(t, name), "user-alice", false)
	}
	opens(t, "the longest name", f.enter(t, strings.Repeat("a", longestForeignName)), "user-"+strings.Repeat("a", longestForeignName), true)

	f.env.Platform.Auth.Groups = []string{"group2"}
	f.second(t)
	if want := "group group1 is not in auth.groups, and whoever's token has projet-group1 in the claim policy opens its bucket"; !strings.Contains(f.transcript(), want) {
		t.Errorf("not said: %s\n%s", want, f.transcript())
	}
	opens(t, "alice, whose group was dropped", f.enter(t, "alice", "projet-group1"), "projet-group1", true)
}
