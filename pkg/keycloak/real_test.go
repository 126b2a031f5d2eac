package keycloak

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/keycloaktest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// watch is an HTTP transport that notes requests, and can do something at each of them.
type watch struct {
	mu   sync.Mutex
	seen []string
	// at is called before a request is sent, with its number from 1; a response it gives is taken instead of the server's.
	at func(n int, request *http.Request) (*http.Response, error)
	// base carries the requests; nil for the default.
	base http.RoundTripper
}

func (w *watch) RoundTrip(request *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.seen = append(w.seen, request.Method+" "+request.URL.Path)
	n, at := len(w.seen), w.at
	w.mu.Unlock()
	if at != nil {
		if response, err := at(n, request); response != nil || err != nil {
			return response, err
		}
	}
	if w.base != nil {
		return w.base.RoundTrip(request)
	}
	return http.DefaultTransport.RoundTrip(request)
}

func (w *watch) reset() { w.mu.Lock(); w.seen = nil; w.mu.Unlock() }

// requests lists what was sent since the last reset.
func (w *watch) requests() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string{}, w.seen...)
}

// writes are the requests that change something: all but reads and logins.
func (w *watch) writes() []string {
	var writes []string
	for _, each := range w.requests() {
		if !strings.HasPrefix(each, "GET ") && !strings.HasSuffix(each, "/protocol/openid-connect/token") {
			writes = append(writes, each)
		}
	}
	return writes
}

// answering makes a response of the server's own kind.
func answering(request *http.Request, status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: request}
}

// lab is one server with our service account on it, and a realm as the guide wants it.
type lab struct {
	server    *keycloaktest.Server
	bootstrap *Admin
	account   ServiceAccount
	own       *Admin
	watch     *watch
	realm     *Realm
	smtp      *SMTP
	accessed  time.Duration
	// patience with a server in trouble.
	patience time.Duration
	// agreed are the risks that a run asked about and that were agreed to; nil for nobody who agrees.
	agreed *[]string
	// theirs is a hand to do by hand what an admin does in the console.
	theirs *Admin
}

const ownSecret = "own-secret-of-tests-0123456789"

// minioSecret is the secret of a confidential client in the tests.
const minioSecret = "minio-secret-of-tests-0123456789"

func newLab(server *keycloaktest.Server, realm string) *lab {
	admin := func(context.Context) (Credentials, error) {
		return Credentials{Username: keycloaktest.AdminName, Password: keycloaktest.AdminPassword}, nil
	}
	l := &lab{server: server, watch: &watch{}, accessed: 5 * time.Minute, patience: outagePatience}
	l.theirs = NewAdmin(server.URL, http.DefaultClient, admin)
	l.bootstrap = NewAdmin(server.URL, &http.Client{Transport: l.watch}, admin)
	l.account = ServiceAccount{ID: "kubectl-onyxia-" + realm, Realm: realm, Secret: given(ownSecret), Bootstrap: l.bootstrap}
	l.again()
	return l
}

func given(secret string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return secret, nil }
}

// again makes new connections, as a new run of the program does.
func (l *lab) again() {
	l.own = NewAdmin(l.server.URL, &http.Client{Transport: l.watch}, l.account.Credentials)
	l.realm = l.own.Realm(l.account.Realm)
	l.bootstrap.outage.over()
	for _, a := range []*Admin{l.own, l.bootstrap} {
		a.outage.patience = l.patience
	}
	l.watch.reset()
}

// settings of the guide, with the session lifespans that upstream added later.
func (l *lab) settings() Settings {
	const session = 14 * 24 * time.Hour
	yes, no := true, false
	return Settings{
		DisplayName: "Datalab", Registration: &yes, ForgottenPassword: &yes, RememberMe: &yes, EmailLogin: &yes, VerifyEmail: &no, BruteForce: &yes,
		LoginTheme: "onyxia", EmailTheme: "base", Locales: []string{"en", "fr"},
		Lifespans: Lifespans{AccessToken: l.accessed, SSOIdle: session, SSOMax: session, SSOIdleRememberMe: session, SSOMaxRememberMe: session},
		SMTP:      l.smtp,
	}
}

const week = 7 * 24 * time.Hour

