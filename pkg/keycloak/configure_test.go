package keycloak

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/keycloaktest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// TestRealServers runs everything that is said about Keycloak against real servers of the versions in KEYCLOAK_VERSIONS.
func TestRealServers(t *testing.T) {
	for _, version := range keycloaktest.Versions(t) {
		t.Run(version, func(t *testing.T) {
			server := keycloaktest.Start(t, version)
			for _, part := range []struct {
				name string
				test func(context.Context, *testing.T, *keycloaktest.Server)
			}{
				{"configure twice", configureTwice},
				{"hand-made things stay", handMade},
				{"killed half way", killedHalfWay},
				{"faults", faults},
				{"failing runs", failingRuns},
				{"expired token", expiredToken},
				{"tokens", tokensOfUsers},
				{"scopes on request", scopesOnRequest},
				{"registration", registration},
				{"mail", mail},
				{"users", users},
				{"removal", removal},
				{"service account", serviceAccount},
				{"a realm from before", realmBefore},
				{"two datalabs", twoDatalabs},
				{"discovery", discovery},
				{"doubts", doubts},
				{"users from before", formerUsers},
				{"left alone", leftAlone},
				{"stopped server", stoppedServer},
				{"tunnel", tunnel},
				{"bootstrap administrator", bootstrapAdministrator},
			} {
				if !t.Run(part.name, func(t *testing.T) {
					ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
					defer cancel()
					part.test(ctx, t, server)
				}) {
					t.Logf("end of the server's log:\n%s", server.Log())
				}
			}
		})
	}
}

func configureTwice(ctx context.Context, t *testing.T, server *keycloaktest.Server) {
	l := newLab(server, "twice")
	_, first := l.plan(ctx, t)
	for _, s := range first.Steps {
		if s.Change.Action != engine.Create || s.Err != nil {
			t.Errorf("first plan: %s %s %v", s.ID, s.Change.Action, s.Err)
		}
	}
	if writes := l.watch.writes(); len(writes) > 0 {
		t.Errorf("a plan wrote: %v", writes)
	}
	l.mustUp(ctx, t)
	t.Logf("first configure: %d requests", len(l.watch.requests()))
	l.keepEvents(ctx, t)

	l.again()
	began := time.Now()
	run, second := l.plan(ctx, t)
	if lines := differing(second); len(lines) > 0 {
		t.Errorf("second plan:\n%s", strings.Join(lines, "\n"))
	}
	if err := run.Apply(ctx, second, engine.Options{Timeout: time.Minute}); err != nil {
		t.Error(err)
	}
	t.Logf("configure with nothing to do: %d requests in %s: %s", len(l.watch.requests()), time.Since(began).Round(time.Millisecond), strings.Join(l.watch.requests(), ", "))
	if writes := l.watch.writes(); len(writes) > 0 {
		t.Errorf("second run sent %v", writes)
	}
	if n := len(l.watch.requests()); n > 10 {
		t.Errorf("second run took %d requests: %v", n, l.watch.requests())
	}
	if events := l.adminEvents(ctx, t); len(events) > 0 {
		t.Errorf("second run wrote: %v", events)
	}
}

func handMade(ctx context.Context, t *testing.T, server *keycloaktest.Server) {
	l := newLab(server, "hand")
	l.mustUp(ctx, t)
	l.byHand(ctx, t, http.MethodPost, "/clients", document{"clientId": "theirs", "redirectUris": []string{"https://theirs.example/*"}})
	l.byHand(ctx, t, http.MethodPost, "/roles", document{"name": "their-role"})
	l.realmByHand(ctx, t, document{"supportedLocales": []string{"en", "fr", "de"}, "accessTokenLifespan": 660})
	l.byHand(ctx, t, http.MethodPost, "/identity-provider/instances", document{"alias": "github", "providerId": "github", "enabled": true,
		"config": document{"clientId": "x", "clientSecret": "their-secret"}})
	ours, err := l.theirs.Realm("hand").findClient(ctx, "onyxia")
	if err != nil {
		t.Fatal(err)
	}
	l.byHand(ctx, t, http.MethodPost, "/clients/"+ours.text("id")+"/protocol-mappers/models",
		document{"name": "their-mapper", "protocol": "openid-connect", "protocolMapper": "oidc-hardcoded-claim-mapper", "config": document{"claim.name": "theirs", "claim.value": "x", "jsonType.label": "String"}})
	l.clientByHand(ctx, t, "onyxia", document{"description": "their words", "attributes": document{"their.attribute": "x"}})
	l.keepEvents(ctx, t)
	before := l.state(ctx, t)

	run, plan := l.expectPlan(ctx, t, "realm.keycloak/hand configure [realm.accessTokenLifespan 660 -> 300]")
	must(t, run.Apply(ctx, plan, engine.Options{Timeout: time.Minute}))
	if events := l.adminEvents(ctx, t); len(events) != 1 {
		t.Errorf("mending one field wrote %v", events)
	}
	after := l.state(ctx, t)
	child(before["self"])["accessTokenLifespan"] = json.Number("300")
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("mending changed something else (-before +after):\n%s", diff)
	}
	driftOfEveryKind(ctx, t, l)
}

