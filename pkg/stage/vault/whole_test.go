package vault

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/keycloaktest"
	"github.com/kubectl-onyxia/kubectl-onyxia/internal/stagetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/auth"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

// frontAddress is one of loopback that has port 443 free; nobody but root may take it.
const frontAddress = "127.0.0.77"

// front stands for the ingress controller: TLS for Vault's public host, with a private authority.
func front(t *testing.T, host string) (caPEM string, to func(target string)) {
	t.Helper()
	alone(t)
	listener, err := net.Listen("tcp", net.JoinHostPort(frontAddress, "443"))
	if err != nil && os.Getenv("ONYXIA_TEST_REAL") != "" {
		t.Fatalf("the public address needs port 443 of %s: %v", frontAddress, err)
	}
	if err != nil {
		t.Skipf("NOT RUN: the public address needs port 443 of %s: %v; ONYXIA_TEST_REAL=1 makes this a failure", frontAddress, err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "front"}, DNSNames: []string{host}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	var proxy http.Handler = http.NotFoundHandler()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { proxy.ServeHTTP(w, r) }))
	_ = server.Listener.Close()
	server.Listener = listener
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), func(target string) {
		u, err := url.Parse(target)
		if err != nil {
			t.Fatal(err)
		}
		proxy = httputil.NewSingleHostReverseProxy(u)
	}
}

