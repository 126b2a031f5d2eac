package keycloak

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/keycloaktest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

func users(ctx context.Context, t *testing.T, server *keycloaktest.Server) {
	l := newLab(server, "people")
	l.mustUp(ctx, t)
	r := l.realm
	password, err := r.AddUser(ctx, NewUser{Name: "carol", Email: "carol@example.org", Groups: []string{"group1"}})
	must(t, err)
	expect(t, len(password) > 20, "a password of %d characters", len(password))
	_, err = r.AddUser(ctx, NewUser{Name: "carol", Email: "other@example.org"})
	expect(t, IsStatus(err, http.StatusConflict), "second carol: %v", err)
	_, err = r.AddUser(ctx, NewUser{Name: "Carol", Email: "other@example.org"})
	expect(t, err != nil, "Carol was taken")
	_, err = r.AddUser(ctx, NewUser{Name: "dave", Email: "dave@example.org", Groups: []string{"nowhere"}})
	expect(t, IsStatus(err, http.StatusNotFound), "group that is not there: %v", err)

	for _, want := range []bool{true, false} {
		made, err := r.AddGroup(ctx, "later/below")
		expect(t, err == nil && made == want, "group made: %t, want %t, %v", made, want, err)
	}
	must(t, r.SetGroups(ctx, "carol", []string{"group2", "later/below"}))
	_, memberships, err := r.memberships(ctx, "carol")
	expect(t, err == nil && len(memberships) == 2 && memberships["group2"] != "" && memberships["later/below"] != "", "groups of carol: %v %v", memberships, err)
	groups, err := r.Groups(ctx)
	want := []string{"group1", "group2", "later", "later/below", "parent", "parent/child", "parent/other"}
	expect(t, err == nil && slices.Equal(groups, want), "groups: %v %v", groups, err)
	for i := range 12 {
		_, err := r.AddGroup(ctx, "many/sub"+string(rune('a'+i)))
		must(t, err)
	}
	groups, err = r.Groups(ctx)
	expect(t, err == nil && len(groups) == len(want)+13, "%d groups, %v", len(groups), err)

	must(t, r.AddProofClient(ctx, "proof", "onyxia"))
	secret, err := r.ClientSecret(ctx, "proof")
	must(t, err)
	_, err = r.UserTokens(ctx, Credentials{ClientID: "proof", ClientSecret: secret, Username: "carol", Password: password})
	expect(t, errors.Is(err, ErrCredentials) && strings.Contains(err.Error(), "not fully set up"), "login with a temporary password: %v", err)
	again, err := r.ResetPassword(ctx, "carol")
	must(t, err)
	_, err = r.UserTokens(ctx, Credentials{ClientID: "proof", ClientSecret: secret, Username: "carol", Password: again})
	expect(t, again != password && errors.Is(err, ErrCredentials) && strings.Contains(err.Error(), "not fully set up"), "login with the new password: %v", err)
	// last, since brute-force protection locks the account after two failures within a second
	_, err = r.UserTokens(ctx, Credentials{ClientID: "proof", ClientSecret: secret, Username: "carol", Password: password})
	expect(t, errors.Is(err, ErrCredentials) && !strings.Contains(err.Error(), "not fully set up"), "login with the former password: %v", err)
	l.lostAnswers(ctx, t, secret)
	must(t, r.DeleteUser(ctx, "carol"))
	must(t, r.DeleteUser(ctx, "carol"))
	_, err = r.FindUser(ctx, "carol")
	expect(t, errors.Is(err, ErrNoUser), "carol after her end: %v", err)
}

