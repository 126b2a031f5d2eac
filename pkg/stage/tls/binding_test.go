package tls

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/acmetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// hmac is a key as authorities hand them out, in base64url.
const hmac = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"

// An authority that takes only accounts that it knows of. The HMAC key comes by the environment, a file or a Secret, and is
// needed once: for the account.
func TestExternalAccountBinding(t *testing.T) {
	for name, give := range map[string]func(*testing.T, *site){
		"environment": func(t *testing.T, _ *site) { t.Setenv("ACME_EAB_HMAC", hmac) },
		"file": func(t *testing.T, _ *site) {
			file := filepath.Join(t.TempDir(), "hmac")
			if err := os.WriteFile(file, []byte(hmac+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("ACME_EAB_HMAC_FILE", file)
		},
		"secret": func(t *testing.T, s *site) {
			secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "eab"}, Data: map[string][]byte{"hmac": []byte(hmac)}}
			if _, err := s.cluster.Clientset().CoreV1().Secrets(s.config.App.Namespace).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			s.config.TLS.ACME.EAB.HMACSecret = s.config.App.Namespace + "/eab"
			s.complete(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, acmetest.Options{EAB: map[string]string{"kid-1": hmac}})
			if _, err := s.issue(t.Context(), t, Options{}); err == nil || !strings.Contains(err.Error(), "tls.acme.eab.kid") || !strings.Contains(err.Error(), "ACME_EAB_HMAC") {
				t.Errorf("no binding: %v", err)
			}
			s.config.TLS.ACME.EAB.Kid = "kid-1"
			s.complete(t)
			asked := s.ca.Requests()
			change, err := s.issue(t.Context(), t, Options{})
			if err == nil || change.Action != engine.Blocked || !strings.Contains(change.Fix, "export ACME_EAB_HMAC or ACME_EAB_HMAC_FILE, or name a Secret by tls.acme.eab.hmacSecret") {
				t.Errorf("no HMAC key: %+v, %v", change, err)
			}
			if n := s.ca.Requests() - asked; n > 0 {
				t.Errorf("the authority was asked %d times", n)
			}
			give(t, s)
			s.must(t, Options{}, engine.Create)

			// The account is bound for good.
			t.Setenv("ACME_EAB_HMAC", "")
			t.Setenv("ACME_EAB_HMAC_FILE", "")
			s.config.TLS.ACME.EAB.HMACSecret = ""
			s.complete(t)
			s.must(t, renewal(), engine.Configure)
			if strings.Contains(s.transcript(), hmac) {
				t.Error("the HMAC key was told")
			}
		})
	}
}

// A Secret that is no use is said to be none before anything is written, and its name is all that is told of it.
func TestSecretOfTheBinding(t *testing.T) {
	s := newSite(t, acmetest.Options{EAB: map[string]string{"kid-1": hmac}})
	s.config.TLS.ACME.EAB.Kid, s.config.TLS.ACME.EAB.HMACSecret = "kid-1", s.config.App.Namespace+"/eab"
	s.complete(t)
	blocked := func(want string) {
		t.Helper()
		if change, err := s.issue(t.Context(), t, Options{}); err == nil || change.Action != engine.Blocked || !strings.Contains(change.Fix, want) {
			t.Errorf("%+v, %v; want %q", change, err, want)
		}
	}
	blocked("there is no secret " + s.config.App.Namespace + "/eab; make it by `kubectl -n " + s.config.App.Namespace + " create secret generic eab --from-file=hmac=FILE`")
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "eab"}, Data: map[string][]byte{"key": []byte(hmac)}}
	if _, err := s.cluster.Clientset().CoreV1().Secrets(s.config.App.Namespace).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	blocked(`has no key "hmac"`)
}

// Another type of key is another certificate, once.
func TestKeyType(t *testing.T) {
	s := newSite(t, acmetest.Options{})
	s.must(t, Options{}, engine.Create)
	s.config.TLS.ACME.KeyType = "ec256"
	s.complete(t)
	s.must(t, Options{}, engine.Unchanged)
	s.config.TLS.ACME.KeyType = "rsa2048"
	s.complete(t)
	if change := s.must(t, Options{}, engine.Configure); change.Why != "its key is ec256, wanted is rsa2048" {
		t.Errorf("why: %s", change.Why)
	}
	s.must(t, Options{}, engine.Unchanged)
	s.config.TLS.ACME.KeyType = ""
	s.complete(t)
	s.must(t, Options{}, engine.Unchanged)
}