// alone keeps other processes that run these tests from the address until the test ends: they wait.
func alone(t *testing.T) {
	t.Helper()
	file, err := os.OpenFile(filepath.Join(os.TempDir(), "kubectl-onyxia-"+frontAddress+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
}

// run is what a command makes of the stages auth and vault.
func (l *lab) run(t *testing.T, o Options) engine.Run {
	t.Helper()
	// Each command reads anew.
	l.env.Links, l.env.Keycloak = stage.NewLinks(), stage.NewKeycloak(l.env.Platform, l.env.Kube)
	login, err := auth.Stage().Steps(t.Context(), l.env)
	if err != nil {
		t.Fatal(err)
	}
	list, err := With(o).Steps(t.Context(), l.env)
	if err != nil {
		t.Fatal(err)
	}
	steps := append(engine.Stage("auth", login...), engine.Stage(Name, list...)...)
	steps = append(steps, stagetest.Address(l.env.Links, netip.MustParseAddr(frontAddress)))
	return engine.Run{Steps: stagetest.Complete(steps)}
}

// The whole stage on a real API server, a real Keycloak and a real Vault: from nothing to proven in one run, nothing to do
// in the second, sealed and opened again, and a Vault that others run.
func TestWholeStage(t *testing.T) {
	if os.Getenv("ONYXIA_TEST_REAL") != "" && os.Getenv("KEYCLOAK_VERSIONS") == "" {
		t.Fatal(`no KEYCLOAK_VERSIONS, for instance "26.5.6"`)
	}
	versions := keycloaktest.Versions(t)
	ca, forward := front(t, "vault.lab.demo.test")
	server := keycloaktest.Start(t, versions[len(versions)-1])
	l := newLab(t, func(c *platform.Config) {
		c.Trust.CABundle = ca
		c.Auth.Mode, c.Auth.URL, c.Auth.CredentialsSecret, c.Auth.Theme.URL = "keycloak", server.URL, c.App.Namespace+"/admin", "none"
	})
	administrator := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "admin"}, StringData: map[string]string{"username": keycloaktest.AdminName, "password": keycloaktest.AdminPassword}}
	if _, err := l.cluster.Clientset().CoreV1().Secrets(l.env.Platform.App.Namespace).Create(t.Context(), administrator, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	stagetest.UseChart(t, &l.env, "vault")
	l.runServer(t)
	forward(l.server.Address)
	l.cluster.KeepReady(t)
	file := filepath.Join(t.TempDir(), "keys.yaml")

	// Keys first, as `vault init` makes them, so that the root token can be looked for later.
	if _, err := apply(t, l.unsealing(t, Options{Keys: making(Keys{File: file})})); err != nil {
		t.Fatal(err)
	}
	opened := openedFile(t, file)
	if _, err := apply(t, l.run(t, Options{})); err == nil || !strings.Contains(err.Error(), "kubectl onyxia vault configure --keys-file FILE") {
		t.Fatalf("without rights: %v", err)
	}

	l.said = nil
	done, err := apply(t, l.run(t, Options{Keys: making(Keys{File: file}), Say: l.say}))
	if err != nil {
		t.Fatal(err)
	}
	for id, action := range map[engine.ID]engine.Action{rightsID: engine.Create, "role.vault/onyxia-operator": engine.Create, "auth.vault/oidc": engine.Create, stage.VaultReadyID: engine.Create, rootTokenID: engine.Configure} {
		if done[id] != action {
			t.Errorf("%s: %q", id, done[id])
		}
	}
	for _, line := range []string{"onyxia-proof-one logs in", "who is in no group, logs in as well", "writes, reads and lists onyxia-kv/user-onyxia-proof-one/", "neither reaches the other's folder",
		"the list of onyxia-kv/ is refused", "onyxia-kv/projet-onyxia-proof-ours/ is open to its members and to nobody else", "the browser may ask from https://onyxia.demo.test"} {
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
	l.leavesNothing(t)
	l.tellsNothing(t, opened)

	t.Run("the second run writes nothing", func(t *testing.T) {
		mark, audited := l.cluster.Mark(t), l.audited(t)
		if done, err := apply(t, l.run(t, Options{})); err != nil || len(done) != 0 {
			t.Fatalf("%v, %v", done, err)
		}
		if writes := mark.Writes(t); len(writes) != 0 {
			t.Errorf("to the API server: %v", writes)
		}
		if writes := l.auditedWrites(t, audited); !slices.Equal(writes, []string{"update auth/jwt/login"}) {
			t.Errorf("to Vault: %v", writes)
		}
	})
	t.Run("the proof again, when it is asked for", func(t *testing.T) {
		if done, err := apply(t, l.run(t, Options{Prove: true})); err != nil || len(done) != 1 || done[stage.VaultReadyID] != engine.Configure {
			t.Fatalf("%v, %v", done, err)
		}
		l.leavesNothing(t)
	})
	whole := t
	t.Run("sealed is said, and opened by the keys", func(t *testing.T) {
		l.server.Kill()
		l.server.Run(whole)
		if _, err := apply(t, l.run(t, Options{})); err == nil || !strings.Contains(err.Error(), "kubectl onyxia vault unseal") || errors.Is(err, engine.ErrTimeout) {
			t.Fatalf("%v", err)
		}
		done, err := apply(t, l.run(t, Options{Keys: &Keys{File: file}}))
		if err != nil || len(done) != 1 || done["seal.vault/vault-0"] != engine.Configure {
			t.Fatalf("%v, %v", done, err)
		}
	})
	t.Run("taken away, with what it holds kept", func(t *testing.T) {
		run := l.run(t, Options{})
		run.Selected = func(s engine.Step) bool { return s.Stage == Name }
		plan, err := run.PlanRemoval(t.Context(), nil)
		if err != nil || plan.Err() != nil {
			t.Fatal(err, plan.Err())
		}
		for _, line := range plan.Steps {
			inside := strings.Contains(string(line.ID), ".vault/") && line.ID != stage.VaultReadyID
			want := map[bool]engine.Action{true: engine.Kept, false: engine.Delete}[line.Data != ""]
			if inside && line.ID != "mount.vault/onyxia-kv" || line.Change.Action != want && !strings.HasPrefix(string(line.ID), "namespace/") {
				t.Errorf("%s: %+v", line.ID, line.Change)
			}
		}
	})
	t.Run("from nothing in one run", func(t *testing.T) {
		l.server.Kill()
		l.server.Empty(whole)
		l.server.Run(whole)
		anew := filepath.Join(t.TempDir(), "keys.yaml")
		if _, err := apply(t, l.run(t, Options{})); err == nil || !strings.Contains(err.Error(), "kubectl onyxia vault init --keys-file") {
			t.Fatalf("without keys: %v", err)
		}
		done, err := apply(t, l.run(t, Options{Keys: making(Keys{File: anew})}))
		if err != nil || done[KeysID] != engine.Create || done["seal.vault/vault-0"] == "" || done["role.vault/onyxia-user"] != engine.Create || done[rootTokenID] != engine.Configure {
			t.Fatalf("%v, %v", done, err)
		}
		opened = openedFile(t, anew)
		if done, err := apply(t, l.run(t, Options{})); err != nil || len(done) != 0 {
			t.Fatalf("again: %v, %v", done, err)
		}
	})
	t.Run("a Vault that others run", func(t *testing.T) { l.external(t, opened) })
}

// external makes the same by a token that was given, at a Vault that lives elsewhere.
func (l *lab) external(t *testing.T, opened vault.DecryptedKeys) {
	root, err := l.client().GenerateRoot(t.Context(), vault.SharesOf(opened), nil)
	if err != nil {
		t.Fatal(err)
	}
	l.env.Platform.Vault.Mode, l.env.Platform.Vault.URL = "external", l.server.Address
	if _, err := apply(t, l.run(t, Options{})); err == nil || !strings.Contains(err.Error(), "vault.credentialsSecret") {
		t.Fatalf("without a token: %v", err)
	}
	if _, err := apply(t, l.run(t, Options{Token: vault.NewSecret("hvs.wrong")})); err == nil || !strings.Contains(err.Error(), "not accepted") || strings.Contains(err.Error(), "hvs.wrong") {
		t.Fatalf("with a wrong token: %v", err)
	}
	done, err := apply(t, l.run(t, Options{Token: root}))
	if err != nil || done[stage.VaultReadyID] != engine.Configure {
		t.Fatalf("%v, %v", done, err)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "token"}, StringData: map[string]string{"token": root.Reveal() + "\n"}}
	if _, err := l.cluster.Clientset().CoreV1().Secrets(l.namespace()).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	l.env.Platform.Vault.CredentialsSecret = l.namespace() + "/token"
	if done, err := apply(t, l.run(t, Options{})); err != nil || len(done) != 0 {
		t.Fatalf("the second run: %v, %v", done, err)
	}
	if lives, err := l.client().WithToken(root).Lives(t.Context()); err != nil || !lives {
		t.Errorf("a token that was lent was revoked: %v", err)
	}
}

func (l *lab) client() *vault.Client {
	return &vault.Client{HTTP: http.DefaultClient, Address: l.server.Address}
}

// leavesNothing looks for what a proof made.
func (l *lab) leavesNothing(t *testing.T) {
	t.Helper()
	realm := stage.NewKeycloak(l.env.Platform, l.env.Kube).Realm
	for _, name := range []string{proofUser, otherProofUser} {
		if _, err := realm.FindUser(t.Context(), name); !errors.Is(err, keycloak.ErrNoUser) {
			t.Errorf("user %s is left: %v", name, err)
		}
	}
	if _, err := realm.ClientSecret(t.Context(), proofClient); err == nil {
		t.Errorf("client %s is left", proofClient)
	}
}

// tellsNothing looks for the keys in all that was said, and in every object of the cluster.
func (l *lab) tellsNothing(t *testing.T, opened vault.DecryptedKeys) {
	t.Helper()
	places := map[string]string{"output": l.transcript(), "Vault's log": l.server.Log()}
	if l.env.Platform.Vault.Mode == "dev" {
		// It tells its root token itself.
		delete(places, "Vault's log")
	}
	secrets, err := l.cluster.Clientset().CoreV1().Secrets("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	maps, err := l.cluster.Clientset().CoreV1().ConfigMaps("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range secrets.Items {
		for key, value := range s.Data {
			places["secret "+s.Name+" "+key] = string(value)
		}
	}
	for _, m := range maps.Items {
		places["configmap "+m.Name] = fmt.Sprint(m.Data)
	}
	for i, secret := range append(slices.Clone(opened.Shares), opened.RootToken) {
		for place, text := range places {
			if strings.Contains(text, secret.Reveal()) {
				t.Errorf("secret %d stands in %s", i, place)
			}
		}
	}
}
