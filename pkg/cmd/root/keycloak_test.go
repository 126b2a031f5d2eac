package root

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// people stands in for the users and groups of realm datalab.
type people struct {
	server        *httptest.Server
	mu            sync.Mutex
	users, groups []string
}

// keycloak starts the stand-in, and makes the Secrets by which the plugin logs in there.
func (w *world) keycloak(t *testing.T, env *testscript.Env) error {
	w.people = &people{users: []string{"ana"}, groups: []string{"crew"}}
	w.people.server = httptest.NewTLSServer(w.people.handler())
	t.Cleanup(w.people.server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.people.server.Certificate().Raw})
	if err := os.WriteFile(filepath.Join(env.WorkDir, "keycloak-ca.pem"), ca, 0o600); err != nil {
		return err
	}
	api := w.cluster.Clientset().CoreV1()
	if _, err := api.Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "onyxia"}}, metav1.CreateOptions{}); err != nil {
		return err
	}
	account := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "keycloak-service-account"}, StringData: map[string]string{"clientSecret": "secret-of-the-account"}}
	_, err := api.Secrets("onyxia").Create(t.Context(), account, metav1.CreateOptions{})
	return err
}

func (p *people) handler() http.Handler {
	const realm = "/admin/realms/datalab"
	mux := http.NewServeMux()
	named := func(key string, list *[]string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			p.mu.Lock()
			defer p.mu.Unlock()
			found := []map[string]string{}
			for _, name := range *list {
				if asked := r.FormValue("username"); asked == "" || asked == name {
					found = append(found, map[string]string{"id": name, key: name, "path": "/" + name})
				}
			}
			_ = json.NewEncoder(w).Encode(found)
		}
	}
	mux.HandleFunc("POST /realms/master/protocol/openid-connect/token", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"access_token": "e30.e30.c2ln", "expires_in": 60}`)
	})
	mux.HandleFunc("GET "+realm+"/users", named("username", &p.users))
	mux.HandleFunc("GET "+realm+"/groups", named("name", &p.groups))
	mux.HandleFunc("PUT "+realm+"/users/{id}/reset-password", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("DELETE "+realm+"/users/{id}", func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.users = slices.DeleteFunc(p.users, func(name string) bool { return name == path.Base(r.URL.Path) })
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST "+realm+"/groups", func(w http.ResponseWriter, r *http.Request) {
		var made struct {
			Name string `json:"name"`
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if err := json.NewDecoder(r.Body).Decode(&made); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		p.groups = append(p.groups, made.Name)
		w.Header().Set("Location", realm+"/groups/"+made.Name)
		w.WriteHeader(http.StatusCreated)
	})
	return mux
}
