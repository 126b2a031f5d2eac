package vault

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// A Vault that others use as well: their login, its configuration and their policy stay as they are, and it is said what to
// do. By a path of its own the datalab comes in beside them.
func TestForeignLogin(t *testing.T) {
	d := startDatalab(t)
	ctx, root := t.Context(), d.root()
	theirs := startIssuer(t)
	for _, w := range []struct {
		path string
		in   map[string]any
	}{
		{"sys/auth/jwt", map[string]any{"type": "jwt", "description": "our build jobs"}},
		{"auth/jwt/config", map[string]any{"oidc_discovery_url": theirs.url(), "oidc_discovery_ca_pem": theirs.caPEM(), "default_role": "builder"}},
		{"sys/mounts/onyxia-kv", map[string]any{"type": "kv", "options": map[string]string{"version": "2"}}},
		{"sys/policies/acl/onyxia", map[string]any{"policy": `path "builds/*" { capabilities = ["read"] }`}},
	} {
		if err := root.Write(ctx, w.path, w.in, nil); err != nil {
			t.Fatal(err)
		}
	}
	before := d.documents(t, "auth/jwt/config", "sys/policies/acl/onyxia", "sys/auth")
	d.setup.Shared = true
	plan := d.plan(t)
	for id, want := range map[engine.ID]string{"config.vault/jwt": "takes tokens of " + theirs.url(), "policy.vault/onyxia": "is not ours"} {
		if c := changeOf(plan, id); c.Action != engine.Blocked || !strings.Contains(c.Why, want) || !strings.Contains(c.Fix, "vault.authPath") {
			t.Errorf("%s: %+v", id, c)
		}
	}
	if err := (engine.Run{Steps: d.setup.Steps()}).Apply(ctx, plan, engine.Options{Timeout: timeout}); err == nil {
		t.Error("went on")
	}
	if after := d.documents(t, "auth/jwt/config", "sys/policies/acl/onyxia", "sys/auth"); !reflect.DeepEqual(before, after) {
		t.Errorf("what others had is %v, was %v", after, before)
	}

	if policy := d.setup.userPolicy(); policy.RefuseRemoval(ctx) == "" {
		t.Error("their policy would be removed")
	}

	d.setup.AuthPath, d.setup.PolicyName = "onyxia/jwt", "onyxia-users-onyxia-jwt"
	d.configure(t)
	if done := d.configure(t); len(done) != 0 {
		t.Errorf("again: %v", done)
	}
	if _, err := d.client().Login(ctx, "onyxia/jwt", "onyxia-user", d.issuer.token(t, "alice", nil, nil)); err != nil {
		t.Error(err)
	}
	if after := d.documents(t, "auth/jwt/config", "sys/policies/acl/onyxia"); !reflect.DeepEqual(after["auth/jwt/config"], before["auth/jwt/config"]) || !reflect.DeepEqual(after["sys/policies/acl/onyxia"], before["sys/policies/acl/onyxia"]) {
		t.Errorf("what others had is %v", after)
	}

	if policy := d.setup.userPolicy(); policy.RefuseRemoval(ctx) != "" {
		t.Error("our policy would stay")
	}

	// Another datalab, on the same Vault.
	second := *d
	second.setup.Origin = "https://onyxia.other.test"
	if c := changeOf(second.plan(t), "config.vault/onyxia/jwt"); c.Action != engine.Unchanged {
		t.Errorf("the same realm: %+v", c)
	}
	second.setup.Issuer, second.setup.CAPEM = theirs.url(), theirs.caPEM()
	if c := changeOf(second.plan(t), "config.vault/onyxia/jwt"); c.Action != engine.Blocked {
		t.Errorf("another realm: %+v", c)
	}
	// Ours may follow its realm.
	d.setup.Issuer, d.setup.CAPEM = theirs.url(), theirs.caPEM()
	if c := changeOf(d.plan(t), "config.vault/onyxia/jwt"); c.Action != engine.Configure {
		t.Errorf("our own, and another realm: %+v", c)
	}
}

