package keycloak

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/keycloaktest"
)

// kcadm runs Keycloak's own command line as a script would, and counts what it sends.
type kcadm struct {
	t        *testing.T
	program  string
	config   string
	address  string
	commands int
	requests atomic.Int64
}

func newKcadm(t *testing.T, server *keycloaktest.Server) *kcadm {
	t.Helper()
	k := &kcadm{t: t, program: server.Admin(), config: filepath.Join(t.TempDir(), "kcadm.config")}
	target, err := url.Parse(server.URL)
	must(t, err)
	target.Path = ""
	forward := httputil.NewSingleHostReverseProxy(target)
	counting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.requests.Add(1)
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(counting.Close)
	k.address = counting.URL + "/auth"
	return k
}

func (k *kcadm) run(args ...string) []byte {
	k.t.Helper()
	k.commands++
	command := exec.CommandContext(k.t.Context(), k.program, append(args, "--config", k.config)...)
	command.Env = append(os.Environ(), "KC_CLI_PASSWORD="+keycloaktest.AdminPassword)
	said, err := command.CombinedOutput()
	if err != nil {
		k.t.Fatalf("kcadm %s: %v\n%s", strings.Join(args, " "), err, said)
	}
	return said
}

// TestRequestsOfKcadm counts what a script around kcadm.sh sends to bring the same realm, that is as wanted already, to what is
// wanted: by hand there is no comparing, so it looks up what it needs the id of, and writes. Seen on 26.5.6 only.
func TestRequestsOfKcadm(t *testing.T) {
	versions := keycloaktest.Versions(t)
	l := newLab(keycloaktest.Start(t, versions[len(versions)-1]), "bench")
	l.mustUp(t.Context(), t)
	l.mustUp(t.Context(), t)
	ours := len(l.watch.requests())

	k := newKcadm(t, l.server)
	began := time.Now()
	k.run("config", "credentials", "--server", k.address, "--realm", "master", "--user", keycloaktest.AdminName)
	k.run("update", "realms/bench", "-s", "registrationAllowed=true", "-s", "rememberMe=true", "-s", "resetPasswordAllowed=true")
	profile := filepath.Join(t.TempDir(), "profile.json")
	must(t, os.WriteFile(profile, k.run("get", "users/profile", "-r", "bench"), 0o600))
	k.run("update", "users/profile", "-r", "bench", "-f", profile)
	k.run("update", "authentication/required-actions/"+Terms, "-r", "bench", "-s", "enabled=true", "-s", "defaultAction=true")
	for _, path := range []string{"/group1", "/group2", "/parent/child", "/parent/other"} {
		k.run("get", "group-by-path"+path, "-r", "bench")
	}
	for _, role := range []string{"onyxia-admin", "onyxia-user"} {
		k.run("update", "roles/"+role, "-r", "bench", "-s", "name="+role)
	}
	for _, id := range []string{"onyxia", "minio", "onyxia-minio", "vault"} {
		client, err := l.realm.findClient(t.Context(), id)
		must(t, err)
		k.run("get", "clients", "-r", "bench", "-q", "clientId="+id, "--fields", "id")
		k.object("clients/"+client.text("id"), client)
	}
	took := time.Since(began)
	t.Logf("with nothing to do: %d requests; kcadm.sh: %d commands, %d requests in %s", ours, k.commands, k.requests.Load(), took.Round(time.Second))
	expect(t, int64(3*ours) < k.requests.Load(), "%d requests against %d", ours, k.requests.Load())
	l.unchanged(t.Context(), t)
}

// object writes a client and its mappers.
func (k *kcadm) object(path string, seen document) {
	k.t.Helper()
	k.run("update", path, "-r", "bench", "-s", "protocol=openid-connect")
	mappers := seen.list("protocolMappers")
	if len(mappers) > 0 {
		k.run("get", path+"/protocol-mappers/models", "-r", "bench", "--fields", "id,name")
	}
	for _, m := range mappers {
		k.run("update", path+"/protocol-mappers/models/"+m.text("id"), "-r", "bench", "-s", "protocol=openid-connect")
	}
}