// lostAnswers: the server makes the user, and we do not hear of it. The password that is told opens the account all the same. The
// secret is that of client proof.
func (l *lab) lostAnswers(ctx context.Context, t *testing.T, secret string) {
	t.Helper()
	for name, fault := range map[string]func(*http.Request) (*http.Response, error){
		"erin": func(*http.Request) (*http.Response, error) { return nil, errors.New("connection reset by peer") },
		"fred": func(r *http.Request) (*http.Response, error) {
			return answering(r, 500, `{"error":"unknown_error"}`), nil
		},
	} {
		lost := false
		l.watch.at = func(_ int, r *http.Request) (*http.Response, error) {
			if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/users") || lost {
				return nil, nil
			}
			lost = true
			response, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				return nil, err
			}
			response.Body.Close()
			return fault(r)
		}
		password, err := l.realm.AddUser(ctx, NewUser{Name: name, Email: name + "@example.org"})
		l.watch.at = nil
		expect(t, lost && err == nil && password != "", "%s: %v", name, err)
		_, err = l.realm.UserTokens(ctx, Credentials{ClientID: "proof", ClientSecret: secret, Username: name, Password: password})
		expect(t, errors.Is(err, ErrCredentials) && strings.Contains(err.Error(), "not fully set up"), "%s does not log in with the password that was told: %v", name, err)
	}
	l.watch.at = func(_ int, r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/groups/") {
			return answering(r, 403, `{}`), nil
		}
		return nil, nil
	}
	password, err := l.realm.AddUser(ctx, NewUser{Name: "gina", Email: "gina@example.org", Groups: []string{"group1"}})
	l.watch.at = nil
	expect(t, password != "" && err != nil && strings.Contains(err.Error(), "auth group set gina"), "a user who is in no group yet: %q, %v", password, err)
}

func removal(ctx context.Context, t *testing.T, server *keycloaktest.Server) {
	l := newLab(server, "gone")
	l.mustUp(ctx, t)
	// a client of the admin's own under a name of ours
	vault, err := l.theirs.Realm("gone").findClient(ctx, "vault")
	must(t, err)
	l.byHand(ctx, t, http.MethodDelete, "/clients/"+vault.text("id"), nil)
	l.byHand(ctx, t, http.MethodPost, "/clients", document{"clientId": "vault", "publicClient": true})
	l.mustUp(ctx, t)

	l.again()
	run := engine.Run{Steps: l.steps()}
	plan, err := run.PlanRemoval(ctx, nil)
	must(t, errors.Join(err, plan.Err()))
	must(t, run.Remove(ctx, plan))
	var left []document
	l.look(ctx, t, "/clients", &left)
	for id, stays := range map[string]bool{"onyxia": false, "minio": false, "onyxia-minio": false, "vault": true, "account": true} {
		expect(t, (find(left, "clientId", id) != nil) == stays, "client %s: stays %t", id, !stays)
	}
	var self document
	l.look(ctx, t, "", &self)
	client, err := l.account.client(ctx)
	expect(t, err == nil && client != nil, "the account that may remove the realm is gone before it: %v", err)
	plan, err = run.PlanRemoval(ctx, map[engine.ID]bool{l.realm.ID(): true})
	must(t, err)
	must(t, run.Remove(ctx, plan))
	err = l.theirs.get(ctx, "/realms/gone", nil)
	expect(t, IsStatus(err, http.StatusNotFound), "the realm, removed by name: %v", err)
	l.mustUp(ctx, t)
}

func serviceAccount(ctx context.Context, t *testing.T, server *keycloaktest.Server) {
	l := newLab(server, "account")
	l.mustUp(ctx, t)
	used := 0
	l.account.Bootstrap = NewAdmin(server.URL, http.DefaultClient, func(context.Context) (Credentials, error) {
		used++
		return Credentials{Username: "admin", Password: "no longer"}, nil
	})
	l.mustUp(ctx, t)
	expect(t, used == 0, "the bootstrap administrator was used although the account stands")
	subject, err := l.own.Subject(ctx)
	expect(t, err == nil && subject != "", "the account's own id: %q, %v", subject, err)
	must(t, l.theirs.post(ctx, "/realms", document{"realm": "others", "enabled": true}))
	for _, path := range []string{"/realms/master/clients", "/realms/master/users", "/realms/others/clients"} {
		err := l.own.get(ctx, path, nil)
		expect(t, IsStatus(err, http.StatusForbidden), "the service account may read %s: %v", path, err)
	}
	// its secret is changed by hand: without an administrator that is for a person to mend
	l.account.Secret = given("another-secret-0123456789")
	l.again()
	_, plan := l.plan(ctx, t)
	change := plan.Steps[0].Change
	expect(t, change.Action == engine.Blocked && change.Fix != "" && !strings.Contains(change.Why, "no longer"), "plan without any login: %+v", change)
	l.account.Bootstrap = l.theirs
	l.mustUp(ctx, t)
}

