package keycloak

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/keycloaktest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

func TestAnyHost(t *testing.T) {
	for uri, want := range map[string]bool{
		"*": true, "h*": true, "http*": true, "https:*": true, "http://*": true, "https://*": true,
		"https://lab.example*": true, "https://lab.example:*": true, "https://*.lab.example/": false,
		"https://lab.example/*": false, "https://lab.example/a*": false, "https://lab.example/": false,
		"/realms/lab/account/*": false, "/*": false, "org.example.app:/*": false, "": false,
	} {
		expect(t, anyHost(uri) == want, "%q: %t", uri, !want)
	}
}

// doubts: what lets strangers in is told, once, and nothing is sent for it that the plan had not read.
func doubts(ctx context.Context, t *testing.T, server *keycloaktest.Server) {
	l := newLab(server, "doubts")
	expected := Expected{Settings: l.settings(), Terms: true, MaxUsername: 49}
	expected.Settings.LoginTheme = "base"
	told, err := l.realm.Doubts(ctx, expected)
	expectDoubts(t, told, err)
	l.mustUp(ctx, t)
	told, err = l.realm.Doubts(ctx, expected)
	expectDoubts(t, told, err)

	l.realmByHand(ctx, t, document{"sslRequired": "none"})
	for id, c := range map[string]document{
		"star": {"redirectUris": []string{"https://their.example/*", "*"}}, "anyhost": {"redirectUris": []string{"https://their.example*"}},
		"fine": {"redirectUris": []string{"https://their.example/*"}}, "off": {"redirectUris": []string{"*"}, "enabled": false},
		"noflow": {"redirectUris": []string{"*"}, "standardFlowEnabled": false},
	} {
		l.byHand(ctx, t, "POST", "/clients", c.over(document{"clientId": id, "publicClient": true}))
	}
	l.again()
	run := engine.Run{Steps: append(l.steps(), engine.New("doubts/test", &asking{r: l.realm, expected: expected, told: &told}, l.realm.ID()))}
	_, err = run.Plan(ctx)
	expectDoubts(t, told, err, "plain HTTP", "client anyhost", "client star")
	expect(t, len(l.watch.requests()) <= 10, "a plan with doubts: %v", l.watch.requests())

	l.realmByHand(ctx, t, document{"sslRequired": "external", "editUsernameAllowed": true, "verifyEmail": true})
	l.again()
	told, err = l.realm.Doubts(ctx, expected)
	expectDoubts(t, told, err, "client anyhost", "client star", "may change their own name")
	expected.Settings.VerifyEmail = nil
	l.again()
	told, err = l.realm.Doubts(ctx, expected)
	expectDoubts(t, told, err, "client anyhost", "client star", "may change their own name", "has no mail server")
	l.realmByHand(ctx, t, document{"editUsernameAllowed": false, "verifyEmail": false})
	for _, id := range []string{"star", "anyhost"} {
		l.clientByHand(ctx, t, id, document{"enabled": false})
	}
	l.again()
	told, err = l.realm.Doubts(ctx, Expected{Settings: l.settings(), MaxUsername: 49})
	expectDoubts(t, told, err, "no login theme onyxia", "auth.terms names none")
	info, err := l.own.ServerInfo(ctx)
	must(t, err)
	l.again()
	told, err = l.realm.Doubts(ctx, Expected{Terms: true, MaxUsername: 49, Nonce: true})
	if info.Features.NoNonce {
		expectDoubts(t, told, err, "no nonce")
	} else {
		expectDoubts(t, told, err)
	}
}

// formerUsers of a realm that was there before are told of when no namespace can be called after them.
func formerUsers(ctx context.Context, t *testing.T, server *keycloaktest.Server) {
	l := newLab(server, "former")
	must(t, l.theirs.post(ctx, "/realms", document{"realm": "former", "enabled": true}))
	for _, name := range []string{"bob.smith", "carol", strings.Repeat("d", 50)} {
		l.byHand(ctx, t, "POST", "/users", document{"username": name, "email": name + "@example.org", "enabled": true})
	}
	l.agreed = &[]string{}
	l.mustUp(ctx, t)
	l.again()
	told, err := l.realm.Doubts(ctx, Expected{Terms: true, MaxUsername: 49})
	expectDoubts(t, told, err, "2 of the first 3 users")
	expect(t, strings.Contains(strings.Join(told, ""), "bob.smith"), "%q", told)
}

// asking is a step that asks for doubts in an observation round, as a stage does.
type asking struct {
	r        *Realm
	expected Expected
	told     *[]string
}

func (a *asking) Observe(ctx context.Context) (none struct{}, err error) {
	*a.told, err = a.r.Doubts(ctx, a.expected)
	return none, err
}
func (a *asking) Plan(struct{}) engine.Change                 { return engine.Change{Action: engine.Unchanged} }
func (a *asking) Apply(context.Context, struct{}) (err error) { return nil }

// expectDoubts compares lines by their words, in any order.
func expectDoubts(t *testing.T, told []string, err error, words ...string) {
	t.Helper()
	expect(t, err == nil && len(told) == len(words), "doubts: %q, %v", told, err)
	for _, w := range words {
		ok := slices.ContainsFunc(told, func(line string) bool { return strings.Contains(line, w) && strings.Contains(line, ": ") })
		expect(t, ok, "no doubt about %q in %q", w, told)
	}
}

