package auth

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// An administrator whose login was refused is not tried again by each run, but when the credentials change.
func TestRefusedAdministratorIsAskedOnce(t *testing.T) {
	var logins atomic.Int32
	var own atomic.Int32
	var account atomic.Value
	account.Store("first")
	rights := `{"sub": "%s", "resource_access": {"datalab-realm": {"roles": ["manage-clients", "manage-realm", "manage-users"]}}}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/token") {
			http.NotFound(w, r)
			return
		}
		if r.FormValue("grant_type") == "password" {
			logins.Add(1)
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error": "invalid_grant", "error_description": "Account disabled"}`)
			return
		}
		own.Add(1)
		claims := fmt.Sprintf(rights, account.Load())
		fmt.Fprintf(w, `{"access_token": "e30.%s.c2ln", "expires_in": 60}`, base64.RawURLEncoding.EncodeToString([]byte(claims)))
	}))
	defer server.Close()
	p := newPlant(t)
	secrets := p.cluster.Clientset().CoreV1().Secrets(p.namespace)
	keep := func(name string, data map[string]string) {
		t.Helper()
		if _, err := secrets.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: data}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	keep("admin", map[string]string{"username": "u", "password": "p"})
	keep(stage.KeycloakAccountSecret, map[string]string{"clientSecret": "s"})
	ask := func(want int32) {
		t.Helper()
		env, _ := datalab(t, platform.Auth{Mode: "keycloak", URL: server.URL, CredentialsSecret: p.namespace + "/admin"})
		env.Platform.App.Namespace = p.namespace
		env.Keycloak = stage.NewKeycloak(env.Platform, p.client)
		if told, err := Stage().Doubts(t.Context(), env); err != nil || len(told) > 0 {
			t.Fatalf("%q, %v", told, err)
		}
		if got := logins.Load(); got != want {
			t.Errorf("%d logins as administrator, want %d", got, want)
		}
	}
	ask(1)
	mark := p.cluster.Mark(t)
	ask(1)
	if writes := mark.Writes(t); len(writes) > 0 {
		t.Errorf("wrote %q", writes)
	}
	if own.Load() != 2 {
		t.Errorf("%d logins as the service account in two runs", own.Load())
	}
	changed, err := secrets.Get(t.Context(), "admin", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	changed.StringData = map[string]string{"password": "another"}
	if _, err := secrets.Update(t.Context(), changed, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	ask(2)
	ask(2)
	// the database is made anew, and the administrator with it, out of the same Secret
	account.Store("second")
	ask(3)
	ask(3)
}