// realmBefore is a realm that somebody made before us: it is not changed unless that was agreed to, once, and the account gets
// the rights that every step needs, and no more.
func realmBefore(ctx context.Context, t *testing.T, server *keycloaktest.Server) {
	l := newLab(server, "before")
	must(t, l.theirs.post(ctx, "/realms", document{"realm": "before", "enabled": true, "loginTheme": "base", "rememberMe": true}))
	l.byHand(ctx, t, http.MethodPost, "/clients", document{"clientId": "minio", "secret": "theirs-0123456789", "redirectUris": []string{"https://their-console.example/*"}})
	before := l.state(ctx, t)
	err := l.up(ctx)
	expect(t, err != nil && strings.Contains(err.Error(), "strangers may sign up to all of them"), "a realm of somebody else's, nobody agreed: %v", err)
	if diff := cmp.Diff(before, l.state(ctx, t)); diff != "" {
		t.Errorf("it was changed (-before +after):\n%s", diff)
	}
	l.agreed = &[]string{}
	l.again()
	_, plan := l.plan(ctx, t)
	for _, s := range plan.Steps {
		risky := s.ID == l.realm.ID() || s.ID == ClientStepID("minio")
		expect(t, (s.Change.Risk != "") == risky, "%s has the risk %q", s.ID, s.Change.Risk)
	}
	l.mustUp(ctx, t)
	l.agreed = nil
	l.unchanged(ctx, t)
	l.accessed = 10 * time.Minute
	l.again()
	_, plan = l.plan(ctx, t)
	expect(t, strings.Contains(plan.Steps[1].Change.Risk, "hold for all of its applications"), "another change of their realm: %+v", plan.Steps[1].Change)
	l.mustUp(ctx, t)
	held, err := (&account{ServiceAccount: l.account, own: l.own}).held(ctx)
	must(t, err)
	roles := held.clientRoles("before-realm")
	slices.Sort(roles)
	for _, role := range []string{"manage-identity-providers", "manage-events", "manage-authorization", "impersonation"} {
		expect(t, !slices.Contains(roles, role), "rights: %v", roles)
	}
	expect(t, !slices.Contains(held.realmRoles(), "admin"), "roles: %v", held.realmRoles())
	run := engine.Run{Steps: l.steps()}
	removal, err := run.PlanRemoval(ctx, map[engine.ID]bool{l.realm.ID(): true})
	must(t, err)
	for _, s := range removal.Steps {
		expect(t, s.ID != l.realm.ID() || s.Change.Action == engine.Kept, "a realm that was there before would be removed: %+v", s.Change)
	}
	expect(t, !slices.Contains(held.realmRoles(), createRealm), "with its realm there, the account may make others: %v", held.realmRoles())
	must(t, run.Remove(ctx, removal))
	client, err := l.account.client(ctx)
	expect(t, err == nil && client == nil, "left in realm master after the uninstall: %v %v", client, err)
	l.mustUp(ctx, t)
}

