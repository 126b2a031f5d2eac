package vault

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/stagetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/internal/testbed"
	"github.com/kubectl-onyxia/kubectl-onyxia/internal/vaulttest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

// newForeignLab has an issuer whose users are not ours to make.
func newForeignLab(t *testing.T, change func(*platform.Config)) (*lab, *vaulttest.Issuer, func(target string)) {
	t.Helper()
	testbed.Program(t, "vault")
	ca, forward := front(t, "vault.lab.demo.test")
	issuer := vaulttest.StartIssuer(t)
	l := newLab(t, func(c *platform.Config) {
		c.Trust.CABundle = ca + issuer.CAPEM()
		c.Auth.Mode, c.Auth.URL = "oidc", issuer.URL()
		if change != nil {
			change(c)
		}
	})
	stagetest.UseChart(t, &l.env, "vault")
	return l, issuer, forward
}

// login gives what Vault answers to a token of the issuer.
func (l *lab) login(t *testing.T, issuer *vaulttest.Issuer, name string) (*vault.Client, error) {
	t.Helper()
	now := time.Now()
	jwt := issuer.Token(t, map[string]any{"iss": issuer.URL(), "aud": "vault", "sub": name, "preferred_username": name, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()})
	session, err := l.client().Login(t.Context(), "jwt", "onyxia-user", vault.NewSecret(jwt))
	if err != nil {
		return nil, err
	}
	return session.Client, nil
}