// steps is the whole realm of the guide with the clients of all stages.
func (l *lab) steps() []engine.Step {
	r := l.realm
	app := PublicClient("onyxia", []string{"https://onyxia.demo.test"}, "https://onyxia.demo.test/*")
	app.PostLogoutRedirectURIs = []string{"https://onyxia.demo.test/*"}
	s3 := PublicClient("onyxia-minio", []string{"https://onyxia.demo.test"}, "https://onyxia.demo.test/*")
	s3.Lifespans = ClientLifespans{AccessToken: week, SessionIdle: week, SessionMax: week}
	minio := Client{ID: "minio", Confidential: true, Secret: given(minioSecret), StandardFlow: true,
		RedirectURIs: []string{"https://minio-console.lab.demo.test/*", "https://minio.lab.demo.test/*"}}
	for _, c := range []*Client{&app, &s3} {
		c.WithoutScopes = []string{RolesAsGroupsScope}
	}
	vault := PublicClient("vault", []string{"https://onyxia.demo.test", "https://vault.lab.demo.test"}, "https://onyxia.demo.test/*", "https://vault.lab.demo.test/*")
	return engine.Stage("auth",
		l.account.Step(l.own),
		r.Step(l.settings(), l.account.StepID()),
		r.UserProfileStep(UserProfile{MaxUsername: 58, EmailDomains: []string{"example.org", "demo.test"},
			Attributes: []ProfileAttribute{{Name: "team", DisplayName: "Team"}}}),
		r.RequiredActionStep(RequiredAction{Alias: Terms, On: true}),
		r.GroupStep("group1"), r.GroupStep("group2"), r.GroupStep("parent/child"), r.GroupStep("parent/other"),
		r.RoleStep("onyxia-admin"), r.RoleStep("onyxia-user"),
		r.ClientStep(app), r.MapperStep("onyxia", SoleGroupsMapper("groups")), r.MapperStep("onyxia", HardcodedClaim("site", "site", "demo")),
		r.ClientStep(minio), r.MapperStep("minio", HardcodedClaim("policy", "policy", "stsonly")),
		r.ClientStep(s3), r.MapperStep("onyxia-minio", HardcodedClaim("policy", "policy", "stsonly")),
		r.MapperStep("onyxia-minio", AudienceMapper("audience", "minio"), ClientStepID("minio")),
		r.MapperStep("onyxia-minio", GroupsMapper("groups")),
		r.ClientStep(vault), r.MapperStep("vault", AudienceMapper("audience", "vault")), r.MapperStep("vault", GroupsMapper("groups")),
	)
}

func (l *lab) plan(ctx context.Context, t testing.TB) (engine.Run, engine.Plan) {
	t.Helper()
	run := engine.Run{Steps: l.steps()}
	plan, err := run.Plan(ctx)
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	return run, plan
}

// up plans and applies, as a run of the program does.
func (l *lab) up(ctx context.Context) error {
	l.again()
	run := engine.Run{Steps: l.steps()}
	plan, err := run.Plan(ctx)
	if err != nil {
		return err
	}
	return run.Apply(ctx, plan, l.options())
}

// options of a run: a minute, and the consent of somebody who agrees to everything, if there is one.
func (l *lab) options() engine.Options {
	options := engine.Options{Timeout: time.Minute}
	if l.agreed != nil {
		options.Consent = func(_ context.Context, _ engine.ID, _, now engine.Change) error {
			*l.agreed = append(*l.agreed, now.Risk)
			return nil
		}
	}
	return options
}

func (l *lab) mustUp(ctx context.Context, t testing.TB) {
	t.Helper()
	if err := l.up(ctx); err != nil {
		t.Fatalf("up: %v", err)
	}
}

// differing gives the change lines of a plan that are not "unchanged".
func differing(plan engine.Plan) []string {
	var lines []string
	for _, s := range plan.Steps {
		if s.Change.Action == engine.Unchanged && s.Err == nil {
			continue
		}
		line := fmt.Sprintf("%s %s", s.ID, s.Change.Action)
		if s.Err != nil {
			line += " error " + s.Err.Error()
		}
		for _, f := range s.Change.Fields {
			line += fmt.Sprintf(" [%s %s -> %s]", f.Path, f.From, f.To)
		}
		lines = append(lines, line)
	}
	return lines
}

// byHand sends a request as the administrator.
func (l *lab) byHand(ctx context.Context, t testing.TB, method, below string, body any) {
	t.Helper()
	if err := l.theirs.do(ctx, request{method: method, path: "/realms/" + l.account.Realm + below, body: body}); err != nil {
		t.Fatalf("by hand: %v", err)
	}
}

func (l *lab) look(ctx context.Context, t testing.TB, below string, out any) {
	t.Helper()
	if err := l.theirs.get(ctx, "/realms/"+l.account.Realm+below, out); err != nil {
		t.Fatalf("look: %v", err)
	}
}

