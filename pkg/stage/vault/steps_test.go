package vault

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/stagetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// What each mode is made of. Every list ends in VaultReadyID, which the app waits for.
func TestSteps(t *testing.T) {
	for name, c := range map[string]struct {
		change     func(*platform.Config)
		has, lacks []engine.ID
		warns      string
	}{
		"install": {nil, []engine.ID{flavorID, "release.helm/vault", "persistentvolumeclaim/data-vault-0", KeysID, "seal.vault/vault-0", "client.keycloak/vault", "client.keycloak/onyxia-vault-operator",
			"client.keycloak/vault-ui", rightsID, "audit.vault/stdout", "mount.vault/onyxia-kv", "cors.vault/onyxia", "auth.vault/jwt", "policy.vault/onyxia", "role.vault/onyxia-user",
			"role.vault/onyxia-operator", "auth.vault/oidc", reachID, stage.VaultReadyID, rootTokenID}, []engine.ID{"names.vault/jwt"}, ""},
		"three servers": {func(c *platform.Config) { c.Vault.Replicas = 3 },
			[]engine.ID{"persistentvolumeclaim/data-vault-2", "seal.vault/vault-1", "seal.vault/vault-2"}, nil, ""},
		"openbao": {func(c *platform.Config) { c.Vault.Flavor = "openbao" },
			[]engine.ID{"release.helm/openbao", "persistentvolumeclaim/data-openbao-0", "seal.vault/openbao-0", KeysID}, []engine.ID{"release.helm/vault"}, ""},
		"dev": {func(c *platform.Config) { c.Vault.Mode = "dev" },
			[]engine.ID{"release.helm/vault", "seal.vault/vault-0", "role.vault/onyxia-user"},
			[]engine.ID{KeysID, "persistentvolumeclaim/data-vault-0", "role.vault/onyxia-operator", rootTokenID}, "every secret of every user is gone"},
		"openbao in dev mode": {func(c *platform.Config) { c.Vault.Flavor, c.Vault.Mode = "openbao", "dev" },
			[]engine.ID{"release.helm/openbao", "role.vault/onyxia-user"}, []engine.ID{"audit.vault/stdout"}, ""},
		"the way back open": {func(c *platform.Config) { c.Vault.GenerateRoot = true }, nil, nil, "vault.generateRoot is on"},
		"external": {func(c *platform.Config) { c.Vault.Mode, c.Vault.URL = "external", "http://127.0.0.1:9" },
			[]engine.ID{"seal.vault/external", "client.keycloak/vault", "mount.vault/onyxia-kv", stage.VaultReadyID},
			[]engine.ID{"release.helm/vault", "audit.vault/stdout", "role.vault/onyxia-operator", "auth.vault/oidc", rootTokenID}, ""},
		"another issuer": {func(c *platform.Config) { c.Auth.Mode, c.Auth.URL = "oidc", "https://login.elsewhere.test" },
			[]engine.ID{"release.helm/vault", KeysID, "role.vault/onyxia-user", "names.vault/jwt", stage.VaultReadyID, rootTokenID},
			[]engine.ID{"client.keycloak/vault", "role.vault/onyxia-operator", "auth.vault/oidc"}, "make a public client vault at the issuer"},
		"a realm that was there": {func(c *platform.Config) {
			c.Auth.Mode, c.Auth.URL, c.Auth.CredentialsSecret = "keycloak", "https://login.elsewhere.test", "onyxia/admin"
		},
			[]engine.ID{"role.vault/onyxia-operator", "names.vault/jwt", "names.vault/oidc"}, nil, ""},
		"none": {func(c *platform.Config) { c.Vault.Mode = "none" }, nil, []engine.ID{stage.VaultReadyID}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, c.change)
			list, err := Stage().Steps(t.Context(), l.env)
			if err != nil {
				t.Fatal(err)
			}
			seen := map[engine.ID]bool{}
			for _, s := range list {
				seen[s.ID] = true
			}
			for _, id := range c.has {
				if !seen[id] {
					t.Errorf("lacks %s", id)
				}
			}
			for _, id := range c.lacks {
				if seen[id] {
					t.Errorf("has %s", id)
				}
			}
			if !strings.Contains(l.transcript(), c.warns) {
				t.Errorf("warned: %s", l.transcript())
			}
			// Every need is there but for those of other stages, and none goes round in a circle.
			for _, s := range stagetest.Complete(list)[len(list):] {
				if strings.Contains(string(s.ID), ".vault/") {
					t.Errorf("%s is needed and not there", s.ID)
				}
			}
			if _, err := (engine.Run{Steps: stagetest.Complete(list)}).Plan(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// Without a login there is nothing to make, and it is said which stage is missing.
func TestNeedsLogin(t *testing.T) {
	l := newLab(t, nil)
	delete(l.env.Present, "auth")
	if _, err := Stage().Steps(t.Context(), l.env); err == nil || !strings.Contains(err.Error(), "stage auth") {
		t.Errorf("%v", err)
	}
}

// On a bare cluster everything is known after something else, nothing is an error, and it is said where keys will be needed.
func TestPlanOnBareCluster(t *testing.T) {
	l := newLab(t, func(c *platform.Config) { c.Vault.Namespace, c.Auth.Namespace = "vault-to-be", "keycloak-to-be" })
	list, err := Stage().Steps(t.Context(), l.env)
	if err != nil {
		t.Fatal(err)
	}
	// The charts of a test are those of the testbed; here none is loaded.
	for i := range list {
		if list[i].ID == "release.helm/vault" {
			list[i] = engine.New(list[i].ID, absent{}, list[i].Needs...)
		}
	}
	mark := l.cluster.Mark(t)
	plan, err := engine.Run{Steps: stagetest.Complete(list)}.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Err(); err != nil {
		t.Errorf("%v", err)
	}
	for _, line := range plan.Steps {
		switch {
		case line.ID == KeysID && (line.Change.After != "release.helm/vault" || !strings.Contains(line.Change.Why, "--keys-file")):
			t.Errorf("%s: %+v", line.ID, line.Change)
		case strings.Contains(string(line.ID), ".vault/") && line.Change.Action != engine.Create && line.ID != stage.VaultReadyID && line.ID != rootTokenID && line.ID != flavorID:
			t.Errorf("%s: %+v", line.ID, line.Change)
		}
	}
	if writes := mark.Writes(t); len(writes) > 0 {
		t.Errorf("wrote %v", writes)
	}
}

// absent is a release that is to be made.
type absent struct{}

func (absent) Observe(context.Context) (struct{}, error) { return struct{}{}, nil }
func (absent) Plan(struct{}) engine.Change               { return engine.Change{Action: engine.Create} }
func (absent) Apply(context.Context, struct{}) error     { return nil }

// Before Onyxia 8.12 a user's folder has no prefix; the names of the realm's users are checked, so that is safe.
func TestFolders(t *testing.T) {
	for version, want := range map[string]string{"11.5.1": "user-", "4.1.1": ""} {
		l := newLab(t, nil)
		catalogue, err := l.env.Profile.WithChart("onyxia", profile.Chart{Version: version})
		if err != nil {
			t.Fatal(err)
		}
		l.env.Profile = catalogue
		s, err := newSite(t.Context(), l.env, Options{})
		if err != nil {
			t.Fatal(err)
		}
		setup, err := s.setup()
		if err != nil || setup.UserPrefix != want || setup.GroupPrefix != "projet-" || !setup.NamesChecked || (setup.Names != nil) != (want == "") {
			t.Errorf("%s: %q %q %v, %v", version, setup.UserPrefix, setup.GroupPrefix, setup.NamesChecked, err)
		}
	}
}

// The redirect addresses of the web's client are exactly the two hosts that log in.
func TestWebClient(t *testing.T) {
	l := newLab(t, nil)
	c := webClient(l.env.Platform)
	if got := strings.Join(c.RedirectURIs, " "); got != "https://onyxia.demo.test/* https://vault.lab.demo.test/*" || c.Confidential || !c.PKCE || !slices.Contains(c.WithoutScopes, "microprofile-jwt") {
		t.Errorf("%+v", c)
	}
	if got := strings.Join(c.WebOrigins, " "); got != "https://onyxia.demo.test https://vault.lab.demo.test" {
		t.Errorf("origins: %s", got)
	}
}

// Whoever else writes the claim of the groups opens their folders, by either login.
func TestSoleWriters(t *testing.T) {
	l := newLab(t, nil)
	for client, want := range map[string]int{platform.VaultClientID: 1, uiClient: 1, operatorClient: 0} {
		sole := 0
		for _, m := range l.site(t).mappers(client) {
			if m.Sole {
				sole++
			}
		}
		if sole != want {
			t.Errorf("%s: %d", client, sole)
		}
	}
}

// The commands of the stage take their part of the steps; those of the app come along with configure only.
func TestParts(t *testing.T) {
	l := newLab(t, nil)
	list, err := Stage().Steps(t.Context(), l.env)
	if err != nil {
		t.Fatal(err)
	}
	list = append(engine.Stage(Name, list...), engine.Stage("app", stagetest.Standing(stage.AppID))...)
	count := func(part func(engine.Step) bool) (n int, ids string) {
		for _, s := range list {
			if part(s) {
				n, ids = n+1, ids+" "+string(s.ID)
			}
		}
		return n, ids
	}
	if n, ids := count(Unseals); n != 2 {
		t.Errorf("unseal: %s", ids)
	}
	if n, ids := count(Proves); n != 5 {
		t.Errorf("proof: %s", ids)
	}
	// All but namespace, flavor, release and volume.
	if n, ids := count(engine.Inside(Name)); n != len(list)-4 || !strings.Contains(ids, string(stage.AppID)) {
		t.Errorf("configure: %s", ids)
	}
}
