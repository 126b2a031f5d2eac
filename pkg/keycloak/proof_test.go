package keycloak

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/keycloaktest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// A proof logs in by a client that is what the real one is, not what it should be; and what keeps tokens from being as they
// should be is mended, or said.
func TestProofsOnRealServers(t *testing.T) {
	for _, version := range keycloaktest.Versions(t) {
		t.Run(version, func(t *testing.T) {
			m := &minioLab{lab: newLab(keycloaktest.Start(t, version), "proofs")}
			m.up(t)
			t.Run("a copy of the client", m.copies)
			t.Run("people of that name", m.namesakes)
			t.Run("a second writer of the claim", m.rivals)
			t.Run("scopes are asked for", m.scopesAskedFor)
			t.Run("users of a directory", m.federations)
		})
	}
}

// models is the path of the mappers of a client.
func (m *minioLab) models(t *testing.T, client string) (id, path string) {
	t.Helper()
	found, err := m.theirs.Realm(m.account.Realm).findClient(t.Context(), client)
	must(t, err)
	return found.text("id"), "/clients/" + found.text("id") + "/protocol-mappers/models"
}

func hardcoded(name, claim, value string) document {
	return HardcodedClaim(name, claim, value).document().over(document{"name": name})
}

func (m *minioLab) copies(t *testing.T) {
	ctx := t.Context()
	password, err := m.realm.AddProofUser(ctx, "alice", "demo.test", "group1", "parent/child")
	must(t, err)
	check := func(when, name string, policies ...string) Claims {
		t.Helper()
		claims := m.proofToken(ctx, t, "alice", password, "onyxia-minio")
		got := claims.List("policy")
		slices.Sort(got)
		if claims.Text("preferred_username") != name || !slices.Equal(got, policies) {
			t.Errorf("%s: %v", when, claims)
		}
		return claims
	}
	check("as it was made", "alice", "projet-child", "projet-group1", "stsonly")
	id, models := m.models(t, "onyxia-minio")
	m.byHand(ctx, t, http.MethodPost, models, hardcoded("theirs", "theirs", "x"))
	if got := check("with a mapper more", "alice", "projet-child", "projet-group1", "stsonly"); got.Text("theirs") != "x" {
		t.Errorf("a mapper of somebody else's is not in the copy: %v", got)
	}
	m.clientByHand(ctx, t, "onyxia-minio", document{"fullScopeAllowed": false})
	without := m.proofToken(ctx, t, "alice", password, "onyxia-minio").List("policy")
	if slices.Contains(without, "projet-group1") {
		t.Errorf("without full scope the copy gives %v", without)
	}
	minio, _ := m.models(t, "minio")
	var role document
	m.look(ctx, t, "/clients/"+minio+"/roles/projet-group1", &role)
	m.byHand(ctx, t, http.MethodPost, "/clients/"+id+"/scope-mappings/clients/"+minio, []document{role})
	with := m.proofToken(ctx, t, "alice", password, "onyxia-minio").List("policy")
	if !slices.Contains(with, "projet-group1") || slices.Contains(with, "projet-child") {
		t.Errorf("with one role in scope the copy gives %v", with)
	}
	m.clientByHand(ctx, t, "onyxia-minio", document{"fullScopeAllowed": true})
	profile, err := m.theirs.Realm(m.account.Realm).findScope(ctx, "profile")
	must(t, err)
	m.byHand(ctx, t, http.MethodDelete, "/clients/"+id+"/default-client-scopes/"+profile.text("id"), nil)
	check("without the scope that has the name", "", "projet-child", "projet-group1", "stsonly")
	m.byHand(ctx, t, http.MethodPut, "/clients/"+id+"/default-client-scopes/"+profile.text("id"), nil)
}

func (m *minioLab) namesakes(t *testing.T) {
	ctx := t.Context()
	_, err := m.realm.AddUser(ctx, NewUser{Name: "onyxia-proof-one", Email: "one@demo.test", FirstName: "Onyxia", LastName: "Person"})
	must(t, err)
	_, err = m.realm.AddProofUser(ctx, "onyxia-proof-two", "demo.test")
	must(t, err)
	users, err := m.realm.ProofUsers(ctx, "onyxia-proof-")
	if err != nil || len(users) != 1 || users[0].Username != "onyxia-proof-two" {
		t.Errorf("users of proofs: %v, %v", users, err)
	}
	_, err = m.realm.AddProofUser(ctx, "onyxia-proof-one", "demo.test")
	for _, refusal := range []error{err, m.realm.DeleteProofUser(ctx, "onyxia-proof-one")} {
		if refusal == nil || !strings.Contains(refusal.Error(), "was made by somebody else") {
			t.Errorf("a person of the name of a proof: %v", refusal)
		}
	}
	if _, err := m.realm.FindUser(ctx, "onyxia-proof-one"); err != nil {
		t.Error(err)
	}
	must(t, m.realm.DeleteProofUser(ctx, "onyxia-proof-two"))
	must(t, m.realm.DeleteProofUser(ctx, "onyxia-proof-two"))
}

