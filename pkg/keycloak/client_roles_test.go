package keycloak

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/keycloaktest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// minioLab is a realm with the clients of S3: the claim "policy" names the roles that a user has of client minio.
type minioLab struct {
	*lab
	roles *ClientRoles
}

func (m *minioLab) steps() []engine.Step {
	r := m.realm
	m.roles = r.ClientRoles("minio")
	s3 := Client{ID: "onyxia-minio", DirectGrants: true}
	return []engine.Step{
		m.account.Step(m.own), r.Step(m.settings(), m.account.StepID()),
		r.ClientStep(Client{ID: "minio", Confidential: true, Secret: given(minioSecret)}), r.ClientStep(s3),
		r.GroupStep("group1"), r.GroupStep("parent/child"), r.OwnGroupStep("onyxia-proof-group"),
		m.roles.Step("stsonly", "Everybody"), m.roles.Step("projet-group1", "Opens a bucket"), m.roles.Step("projet-child", "Opens a bucket"),
		m.roles.GrantStep("group1", "projet-group1"), m.roles.GrantStep("parent/child", "projet-child"),
		r.MapperStep("onyxia-minio", HardcodedRoleMapper("everybody", "minio", "stsonly")),
		r.MapperStep("onyxia-minio", ClientRolesMapper("policy", "minio", "policy")),
		r.MapperStep("onyxia-minio", AudienceMapper("audience", "minio"), ClientStepID("minio")),
	}
}

func (m *minioLab) plan(t *testing.T) (engine.Run, engine.Plan) {
	t.Helper()
	m.again()
	run := engine.Run{Steps: m.steps()}
	plan, err := run.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return run, plan
}

func (m *minioLab) up(t *testing.T) {
	t.Helper()
	run, plan := m.plan(t)
	if err := run.Apply(t.Context(), plan, m.options()); err != nil {
		t.Fatal(err)
	}
}

// policies is the claim of a new user in these groups.
func (m *minioLab) policies(t *testing.T, name string, groups ...string) []string {
	t.Helper()
	password, err := m.realm.AddProofUser(t.Context(), name, "demo.test", groups...)
	if err != nil {
		t.Fatal(err)
	}
	return m.claims(t, name, password).List("policy")
}