// Another issuer than a Keycloak that we configure: what can be shown without its users is, the root token is revoked all
// the same, later runs without keys find nothing to do and say what they have not looked at, and those with keys mend.
func TestForeignIssuer(t *testing.T) {
	l, issuer, forward := newForeignLab(t, nil)
	l.runServer(t)
	forward(l.server.Address)
	l.cluster.KeepReady(t)
	file := filepath.Join(t.TempDir(), "keys.yaml")

	// The keys alone, so that the root token is known here.
	if _, err := apply(t, l.unsealing(t, Options{Keys: making(Keys{File: file})})); err != nil {
		t.Fatal(err)
	}
	opened := openedFile(t, file)
	if _, err := apply(t, l.run(t, Options{})); err == nil || !strings.Contains(err.Error(), "vault configure --keys-file FILE") || !strings.Contains(err.Error(), "vault.credentialsSecret") {
		t.Fatalf("without rights: %v", err)
	}
	keys := func() Options { return Options{Keys: making(Keys{File: file}), Say: l.say} }
	done, err := apply(t, l.run(t, keys()))
	if err != nil {
		t.Fatal(err)
	}
	for id, action := range map[engine.ID]engine.Action{"role.vault/onyxia-user": engine.Create, stage.VaultReadyID: engine.Create, rootTokenID: engine.Configure, "role.vault/onyxia-operator": ""} {
		if done[id] != action {
			t.Errorf("%s: %q", id, done[id])
		}
	}
	for _, line := range []string{"make a public client vault at the issuer", "the browser may ask from https://onyxia.demo.test", "a token that " + issuer.URL() + " did not sign is refused",
		"nothing is read without a token", "By hand: log in to Onyxia and write a secret", "vault write auth/jwt/login role=onyxia-user jwt=-"} {
		if !strings.Contains(l.transcript(), line) {
			t.Errorf("not said: %s\n%s", line, l.transcript())
		}
	}
	if !openedFile(t, file).RootToken.Empty() {
		t.Error("the root token is still in the file")
	}
	if lives, err := l.client().WithToken(opened.RootToken).Lives(t.Context()); err != nil || lives {
		t.Errorf("the root token lives: %v, %v", lives, err)
	}
	l.tellsNothing(t, opened)
	alice, err := l.login(t, issuer, "alice")
	if err != nil {
		t.Fatal(err)
	}
	if err := alice.Write(t.Context(), "onyxia-kv/data/user-alice/x", map[string]any{"data": map[string]string{"a": "b"}}, nil); err != nil {
		t.Fatal(err)
	}

	t.Run("the second run, without keys", func(t *testing.T) {
		l.said = nil
		mark, audited := l.cluster.Mark(t), l.audited(t)
		if done, err := apply(t, l.run(t, Options{})); err != nil || len(done) != 0 {
			t.Fatalf("%v, %v", done, err)
		}
		if writes := append(mark.Writes(t), l.auditedWrites(t, audited)...); len(writes) != 0 {
			t.Errorf("%v", writes)
		}
		if !strings.Contains(l.transcript(), "is not compared now, because nobody in this run has rights on it: kubectl onyxia vault configure --keys-file FILE") {
			t.Errorf("said: %s", l.transcript())
		}
		if done, err := apply(t, l.run(t, Options{Prove: true, Say: l.say})); err != nil || len(done) != 1 || done[stage.VaultReadyID] != engine.Configure {
			t.Errorf("checked again: %v, %v", done, err)
		}
		if done, err := apply(t, l.run(t, keys())); err != nil || len(done) != 1 || done[rightsID] != engine.Create {
			t.Errorf("with keys: %v, %v", done, err)
		}
	})
	t.Run("changed by hand, and mended with the keys", func(t *testing.T) {
		root := l.rootByKeys(t, opened)
		if err := root.Write(t.Context(), "sys/policies/acl/onyxia", map[string]string{"policy": `path "onyxia-kv/*" { capabilities = ["read"] }`}, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := l.login(t, issuer, "alice/x"); err != nil {
			t.Fatal(err)
		}
		l.said = nil
		if done, err := apply(t, l.run(t, keys())); err != nil || len(done) != 2 || done["policy.vault/onyxia"] != engine.Configure {
			t.Errorf("%v, %v", done, err)
		}
		if !strings.Contains(l.transcript(), `user "alice/x" reaches into the folder of user "alice" in Vault`) {
			t.Errorf("said: %s", l.transcript())
		}
	})
	t.Run("a root token given by hand is revoked as well", func(t *testing.T) {
		root := l.rootByKeys(t, opened)
		l.said = nil
		done, err := apply(t, l.run(t, Options{Token: root.Token, Say: l.say}))
		if err != nil || done[rootTokenID] != engine.Configure {
			t.Errorf("%v, %v", done, err)
		}
		if lives, err := root.Lives(t.Context()); err != nil || lives {
			t.Errorf("it lives: %v, %v", lives, err)
		}
		if said := l.transcript(); !strings.Contains(said, "unset it") || strings.Contains(said, root.Token.Reveal()) {
			t.Errorf("said: %s", said)
		}
	})
	t.Run("sessions by the keys end with the command", func(t *testing.T) {
		sessions := &Sessions{}
		o := keys()
		o.Sessions = sessions
		if _, err := apply(t, l.run(t, o)); err != nil {
			t.Fatal(err)
		}
		root := l.rootByKeys(t, opened)
		before := operatorTokens(t, root)
		if err := sessions.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if after := operatorTokens(t, root); before == 0 || after >= before {
			t.Errorf("%d tokens of sessions before, %d after", before, after)
		}
	})
	t.Run("a token that a Secret names", func(t *testing.T) {
		var made struct {
			Auth struct {
				Token string `json:"client_token"`
			} `json:"auth"`
		}
		in := map[string]any{"policies": []string{vault.OperatorPolicy}, "period": "1h"}
		if err := l.rootByKeys(t, opened).Write(t.Context(), "auth/token/create-orphan", in, &made); err != nil {
			t.Fatal(err)
		}
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "operator"}, StringData: map[string]string{"token": made.Auth.Token}}
		if _, err := l.cluster.Clientset().CoreV1().Secrets(l.namespace()).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		l.env.Platform.Vault.CredentialsSecret = l.namespace() + "/operator"
		defer func() { l.env.Platform.Vault.CredentialsSecret = "" }()
		l.said = nil
		if done, err := apply(t, l.run(t, Options{})); err != nil || len(done) != 0 || strings.Contains(l.transcript(), "not compared") {
			t.Errorf("%v, %v, said %s", done, err, l.transcript())
		}
	})
}