func TestDoubtsAboutTheRealmItself(t *testing.T) {
	yes, no := true, false
	mail := map[string]any{"host": "mail.a.org"}
	for name, tc := range map[string]struct {
		self     document
		settings Settings
		want     string
	}{
		"nothing":                         {document{"sslRequired": "external", "editUsernameAllowed": false}, Settings{}, ""},
		"names that people change":        {document{"editUsernameAllowed": true}, Settings{}, `"Edit username"`},
		"it verifies by no mail server":   {document{"verifyEmail": true}, Settings{}, "auth.smtp"},
		"it is to":                        {document{"smtpServer": map[string]any{}}, Settings{VerifyEmail: &yes}, "auth.login.verifyEmail"},
		"it is not to any more":           {document{"verifyEmail": true}, Settings{VerifyEmail: &no}, ""},
		"it verifies by a mail server":    {document{"verifyEmail": true, "smtpServer": mail}, Settings{}, ""},
		"by one that it is about to have": {document{"verifyEmail": true}, Settings{SMTP: &SMTP{Host: "mail.a.org"}}, ""},
	} {
		got := strings.Join((&Realm{name: "datalab"}).ownDoubts(tc.self, Expected{Settings: tc.settings}), "\n")
		if !strings.Contains(got, tc.want) || (got == "") != (tc.want == "") || strings.Contains(got, "\n") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

const rescuePassword = "rescue-password-of-tests"

// bootstrapAdministrator is retired at last, does not come back with the server, and what only an administrator can do can
// still be done.
func bootstrapAdministrator(ctx context.Context, t *testing.T, server *keycloaktest.Server) {
	l := newLab(server, "last")
	told, err := l.account.Doubts(ctx, l.own)
	expectDoubts(t, told, err)
	l.account.BootstrapUser = keycloaktest.AdminName
	err = l.account.RetireBootstrap(ctx, l.own)
	expect(t, errors.Is(err, ErrAccountNeeded), "retired before the service account stands: %v", err)
	l.mustUp(ctx, t)
	told, err = l.account.Doubts(ctx, l.own)
	expectDoubts(t, told, err, "retire-bootstrap")
	theirs := l.account
	theirs.BootstrapUser = ""
	told, err = theirs.Doubts(ctx, l.own)
	expectDoubts(t, told, err, "everybody tries first")
	expect(t, theirs.RetireBootstrap(ctx, l.own) != nil, "an administrator that is not ours was retired")

	l.rescuer(ctx, t)
	must(t, l.account.RetireBootstrap(ctx, l.own))
	must(t, l.account.RetireBootstrap(ctx, l.own))
	told, err = l.account.Doubts(ctx, l.own)
	expect(t, errors.Is(err, ErrCredentials) && len(told) == 0, "doubts with a login that is no longer: %q, %v", told, err)
	info, err := l.own.ServerInfo(ctx)
	must(t, err)
	server.Stop()
	if info.Features.BootstrapAdmin {
		server.Command(t, []string{"RESCUE=" + rescuePassword}, "bootstrap-admin", "user", "--username", "rescue", "--password:env", "RESCUE")
	}
	server.Run(t)
	l.theirs.Reauthenticate()
	err = l.theirs.Login(ctx)
	expect(t, errors.Is(err, ErrCredentials), "the bootstrap administrator can still log in: %v", err)
	l.mustUp(ctx, t)
	l.unchanged(ctx, t)
	l.lostAccount(ctx, t)
}

// rescuer adds another administrator where the server has no other way to make one, after it was asked for.
func (l *lab) rescuer(ctx context.Context, t *testing.T) {
	t.Helper()
	info, err := l.own.ServerInfo(ctx)
	must(t, err)
	if info.Features.BootstrapAdmin {
		return
	}
	err = l.account.RetireBootstrap(ctx, l.own)
	expect(t, errors.Is(err, ErrLastAdministrator), "the only administrator: %v", err)
	must(t, l.theirs.post(ctx, "/realms/master/users", document{"username": "rescue", "enabled": true,
		"credentials": []document{{"type": "password", "value": rescuePassword, "temporary": false}}}))
	person, err := l.theirs.Realm("master").FindUser(ctx, "rescue")
	must(t, err)
	var role document
	must(t, l.theirs.get(ctx, "/realms/master/roles/admin", &role))
	must(t, l.theirs.post(ctx, "/realms/master/users/"+person.ID+"/role-mappings/realm", []document{role}))
}

// lostAccount makes the service account again with another administrator, after its secret was lost.
func (l *lab) lostAccount(ctx context.Context, t *testing.T) {
	t.Helper()
	l.account.Secret = given("another-secret-0123456789")
	l.again()
	_, plan := l.plan(ctx, t)
	change := plan.Steps[0].Change
	expect(t, change.Action == engine.Blocked && strings.Contains(change.Fix, "bootstrap-admin"), "plan without any login: %+v", change)
	l.account.Bootstrap = NewAdmin(l.server.URL, l.bootstrap.http, func(context.Context) (Credentials, error) {
		return Credentials{Username: "rescue", Password: rescuePassword}, nil
	})
	l.mustUp(ctx, t)
	l.unchanged(ctx, t)
}