// keepEvents makes the server note every write to the realm from now on, and forget those before.
func (l *lab) keepEvents(ctx context.Context, t testing.TB) {
	t.Helper()
	l.realmByHand(ctx, t, document{"adminEventsEnabled": true, "adminEventsDetailsEnabled": true})
	l.byHand(ctx, t, http.MethodDelete, "/admin-events", nil)
}

// adminEvents lists the writes that the server noted, newest first.
func (l *lab) adminEvents(ctx context.Context, t testing.TB) []string {
	t.Helper()
	var events []document
	l.look(ctx, t, "/admin-events?max=1000", &events)
	lines := []string{}
	for _, e := range events {
		lines = append(lines, e.text("operationType")+" "+e.text("resourceType")+" "+e.text("resourcePath"))
	}
	return lines
}

// state is everything in a realm that counts, without ids, to compare two of them.
func (l *lab) state(ctx context.Context, t testing.TB) document {
	t.Helper()
	out := document{}
	var self document
	l.look(ctx, t, "", &self)
	out["self"] = strip(self.without("id", "realm", "defaultRole", "displayName"))
	for name, below := range map[string]string{"clients": "/clients", "scopes": "/client-scopes", "roles": "/roles",
		"groups": "/groups", "actions": "/authentication/required-actions"} {
		var list []document
		l.look(ctx, t, below, &list)
		out[name] = named(list)
	}
	var profile document
	l.look(ctx, t, "/users/profile", &profile)
	out["profile"] = byName(profile)
	return l.nameless(t, out)
}

// nameless takes the realm's name out of a state.
func (l *lab) nameless(t testing.TB, state document) document {
	t.Helper()
	encoded, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	name := l.account.Realm
	encoded = regexp.MustCompile(`"(id|parentId)":"[-0-9a-f]{36}"`).ReplaceAll(encoded, []byte(`"$1":""`))
	text := strings.NewReplacer("default-roles-"+name, "default-roles-REALM", "/"+name+"/", "/REALM/").Replace(string(encoded))
	var out document
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

// realmByHand changes the realm as the console does: all of it is sent back.
func (l *lab) realmByHand(ctx context.Context, t testing.TB, change document) {
	t.Helper()
	var self document
	l.look(ctx, t, "", &self)
	l.byHand(ctx, t, http.MethodPut, "", change.over(self))
}

// clientByHand changes a client as the console does: the whole of it, but for the mappers, is sent back.
func (l *lab) clientByHand(ctx context.Context, t testing.TB, id string, change document) {
	t.Helper()
	client, err := l.theirs.Realm(l.account.Realm).findClient(ctx, id)
	if err != nil || client == nil {
		t.Fatal(id, err)
	}
	l.byHand(ctx, t, http.MethodPut, "/clients/"+client.text("id"), change.over(client).without("protocolMappers", "access"))
}

// named makes a list a document by name, and strips what differs between two realms that are the same.
func named(list []document) document {
	out := document{}
	for _, each := range list {
		key := each.text("clientId") + each.text("alias")
		if key == "" {
			key = each.text("name")
		}
		for out[key] != nil {
			key += " again"
		}
		out[key] = strip(each)
	}
	return out
}

func strip(d document) document {
	d = maps.Clone(d)
	for _, key := range []string{"id", "containerId", "secret", "access", "baseUrl"} {
		delete(d, key)
	}
	if mappers := d.list("protocolMappers"); len(mappers) > 0 {
		d["protocolMappers"] = named(mappers)
	}
	if groups := d.list("subGroups"); len(groups) > 0 {
		d["subGroups"] = named(groups)
	}
	if attributes := child(d["attributes"]); len(attributes) > 0 {
		d["attributes"] = attributes.without("client.secret.creation.time")
	}
	for _, key := range []string{"redirectUris", "webOrigins", "defaultClientScopes", "optionalClientScopes", "supportedLocales", "otpSupportedApplications"} {
		if list, ok := d[key].([]any); ok {
			d[key] = text(list)
		}
	}
	return d
}

// must ends the test on an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// expect notes a failure in words.
func expect(t testing.TB, ok bool, format string, args ...any) {
	t.Helper()
	if !ok {
		t.Errorf(format, args...)
	}
}

// unchanged makes a new connection and expects a plan with nothing to do.
func (l *lab) unchanged(ctx context.Context, t testing.TB) {
	t.Helper()
	l.expectPlan(ctx, t)
}

// expectPlan makes a new connection and expects a plan with these changes, in any order.
func (l *lab) expectPlan(ctx context.Context, t testing.TB, want ...string) (engine.Run, engine.Plan) {
	t.Helper()
	l.again()
	run, plan := l.plan(ctx, t)
	got := differing(plan)
	slices.Sort(got)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
	return run, plan
}