// twoDatalabs have a realm each on one server. Neither takes the other's account, nor a client that is not theirs.
func twoDatalabs(ctx context.Context, t *testing.T, server *keycloaktest.Server) {
	one, two := newLab(server, "labone"), newLab(server, "labtwo")
	two.account.Secret = given("secret-of-the-other-lab-0123456789")
	one.mustUp(ctx, t)
	two.mustUp(ctx, t)
	one.unchanged(ctx, t)
	two.unchanged(ctx, t)

	// the same name and another secret: as an account of ours whose Secret was lost, and as a client of somebody else's
	lost := newLab(server, "labone")
	lost.account.Secret = given("a-secret-made-anew-0123456789")
	lost.again()
	_, plan := lost.plan(ctx, t)
	change := plan.Steps[0].Change
	expect(t, change.Action == engine.Configure && strings.Contains(change.Risk, "loses its login"), "a lost secret: %+v", change)
	lost.account.BootstrapUser = keycloaktest.AdminName
	lost.again()
	_, plan = lost.plan(ctx, t)
	expect(t, plan.Steps[0].Change.Action == engine.Configure && plan.Steps[0].Change.Risk == "", "a lost secret on a server of ours: %+v", plan.Steps[0].Change)
	foreign := newLab(server, "labthree")
	must(t, foreign.theirs.post(ctx, "/realms/master/clients", document{"clientId": foreign.account.ID, "secret": "theirs-0123456789"}))
	_, plan = foreign.plan(ctx, t)
	change = plan.Steps[0].Change
	expect(t, change.Action == engine.Blocked && strings.Contains(change.Why, "did not make") && change.Fix != "", "somebody else's client: %+v", change)
	err := (&account{ServiceAccount: foreign.account, own: foreign.own}).Apply(ctx, accountSeen{})
	expect(t, err != nil && strings.Contains(err.Error(), "did not make"), "somebody else's client was taken: %v", err)
}

func discovery(ctx context.Context, t *testing.T, server *keycloaktest.Server) {
	l := newLab(server, "disco")
	l.mustUp(ctx, t)
	d, err := Discover(ctx, http.DefaultClient, server.URL+"/realms/disco", "https://onyxia.demo.test")
	if err != nil || d.Keys == 0 || len(d.Doubts) != 1 {
		t.Errorf("%+v %v", d, err)
	}
	for issuer, words := range map[string]string{
		server.URL + "/realms/disco/": "letter by letter",
		strings.Replace(server.URL, "127.0.0.1", "127.0.0.2", 1) + "/realms/disco": "reachable",
		server.URL + "/realms/nowhere":                                             "404",
	} {
		if _, err := Discover(ctx, http.DefaultClient, issuer, "https://onyxia.demo.test"); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", issuer, err)
		}
	}
	wrongPath := NewAdmin(strings.TrimSuffix(server.URL, "/auth"), http.DefaultClient, l.account.Credentials)
	if _, err := wrongPath.ServerInfo(ctx); err == nil || !strings.Contains(err.Error(), "relative path") {
		t.Errorf("wrong relative path: %v", err)
	}
}

// tunnel reaches a server that has a public address by another one, as a port-forward does.
func tunnel(ctx context.Context, t *testing.T, server *keycloaktest.Server) {
	const public = "https://auth.lab.demo.test/auth"
	server.Stop()
	major, _, _ := strings.Cut(server.Version, ".")
	if major >= "25" {
		server.Run(t, "--hostname="+public, "--proxy-headers=xforwarded", "--http-enabled=true")
	} else {
		server.Run(t, "--hostname-url="+public, "--hostname-strict-backchannel=true", "--proxy=edge")
	}
	address := strings.TrimSuffix(strings.TrimPrefix(server.URL, "http://"), "/auth")
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	through := *server
	through.URL = "http://keycloak.keycloak.svc/auth"
	l := newLab(&through, "tunnel")
	l.watch.base = &http.Transport{DialContext: dial}
	l.theirs = l.bootstrap
	l.mustUp(ctx, t)
	l.unchanged(ctx, t)
	password, err := l.realm.AddProofUser(ctx, "alice", "example.org")
	if err != nil {
		t.Fatal(err)
	}
	if claims := l.proofToken(ctx, t, "alice", password, "onyxia"); claims.Text("iss") != public+"/realms/tunnel" {
		t.Errorf("issuer %s", claims.Text("iss"))
	}
}
