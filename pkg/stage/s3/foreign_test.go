package s3

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/testbed"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault/vaulttest"
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
	now := time.Now()
	token := f.issuer.Token(t, map[string]any{"iss": f.issuer.URL(), "aud": "minio", "azp": "minio", "sub": "id", "preferred_username": name,
		"policy": append(policies, platform.S3Policy), "iat": now.Add(-time.Second).Unix(), "exp": now.Add(time.Minute).Unix()})
	credentials, err := f.root(t).AssumeRoleWithWebIdentity(t.Context(), s3.WebIdentity{Token: token})
	if err != nil {
		t.Fatal(err)
	}
	return f.root(t).As(credentials)
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
	f.charts(t)
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
		"nothing is listed without credentials", "By hand: log in to Onyxia and upload a file"} {
		if !strings.Contains(f.transcript(), line) {
			t.Errorf("not said: %s\n%s", line, f.transcript())
		}
	}
	f.second(t)
	if done, err := apply(t.Context(), t, f.run(t, Options{Prove: true, Say: f.say})); err != nil || len(done) != 1 || done[stage.S3ReadyID] != engine.Configure {
		t.Errorf("checked again: %v, %v", done, err)
	}

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