func (m *minioLab) claims(t *testing.T, name, password string) Claims {
	t.Helper()
	tokens, err := m.realm.UserTokens(t.Context(), Credentials{ClientID: "onyxia-minio", Username: name, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	claims, err := ParseClaims(tokens.Access)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(claims.List("aud"), "minio") {
		t.Errorf("%s: audience %v", name, claims.List("aud"))
	}
	return claims
}

func TestClientRolesOnRealServers(t *testing.T) {
	for _, version := range keycloaktest.Versions(t) {
		t.Run(version, func(t *testing.T) {
			m := &minioLab{lab: newLab(keycloaktest.Start(t, version), "roles")}
			m.up(t)
			_, second := m.plan(t)
			if lines := differing(second); len(lines) > 0 || len(m.watch.writes()) > 0 {
				t.Errorf("second plan: %v, writes %v", lines, m.watch.writes())
			}
			t.Logf("a plan with nothing to do: %d requests", len(m.watch.requests()))
			for name, want := range map[string][]string{"nobody": nil, "one": {"group1"}, "both": {"group1", "parent/child"}} {
				policies := []string{"stsonly"}
				for _, g := range want {
					policies = append(policies, "projet-"+g[strings.LastIndex(g, "/")+1:])
				}
				got := m.policies(t, name, want...)
				slices.Sort(got)
				slices.Sort(policies)
				if !slices.Equal(got, policies) {
					t.Errorf("%s: policies %v, want %v", name, got, policies)
				}
			}
			t.Run("the own service account may do it in a realm from before", m.withFewRights)
			t.Run("changed by hand", m.changedByHand)
			t.Run("listing", m.listing)
			t.Run("removal", m.removal)
		})
	}
}

// withFewRights: the account has manage-clients, manage-realm and manage-users only, where the realm was there before.
func (m *minioLab) withFewRights(t *testing.T) {
	before := &minioLab{lab: newLab(m.server, "before")}
	if err := before.theirs.post(t.Context(), "/realms", document{"realm": "before", "enabled": true}); err != nil {
		t.Fatal(err)
	}
	before.agreed = &[]string{}
	before.up(t)
	if _, plan := before.plan(t); len(differing(plan)) > 0 {
		t.Errorf("second plan: %v", differing(plan))
	}
}

func (m *minioLab) changedByHand(t *testing.T) {
	ctx := t.Context()
	client, err := m.theirs.Realm("roles").findClient(ctx, "minio")
	if err != nil {
		t.Fatal(err)
	}
	m.byHand(ctx, t, http.MethodDelete, "/clients/"+client.text("id")+"/roles/projet-group1", nil)
	m.byHand(ctx, t, http.MethodPut, "/clients/"+client.text("id")+"/roles/projet-child", document{"name": "projet-child", "description": "theirs"})
	run, plan := m.plan(t)
	want := []string{
		"role.keycloak/minio.projet-child configure [role projet-child: description theirs -> Opens a bucket]",
		"role.keycloak/minio.projet-group1 create",
		"rolemapping.keycloak/group1.minio.projet-group1 create",
	}
	got := differing(plan)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("plan %v", got)
	}
	if err := run.Apply(ctx, plan, engine.Options{Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if _, plan := m.plan(t); len(differing(plan)) > 0 {
		t.Errorf("after the repair: %v", differing(plan))
	}
}

func (m *minioLab) listing(t *testing.T) {
	ctx := t.Context()
	if _, err := m.realm.AddGroup(ctx, "late"); err != nil {
		t.Fatal(err)
	}
	roles := m.realm.ClientRoles("minio")
	for range 2 {
		if err := roles.Add(ctx, "projet-late", "x"); err != nil {
			t.Fatal(err)
		}
		if err := roles.Grant(ctx, "late", "projet-late"); err != nil {
			t.Fatal(err)
		}
	}
	groups, err := roles.Groups(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, g := range groups {
		lines = append(lines, fmt.Sprintf("%s (%s): %v", g.Path, g.Name, g.Roles))
	}
	slices.Sort(lines)
	want := "group1 (group1): [projet-group1], late (late): [projet-late], onyxia-proof-group (onyxia-proof-group): [], " +
		"parent (parent): [], parent/child (child): [projet-child]"
	if got := strings.Join(lines, ", "); got != want {
		t.Errorf("groups %s", got)
	}
	if got := m.policies(t, "latecomer", "late"); !slices.Contains(got, "projet-late") {
		t.Errorf("policies of a member: %v", got)
	}
	for range 2 {
		if err := roles.Remove(ctx, "projet-late"); err != nil {
			t.Fatal(err)
		}
	}
	list, err := roles.List(ctx)
	if err != nil || slices.ContainsFunc(list, func(r ClientRole) bool { return r.Name == "projet-late" }) || len(list) < 3 {
		t.Errorf("roles %v %v", list, err)
	}
	if err := roles.Grant(ctx, "nowhere", "stsonly"); !gone(err) {
		t.Errorf("a group that is not there: %v", err)
	}
	if _, err := m.realm.ClientRoles("no-such-client").List(ctx); !gone(err) {
		t.Errorf("a client that is not there: %v", err)
	}
}

func (m *minioLab) removal(t *testing.T) {
	m.again()
	run := engine.Run{Steps: m.steps(), Selected: func(s engine.Step) bool {
		kind, _, _ := strings.Cut(string(s.ID), "/")
		return kind == "role.keycloak" || kind == "group.keycloak"
	}}
	plan, err := run.PlanRemoval(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, s := range plan.Steps {
		lines = append(lines, fmt.Sprintf("%s %s", s.ID, s.Change.Action))
	}
	slices.Sort(lines)
	want := "group.keycloak/onyxia-proof-group delete, role.keycloak/minio.projet-child delete, role.keycloak/minio.projet-group1 delete, role.keycloak/minio.stsonly delete"
	if got := strings.Join(lines, ", "); got != want {
		t.Errorf("removal plan %s", got)
	}
	if err := run.Remove(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	m.again()
	groups, err := m.realm.Groups(context.WithoutCancel(t.Context()))
	if err != nil || slices.Contains(groups, "onyxia-proof-group") || !slices.Contains(groups, "group1") {
		t.Errorf("groups left: %v %v", groups, err)
	}
	list, err := m.realm.ClientRoles("minio").List(t.Context())
	if err != nil || len(list) != 0 {
		t.Errorf("roles left: %v %v", list, err)
	}
}