// leftAlone: what is not asked for stays as somebody set it, and a theme of ours goes where none is wanted.
func leftAlone(ctx context.Context, t *testing.T, server *keycloaktest.Server) {
	l := newLab(server, "alone")
	l.mustUp(ctx, t)
	l.realmByHand(ctx, t, document{"resetPasswordAllowed": false, "verifyEmail": true, "rememberMe": false, "loginTheme": "base", "emailTheme": "base"})
	s := l.settings()
	s.ForgottenPassword, s.VerifyEmail, s.RememberMe, s.LoginTheme, s.EmailTheme = nil, nil, nil, "", ""
	plan := func() string {
		l.again()
		made, err := (&engine.Run{Steps: []engine.Step{l.account.Step(l.own), l.realm.Step(s, l.account.StepID())}}).Plan(ctx)
		must(t, err)
		return strings.Join(differing(made), "\n")
	}
	expect(t, plan() == "", "planned: %s", plan())
	s.FormerTheme = "base"
	expect(t, strings.Contains(plan(), "[realm.emailTheme base -> ] [realm.loginTheme base -> ]"), "planned: %s", plan())
	run := engine.Run{Steps: []engine.Step{l.account.Step(l.own), l.realm.Step(s, l.account.StepID())}}
	made, err := run.Plan(ctx)
	must(t, err)
	must(t, run.Apply(ctx, made, engine.Options{Timeout: time.Minute}))
	expect(t, plan() == "", "after the theme went: %s", plan())
}

// driftOfEveryKind changes one thing of ours in each kind of step and looks at plan and repair.
func driftOfEveryKind(ctx context.Context, t *testing.T, l *lab) {
	before := l.state(ctx, t)
	l.clientByHand(ctx, t, "onyxia-minio", document{"redirectUris": []string{"*"}, "attributes": document{"access.token.lifespan": "60"}})
	l.clientByHand(ctx, t, "minio", document{"secret": "somebody-elses"})
	l.mappersByHand(ctx, t)
	l.byHand(ctx, t, http.MethodDelete, "/roles/onyxia-admin", nil)
	var profile document
	l.look(ctx, t, "/users/profile", &profile)
	length := document{"validations": document{"length": document{"max": 255}}}
	l.byHand(ctx, t, http.MethodPut, "/users/profile", inOrder(document{"attributes": document{"username": length}}.over(byName(profile)), profile))

	run, plan := l.expectPlan(ctx, t,
		"client.keycloak/minio configure [client.secret  -> ]",
		"client.keycloak/onyxia-minio configure [client.attributes.access.token.lifespan 60 -> 604800] [client.redirectUris * -> https://onyxia.demo.test/*]",
		"mapper.keycloak/onyxia-minio.audience configure [mapper audience: config.included.client.audience account -> minio]",
		"mapper.keycloak/onyxia-minio.policy replace [mapper policy: config.claim.name  -> policy] [mapper policy: config.claim.value  -> stsonly]"+
			" [mapper policy: config.id.token.claim  -> true] [mapper policy: config.jsonType.label  -> String]"+
			" [mapper policy: config.userinfo.token.claim  -> true] [mapper policy: protocolMapper oidc-full-name-mapper -> oidc-hardcoded-claim-mapper]",
		"role.keycloak/onyxia-admin create",
		"userprofile.keycloak/hand configure [profile.attributes.username.validations.length.max 255 -> 58]")
	encoded, err := json.Marshal(plan)
	must(t, err)
	expect(t, !strings.Contains(string(encoded), minioSecret) && !strings.Contains(string(encoded), "somebody-elses"), "the plan shows a secret: %s", encoded)
	must(t, run.Apply(ctx, plan, engine.Options{Timeout: time.Minute}))
	if diff := cmp.Diff(before, l.state(ctx, t)); diff != "" {
		t.Errorf("after the repair (-before +after):\n%s", diff)
	}
	secret, err := l.realm.ClientSecret(ctx, "minio")
	expect(t, err == nil && secret == minioSecret, "secret of minio after the repair: right %t, %v", secret == minioSecret, err)
}

// mappersByHand changes one mapper of onyxia-minio and puts one of another type in the place of the other.
func (l *lab) mappersByHand(ctx context.Context, t *testing.T) {
	t.Helper()
	client, err := l.theirs.Realm(l.account.Realm).findClient(ctx, "onyxia-minio")
	must(t, err)
	models := "/clients/" + client.text("id") + "/protocol-mappers/models"
	mappers := client.list("protocolMappers")
	audience := document{"config": document{"included.client.audience": "account"}}.over(find(mappers, "name", "audience"))
	l.byHand(ctx, t, http.MethodPut, models+"/"+audience.text("id"), audience)
	l.byHand(ctx, t, http.MethodDelete, models+"/"+find(mappers, "name", "policy").text("id"), nil)
	l.byHand(ctx, t, http.MethodPost, models, document{"name": "policy", "protocol": "openid-connect", "protocolMapper": "oidc-full-name-mapper",
		"config": document{"access.token.claim": "true"}})
}