// Two datalabs on one Vault have each an engine of their own, because alice at one issuer is not alice at another. An engine
// that a former version made belongs to the datalab whose login is the only one there.
func TestForeignEngine(t *testing.T) {
	first := startDatalab(t)
	ctx := t.Context()
	first.setup.Shared = true
	first.configure(t)
	second := *first
	theirs := startIssuer(t)
	second.setup.Issuer, second.setup.CAPEM, second.setup.Origin = theirs.url(), theirs.caPEM(), "https://onyxia.other.test"
	second.setup.AuthPath, second.setup.PolicyName = "other", "onyxia-users-other"
	const id = engine.ID("mount.vault/onyxia-kv")
	describe := func(text string) {
		t.Helper()
		if err := first.root().Write(ctx, "sys/mounts/onyxia-kv/tune", map[string]string{"description": text}, nil); err != nil {
			t.Fatal(err)
		}
	}
	stays := func(which string) {
		t.Helper()
		before := first.documents(t, "sys/mounts")
		c := changeOf(second.plan(t), id)
		if c.Action != engine.Blocked || !strings.Contains(c.Why, "holds the secrets of another datalab's users") || !strings.Contains(c.Fix, "vault.kvEngine") {
			t.Errorf("%s: %+v", which, c)
		}
		if why := second.setup.secretsEngine().RefuseRemoval(ctx); !strings.Contains(why, "another datalab") {
			t.Errorf("%s would be removed: %q", which, why)
		}
		if after := first.documents(t, "sys/mounts"); !reflect.DeepEqual(before, after) {
			t.Errorf("%s is %v, was %v", which, after, before)
		}
	}
	stays("the first one's engine")
	if why := first.setup.secretsEngine().RefuseRemoval(ctx); why != "" {
		t.Errorf("our own would stay: %s", why)
	}
	describe(kvDescription)
	stays("the first one's engine, of a former version")
	if why := first.setup.secretsEngine().RefuseRemoval(ctx); why != "" {
		t.Errorf("our own of a former version would stay: %s", why)
	}
	if done := first.configure(t); len(done) != 1 || done[id] != engine.Configure {
		t.Errorf("of a former version: %v", done)
	}
	stays("the first one's engine, marked anew")
	if done := first.configure(t); len(done) != 0 {
		t.Errorf("again: %v", done)
	}

	// In the former version both had their logins, and nothing says whose the engine is.
	second.setup.KV = "other-kv"
	second.configure(t)
	describe(kvDescription)
	if c := changeOf(first.plan(t), id); c.Action != engine.Blocked || !strings.Contains(c.Fix, `vault secrets tune -description="`+kvDescription+" of "+first.setup.Issuer) {
		t.Errorf("with another's login beside ours: %+v", c)
	}

	describe("our build jobs")
	if c := changeOf(first.plan(t), id); c.Action != engine.Unchanged || !strings.Contains(c.Why, "somebody else") || first.setup.secretsEngine().RefuseRemoval(ctx) == "" {
		t.Errorf("a stranger's: %+v", c)
	}
}

// A login for the same issuer that somebody made by hand is used, and what they chose for others stays.
func TestLoginMadeByHand(t *testing.T) {
	d := startDatalab(t)
	ctx, root := t.Context(), d.root()
	for _, w := range []struct {
		path string
		in   map[string]any
	}{
		{"sys/auth/jwt", map[string]any{"type": "jwt", "config": map[string]any{"listing_visibility": "hidden"}}},
		{"auth/jwt/config", map[string]any{"oidc_discovery_url": d.issuer.url(), "oidc_discovery_ca_pem": d.issuer.caPEM(), "default_role": "theirs"}},
	} {
		if err := root.Write(ctx, w.path, w.in, nil); err != nil {
			t.Fatal(err)
		}
	}
	d.setup.Shared = true
	if done := d.configure(t); done["config.vault/jwt"] != engine.Configure || done["auth.vault/jwt"] != "" {
		t.Errorf("%v", done)
	}
	if done := d.configure(t); len(done) != 0 {
		t.Errorf("again: %v", done)
	}
	if role := d.documents(t, "auth/jwt/config")["auth/jwt/config"]["default_role"]; role != "theirs" {
		t.Errorf("default role: %v", role)
	}
	d.mustLogin(t, "alice")
	if why := (authMount{Access: d.setup.Access, Path: "jwt", Accessor: engine.NewOutput[string]("x"), Mark: d.setup.mark()}).RefuseRemoval(ctx); why == "" {
		t.Error("would be removed")
	}
}

// What a configuration trusts, besides the issuer that is ours.
func TestTrusts(t *testing.T) {
	const ours = "https://auth.demo.test/realms/x"
	for name, c := range map[string]struct {
		values map[string]any
		want   string
	}{
		"ours":            {map[string]any{"oidc_discovery_url": ours + "/", "bound_issuer": ours}, ""},
		"nobody yet":      {map[string]any{"oidc_discovery_url": "", "jwks_url": ""}, ""},
		"another issuer":  {map[string]any{"oidc_discovery_url": "https://elsewhere"}, "https://elsewhere"},
		"another's keys":  {map[string]any{"jwks_url": "https://elsewhere/keys"}, "https://elsewhere/keys"},
		"keys by hand":    {map[string]any{"jwt_validation_pubkeys": []any{"a", "b"}}, "whoever has one of 2 keys"},
		"bound elsewhere": {map[string]any{"oidc_discovery_url": ours, "bound_issuer": "https://elsewhere"}, "https://elsewhere"},
	} {
		if got := (configSeen{Values: c.values}).trusts(ours); got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// documents are what Vault says at some paths.
func (d *datalab) documents(t *testing.T, paths ...string) map[string]map[string]any {
	t.Helper()
	all := map[string]map[string]any{}
	for _, path := range paths {
		var answer struct {
			Data map[string]any `json:"data"`
		}
		if err := d.root().Read(context.Background(), path, &answer); err != nil {
			t.Fatal(err)
		}
		all[path] = answer.Data
	}
	return all
}

func changeOf(plan engine.Plan, id engine.ID) engine.Change {
	for _, line := range plan.Steps {
		if line.ID == id {
			return line.Change
		}
	}
	return engine.Change{}
}