// Keys that are kept in the cluster make no token in each run: once all is shown to stand, only commands about what is inside
// use them.
func TestForeignIssuerWithKeysInTheCluster(t *testing.T) {
	l, _, forward := newForeignLab(t, nil)
	l.runServer(t)
	forward(l.server.Address)
	l.cluster.KeepReady(t)
	if _, err := apply(t, l.unsealing(t, Options{Keys: making(Keys{})})); err != nil {
		t.Fatal(err)
	}
	done, err := apply(t, l.run(t, Options{}))
	if err != nil || done["role.vault/onyxia-user"] != engine.Create || done[rootTokenID] != engine.Configure {
		t.Fatalf("the first run: %v, %v", done, err)
	}
	l.said = nil
	mark, audited := l.cluster.Mark(t), l.audited(t)
	run := l.run(t, Options{})
	plan, err := run.Plan(t.Context())
	if err != nil || plan.Writes() || !plan.Settled() {
		t.Errorf("what status and diff see: %+v, %v", plan, err)
	}
	if done, err := apply(t, run); err != nil || len(done) != 0 {
		t.Fatalf("the second run: %v, %v", done, err)
	}
	if writes := append(mark.Writes(t), l.auditedWrites(t, audited)...); len(writes) != 0 {
		t.Errorf("%v", writes)
	}
	if said := l.transcript(); !strings.Contains(said, "is not compared now, because that takes a token made with the keys in secret "+l.namespace()+"/vault-keys: kubectl onyxia vault configure does it") {
		t.Errorf("said: %s", said)
	}
	if done, err := apply(t, l.run(t, Options{Inside: true})); err != nil || len(done) != 1 || done[rightsID] != engine.Create {
		t.Errorf("vault configure: %v, %v", done, err)
	}
}