// step plans one step with those that it needs taken for granted.
func (m *minioLab) step(t *testing.T, s engine.Step) engine.Change {
	t.Helper()
	m.again()
	run, plan := engine.Run{Steps: append(m.steps(), s)}, engine.Plan{}
	plan, err := run.Plan(t.Context())
	must(t, err)
	for _, each := range plan.Steps {
		if each.ID == s.ID {
			must(t, each.Err)
			return each.Change
		}
	}
	t.Fatalf("no %s in the plan", s.ID)
	return engine.Change{}
}

func (m *minioLab) rivals(t *testing.T) {
	ctx := t.Context()
	sole := ClientRolesMapper("sole", "minio", "other")
	sole.Sole = true
	planned := func() engine.Change {
		t.Helper()
		m.again()
		return m.step(t, m.realm.MapperStep("onyxia-minio", sole))
	}
	if got := planned(); got.Action != engine.Create {
		t.Errorf("alone: %+v", got)
	}
	_, models := m.models(t, "onyxia-minio")
	m.byHand(ctx, t, http.MethodPost, models, hardcoded("of the guide", "other", "stsonly"))
	if got := planned(); got.Action != engine.Blocked || !strings.Contains(got.Why, `mapper "of the guide" of client onyxia-minio`) {
		t.Errorf("beside another: %+v", got)
	}
}

func (m *minioLab) scopesAskedFor(t *testing.T) {
	ctx := t.Context()
	id, _ := m.models(t, "onyxia-minio")
	profile, err := m.theirs.Realm(m.account.Realm).findScope(ctx, "profile")
	must(t, err)
	m.byHand(ctx, t, http.MethodDelete, "/clients/"+id+"/default-client-scopes/"+profile.text("id"), nil)
	m.clientByHand(ctx, t, "onyxia-minio", document{"fullScopeAllowed": false})
	m.again()
	wanted := Client{ID: "onyxia-minio", DirectGrants: true, DefaultScopes: []string{"profile"}, FullScope: true}
	run := engine.Run{Steps: []engine.Step{m.account.Step(m.own), m.realm.Step(m.settings(), m.account.StepID()), m.realm.ClientStep(wanted)}}
	plan, err := run.Plan(ctx)
	must(t, err)
	if lines := strings.Join(differing(plan), "\n"); !strings.Contains(lines, "client.fullScopeAllowed false -> true") || !strings.Contains(lines, "client.defaultClientScopes") {
		t.Errorf("plan: %s", lines)
	}
	must(t, run.Apply(ctx, plan, engine.Options{}))
	m.again()
	run.Steps = []engine.Step{m.account.Step(m.own), m.realm.Step(m.settings(), m.account.StepID()), m.realm.ClientStep(wanted)}
	plan, err = run.Plan(ctx)
	must(t, err)
	if lines := differing(plan); len(lines) > 0 {
		t.Errorf("a second plan: %v", lines)
	}
}

func (m *minioLab) federations(t *testing.T) {
	ctx := t.Context()
	m.again()
	if names, err := m.realm.Federations(ctx); err != nil || len(names) != 0 {
		t.Errorf("none: %v, %v", names, err)
	}
	var self document
	m.look(ctx, t, "", &self)
	for name, enabled := range map[string]string{"staff": "true", "old": "false"} {
		m.byHand(ctx, t, http.MethodPost, "/components", document{"name": name, "providerId": "ldap", "providerType": "org.keycloak.storage.UserStorageProvider", "parentId": self.text("id"),
			"config": document{"enabled": []string{enabled}, "vendor": []string{"other"}, "connectionUrl": []string{"ldap://127.0.0.1:1"}, "usersDn": []string{"ou=x"}, "authType": []string{"none"},
				"editMode": []string{"READ_ONLY"}, "usernameLDAPAttribute": []string{"uid"}, "rdnLDAPAttribute": []string{"uid"}, "uuidLDAPAttribute": []string{"entryUUID"}, "userObjectClasses": []string{"person"}}})
	}
	if names, err := m.realm.Federations(ctx); err != nil || !slices.Equal(names, []string{"staff"}) {
		t.Errorf("two, one switched off: %v, %v", names, err)
	}
}
