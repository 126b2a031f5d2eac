package keycloak

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak/keycloaktest"
)

// mailServer takes mails from those who log in with the password, and keeps them (RFC 5321, RFC 4954).
type mailServer struct {
	port     int
	password string
	mu       sync.Mutex
	mails    []string
}

func newMailServer(t *testing.T, password string) *mailServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	m := &mailServer{port: listener.Addr().(*net.TCPAddr).Port, password: password}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go m.serve(conn)
		}
	}()
	return m
}

func (m *mailServer) serve(conn net.Conn) {
	defer conn.Close()
	say := func(line string) { _, _ = conn.Write([]byte(line + "\r\n")) }
	say("220 test")
	var text strings.Builder
	in, data, asked := bufio.NewScanner(conn), false, false
	for in.Scan() {
		line := in.Text()
		switch verb, rest, _ := strings.Cut(line, " "); {
		case data && line == ".":
			data = false
			m.mu.Lock()
			m.mails = append(m.mails, text.String())
			m.mu.Unlock()
			say("250 taken")
		case data:
			text.WriteString(line + "\n")
		case asked:
			asked = false
			m.judge(line, say)
		case verb == "EHLO":
			say("250-test")
			say("250 AUTH PLAIN")
		case verb == "AUTH" && rest == "PLAIN":
			asked = true
			say("334 ")
		case verb == "AUTH":
			m.judge(strings.TrimPrefix(rest, "PLAIN "), say)
		case verb == "DATA":
			data = true
			say("354 go on")
		case verb == "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (m *mailServer) judge(encoded string, say func(string)) {
	plain, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || !strings.HasSuffix(string(plain), "\x00"+m.password) {
		say("535 no")
		return
	}
	say("235 yes")
}

func (m *mailServer) count() int { m.mu.Lock(); defer m.mu.Unlock(); return len(m.mails) }

// plain is a value that replaces what was there as a whole.
type plain map[string]string

// mail is about the password that Keycloak never shows.
func mail(ctx context.Context, t *testing.T, server *keycloaktest.Server) {
	m := newMailServer(t, "right-password")
	l := newLab(server, "mail")
	l.mustUp(ctx, t)
	l.smtp = &SMTP{Host: "127.0.0.1", Port: m.port, From: "datalab@example.org", FromName: "Datalab", Encryption: "none", Username: "datalab", Password: given("wrong-password")}
	l.mustUp(ctx, t)
	if err := l.realm.SendTestMail(ctx, "new@example.org"); err == nil || m.count() != 0 || strings.Contains(err.Error(), "wrong-password") {
		t.Errorf("mail with a wrong password: %v, %d taken", err, m.count())
	}
	l.smtp.Password = given("right-password")
	l.again()
	_, plan := l.plan(ctx, t)
	if diff := cmp.Diff([]string{"realm.keycloak/mail configure [realm.smtpServer.password  -> ]"}, differing(plan)); diff != "" {
		t.Errorf("plan with another password (-want +got):\n%s", diff)
	}
	l.mustUp(ctx, t)
	if err := l.realm.SendTestMail(ctx, "new@example.org"); err != nil || m.count() != 1 {
		t.Errorf("mail with the right password: %v, %d taken", err, m.count())
	}
	if left, err := l.realm.Users(ctx, ""); err != nil || len(left) != 0 {
		t.Errorf("users left after the test mail: %v %v", left, err)
	}
	// the password survives a change of anything else
	l.accessed = 10 * time.Minute
	l.mustUp(ctx, t)
	l.smtp.FromName = "Other name"
	l.again()
	_, plan = l.plan(ctx, t)
	if diff := cmp.Diff([]string{"realm.keycloak/mail configure [realm.smtpServer.fromDisplayName Datalab -> Other name]"}, differing(plan)); diff != "" {
		t.Errorf("plan with another sender (-want +got):\n%s", diff)
	}
	l.mustUp(ctx, t)
	if err := l.realm.SendTestMail(ctx, "new@example.org"); err != nil || m.count() != 2 {
		t.Errorf("mail after other changes: %v, %d taken", err, m.count())
	}
	l.again()
	if _, plan = l.plan(ctx, t); len(differing(plan)) > 0 {
		t.Errorf("plan at the end: %v", differing(plan))
	}
	// somebody sets the mail server up anew: seen, although the password is shown as before
	l.realmByHand(ctx, t, document{"smtpServer": plain{"host": "127.0.0.1", "port": "25", "from": "x@example.org", "auth": "true", "user": "x", "password": "x"}})
	l.again()
	if _, plan = l.plan(ctx, t); len(differing(plan)) != 1 || !strings.Contains(differing(plan)[0], "realm.smtpServer.password") {
		t.Errorf("plan after a new mail server by hand: %v", differing(plan))
	}
}

func users(ctx context.Context, t *testing.T, server *keycloaktest.Server) {
	l := newLab(server, "people")
	l.mustUp(ctx, t)
	r := l.realm
	password, err := r.AddUser(ctx, NewUser{Name: "carol", Email: "carol@example.org", Groups: []string{"group1"}})
	if err != nil || len(password) < 20 {
		t.Fatalf("add: %d characters, %v", len(password), err)
	}
	if _, err := r.AddUser(ctx, NewUser{Name: "carol", Email: "other@example.org"}); !IsStatus(err, http.StatusConflict) {
		t.Errorf("second carol: %v", err)
	}
	if _, err := r.AddUser(ctx, NewUser{Name: "Carol", Email: "other@example.org"}); err == nil {
		t.Error("Carol was taken")
	}
	if _, err := r.AddUser(ctx, NewUser{Name: "dave", Email: "dave@example.org", Groups: []string{"nowhere"}}); !IsStatus(err, http.StatusNotFound) {
		t.Errorf("group that is not there: %v", err)
	}
	if err := r.AddGroup(ctx, "later/below"); err != nil {
		t.Error(err)
	}
	if err := r.SetGroups(ctx, "carol", []string{"group2", "later/below"}); err != nil {
		t.Error(err)
	}
	if groups, err := r.UserGroups(ctx, "carol"); err != nil || !slices.Equal(groups, []string{"group2", "later/below"}) {
		t.Errorf("groups of carol: %v %v", groups, err)
	}
	want := []string{"group1", "group2", "later", "later/below", "parent", "parent/child", "parent/other"}
	if groups, err := r.Groups(ctx); err != nil || !slices.Equal(groups, want) {
		t.Errorf("groups: %v %v", groups, err)
	}
	if err := r.AddProofClient(ctx, Client{ID: "proof", DirectGrants: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.UserTokens(ctx, Credentials{ClientID: "proof", Username: "carol", Password: password}); !errors.Is(err, ErrCredentials) || !strings.Contains(err.Error(), "not fully set up") {
		t.Errorf("login with a temporary password: %v", err)
	}
	for range 2 {
		if err := r.DeleteUser(ctx, "carol"); err != nil {
			t.Error(err)
		}
	}
	if _, err := r.FindUser(ctx, "carol"); !errors.Is(err, ErrNoUser) {
		t.Errorf("carol after her end: %v", err)
	}
	for i := range 12 {
		if err := r.AddGroup(ctx, "many/sub"+string(rune('a'+i))); err != nil {
			t.Fatal(err)
		}
	}
	if groups, err := r.Groups(ctx); err != nil || len(groups) != 7+13 {
		t.Errorf("%d groups, %v", len(groups), err)
	}
}

func removal(ctx context.Context, t *testing.T, server *keycloaktest.Server) {
	l := newLab(server, "gone")
	l.mustUp(ctx, t)
	// a client of the admin's own under a name of ours, and a mapper of ours that the admin changed
	theirs := l.theirs.Realm("gone")
	vault, err := theirs.findClient(ctx, "vault")
	if err != nil {
		t.Fatal(err)
	}
	l.byHand(ctx, t, http.MethodDelete, "/clients/"+vault.text("id"), nil)
	l.byHand(ctx, t, http.MethodPost, "/clients", document{"clientId": "vault", "publicClient": true})
	l.mustUp(ctx, t)

	l.again()
	run := engine.Run{Steps: l.steps()}
	plan, err := run.PlanRemoval(ctx, nil)
	if err != nil || plan.Err() != nil {
		t.Fatal(err, plan.Err())
	}
	if err := run.Remove(ctx, plan); err != nil {
		t.Fatal(err)
	}
	var left []document
	l.look(ctx, t, "/clients", &left)
	var ids []string
	for _, c := range left {
		ids = append(ids, c.text("clientId"))
	}
	for _, id := range []string{"onyxia", "minio", "onyxia-minio"} {
		if slices.Contains(ids, id) {
			t.Errorf("client %s is still there", id)
		}
	}
	if !slices.Contains(ids, "vault") {
		t.Error("the admin's own client vault was deleted")
	}
	var self document
	l.look(ctx, t, "", &self)
	if plan, err = run.PlanRemoval(ctx, map[engine.ID]bool{l.realm.ID(): true}); err != nil {
		t.Fatal(err)
	}
	if err := run.Remove(ctx, plan); err != nil {
		t.Fatal(err)
	}
	if err := l.theirs.get(ctx, "/realms/gone", nil); !IsStatus(err, http.StatusNotFound) {
		t.Errorf("the realm by name: %v", err)
	}
	l.mustUp(ctx, t)
}

func serviceAccount(ctx context.Context, t *testing.T, server *keycloaktest.Server) {
	l := newLab(server, "account")
	l.mustUp(ctx, t)
	used := 0
	noBootstrap := func(_ context.Context) (Credentials, error) {
		used++
		return Credentials{Username: "admin", Password: "no longer"}, nil
	}
	l.account.Bootstrap = NewAdmin(server.URL, http.DefaultClient, noBootstrap)
	l.mustUp(ctx, t)
	if used > 0 {
		t.Error("the bootstrap administrator was used although the account stands")
	}
	// what it may not do
	for _, path := range []string{"/realms/master/clients", "/realms/master/users", "/realms/twice/clients"} {
		if err := l.own.get(ctx, path, nil); !IsStatus(err, http.StatusForbidden) {
			t.Errorf("the service account may read %s: %v", path, err)
		}
	}
	// its secret is changed by hand: without an administrator that is for a person to mend
	l.account.Secret = given("another-secret-0123456789")
	l.again()
	_, plan := l.plan(ctx, t)
	if c := plan.Steps[0].Change; c.Action != engine.Blocked || c.Fix == "" || strings.Contains(c.Why, "no longer") {
		t.Errorf("plan without any login: %+v", c)
	}
	l.account.Bootstrap = l.theirs
	l.mustUp(ctx, t)
	// a realm that was there before: the rights that every step needs, and no more
	if err := l.theirs.post(ctx, "/realms", document{"realm": "before", "enabled": true, "loginTheme": "base", "rememberMe": true}); err != nil {
		t.Fatal(err)
	}
	before := newLab(server, "before")
	before.mustUp(ctx, t)
	before.again()
	if _, plan := before.plan(ctx, t); len(differing(plan)) > 0 {
		t.Errorf("second plan on a realm that was there before: %v", differing(plan))
	}
	held, err := (&account{ServiceAccount: before.account, own: before.own}).held(ctx)
	if err != nil || len(held.clientRoles("before-realm")) > len(rights())+6 || slices.Contains(held.realmRoles(), "admin") {
		t.Errorf("rights: %v %v", held, err)
	}
	run := engine.Run{Steps: before.steps()}
	removal, err := run.PlanRemoval(ctx, map[engine.ID]bool{before.realm.ID(): true})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range removal.Steps {
		if s.ID == before.realm.ID() && s.Change.Action != engine.Kept {
			t.Errorf("a realm that was there before would be removed: %+v", s.Change)
		}
	}
}

func discovery(ctx context.Context, t *testing.T, server *keycloaktest.Server) {
	l := newLab(server, "disco")
	l.mustUp(ctx, t)
	d, err := Discover(ctx, http.DefaultClient, server.URL+"/realms/disco")
	if err != nil || d.Keys == 0 || len(d.Doubts) != 1 {
		t.Errorf("%+v %v", d, err)
	}
	for issuer, words := range map[string]string{
		server.URL + "/realms/disco/": "letter by letter",
		strings.Replace(server.URL, "127.0.0.1", "127.0.0.2", 1) + "/realms/disco": "reachable",
		server.URL + "/realms/nowhere":                                             "404",
	} {
		if _, err := Discover(ctx, http.DefaultClient, issuer); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", issuer, err)
		}
	}
	wrongPath := NewAdmin(strings.TrimSuffix(server.URL, "/auth"), http.DefaultClient, l.account.Credentials)
	if _, err := wrongPath.ServerInfo(ctx); err == nil || !strings.Contains(err.Error(), "relative path") {
		t.Errorf("wrong relative path: %v", err)
	}
}

// stoppedServer ends the server in the middle of a configure; the next run finishes.
func stoppedServer(ctx context.Context, t *testing.T, server *keycloaktest.Server) {
	l := newLab(server, "stopped")
	whole := newLab(server, "unstopped")
	whole.mustUp(ctx, t)
	want := whole.state(ctx, t)
	var once sync.Once
	l.watch.at = func(n int, _ *http.Request) (*http.Response, error) {
		if n == len(whole.watch.requests())/2 {
			once.Do(server.Stop)
		}
		return nil, nil
	}
	if err := l.up(ctx); err == nil || !strings.Contains(err.Error(), "no answer from Keycloak") {
		t.Errorf("configure of a server that went away: %v", err)
	}
	l.watch.at = nil
	server.Run(t)
	l.mustUp(ctx, t)
	if diff := cmp.Diff(want, l.state(ctx, t)); diff != "" {
		t.Errorf("(-unstopped +stopped):\n%s", diff)
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
	l.again()
	if _, plan := l.plan(ctx, t); len(differing(plan)) > 0 {
		t.Errorf("second plan: %v", differing(plan))
	}
	password, err := l.realm.AddProofUser(ctx, NewUser{Name: "alice", Email: "alice@example.org", FirstName: "A", LastName: "A"})
	if err != nil {
		t.Fatal(err)
	}
	if claims := l.proofToken(ctx, t, "alice", password, Client{ID: "proof"}); claims.Text("iss") != public+"/realms/tunnel" {
		t.Errorf("issuer %s", claims.Text("iss"))
	}
}

// bootstrapAdministrator is removed at last, and does not come back with the server.
func bootstrapAdministrator(ctx context.Context, t *testing.T, server *keycloaktest.Server) {
	l := newLab(server, "last")
	l.mustUp(ctx, t)
	if err := l.account.RemoveBootstrapUser(ctx, keycloaktest.AdminName); !errors.Is(err, ErrLastAdministrator) {
		t.Errorf("the only administrator: %v", err)
	}
	if err := l.theirs.post(ctx, "/realms/master/users", document{"username": "person", "enabled": true}); err != nil {
		t.Fatal(err)
	}
	person, err := l.theirs.Realm("master").FindUser(ctx, "person")
	if err != nil {
		t.Fatal(err)
	}
	var role document
	if err := l.theirs.get(ctx, "/realms/master/roles/admin", &role); err != nil {
		t.Fatal(err)
	}
	if err := l.theirs.post(ctx, "/realms/master/users/"+person.ID+"/role-mappings/realm", []document{role}); err != nil {
		t.Fatal(err)
	}
	if err := l.account.RemoveBootstrapUser(ctx, keycloaktest.AdminName); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	server.Run(t)
	l.theirs.Reauthenticate()
	if err := l.theirs.Login(ctx); !errors.Is(err, ErrCredentials) {
		t.Errorf("the bootstrap administrator can still log in: %v", err)
	}
	l.mustUp(ctx, t)
	l.again()
	if _, plan := l.plan(ctx, t); len(differing(plan)) > 0 {
		t.Errorf("plan without the bootstrap administrator: %v", differing(plan))
	}
}