// What is inside a Vault that others run goes by a token of theirs, and stays without one, which is said of each thing.
func TestRemovalFromExternalVault(t *testing.T) {
	l, issuer, forward := newForeignLab(t, nil)
	l.runServer(t)
	forward(l.server.Address)
	file := filepath.Join(t.TempDir(), "keys.yaml")
	if _, err := apply(t, l.unsealing(t, Options{Keys: making(Keys{File: file})})); err != nil {
		t.Fatal(err)
	}
	root := openedFile(t, file).RootToken
	l.env.Platform.Vault.Mode, l.env.Platform.Vault.URL = "external", l.server.Address
	if _, err := apply(t, l.run(t, Options{Token: root})); err != nil {
		t.Fatal(err)
	}
	if done, err := apply(t, l.run(t, Options{})); err != nil || len(done) != 0 {
		t.Fatalf("proved, and without a token: %v, %v", done, err)
	}
	inside := []engine.ID{"mount.vault/onyxia-kv", "cors.vault/onyxia", "auth.vault/jwt", "policy.vault/onyxia", "role.vault/onyxia-user"}
	removal := func(o Options) (engine.Run, engine.Plan) {
		t.Helper()
		o.Removing, o.TokenAddress = true, l.server.Address
		run := l.run(t, o)
		run.Selected = func(s engine.Step) bool { return s.Stage == Name }
		plan, err := run.PlanRemoval(t.Context(), nil)
		if err != nil || plan.Err() != nil {
			t.Fatal(err, plan.Err())
		}
		return run, plan
	}
	changes := func(plan engine.Plan) map[engine.ID]engine.Change {
		all := map[engine.ID]engine.Change{}
		for _, line := range plan.Steps {
			all[line.ID] = line.Change
		}
		return all
	}
	for what, token := range map[string]vault.Secret{"nobody in this run has rights on vault: give VAULT_TOKEN": {}, "is not accepted": vault.NewSecret("hvs.wrong")} {
		_, plan := removal(Options{Token: token})
		for _, id := range inside {
			if c := changes(plan)[id]; c.Action != engine.Kept || !strings.Contains(c.Why, what) || strings.Contains(c.Why, "hvs.wrong") {
				t.Errorf("%s: %+v", id, c)
			}
		}
	}
	run, plan := removal(Options{Token: root})
	for _, id := range inside {
		want := engine.Delete
		if id == "mount.vault/onyxia-kv" {
			want = engine.Kept
		}
		if c := changes(plan)[id]; c.Action != want {
			t.Errorf("with a token: %s: %+v", id, c)
		}
	}
	if err := run.Remove(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	if _, err := l.login(t, issuer, "alice"); err == nil {
		t.Error("the login is still there")
	}
	_, plan = removal(Options{Token: root})
	for id, c := range changes(plan) {
		if c.Action == engine.Delete {
			t.Errorf("left: %s", id)
		}
	}
}

// operatorTokens counts the tokens that may configure.
func operatorTokens(t *testing.T, root *vault.Client) (n int) {
	t.Helper()
	accessors, err := root.List(t.Context(), "auth/token/accessors")
	if err != nil {
		t.Fatal(err)
	}
	for _, accessor := range accessors {
		var token struct {
			Data struct {
				Policies []string `json:"policies"`
			} `json:"data"`
		}
		if err := root.Write(t.Context(), "auth/token/lookup-accessor", map[string]string{"accessor": accessor}, &token); err != nil && !errors.Is(err, vault.ErrPermissionDenied) {
			t.Fatal(err)
		}
		if slices.Contains(token.Data.Policies, vault.OperatorPolicy) {
			n++
		}
	}
	return n
}

// rootByKeys makes a root token; it ends with the server.
func (l *lab) rootByKeys(t *testing.T, opened vault.DecryptedKeys) *vault.Client {
	t.Helper()
	token, err := l.client().GenerateRoot(t.Context(), vault.SharesOf(opened), nil)
	if err != nil {
		t.Fatal(err)
	}
	return l.client().WithToken(token)
}

// Dev mode: no keys, no volume; rights by the token that the server left in its pod, which is shown nowhere; all made anew
// after a restart, in which everything is forgotten.
func TestDevMode(t *testing.T) {
	l, issuer, forward := newForeignLab(t, func(c *platform.Config) { c.Vault.Mode = "dev" })
	l.server = vaulttest.StartDev(t)
	l.makePod(t)
	forward(l.server.Address)
	l.cluster.KeepReady(t)
	for range 2 {
		done, err := apply(t, l.run(t, Options{Say: l.say}))
		if err != nil || done["role.vault/onyxia-user"] != engine.Create {
			t.Fatalf("%v, %v", done, err)
		}
		if done, err := apply(t, l.run(t, Options{Say: l.say})); err != nil || len(done) != 0 {
			t.Fatalf("again: %v, %v", done, err)
		}
		if _, err := l.login(t, issuer, "alice"); err != nil {
			t.Fatal(err)
		}
		token, err := os.ReadFile(filepath.Join(l.server.Home, ".vault-token"))
		if err != nil || len(token) < 20 {
			t.Fatalf("%d characters, %v", len(token), err)
		}
		opened := vault.DecryptedKeys{RootToken: vault.NewSecret(strings.TrimSpace(string(token)))}
		if err := l.client().WithToken(opened.RootToken).Read(t.Context(), "sys/mounts", nil); err != nil {
			t.Fatal(err)
		}
		l.tellsNothing(t, opened)
		l.server.Kill()
		l.server.Run(t)
	}
	if !strings.Contains(l.transcript(), "every secret of every user is gone") {
		t.Errorf("not warned: %s", l.transcript())
	}
}
