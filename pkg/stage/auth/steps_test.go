package auth

import (
	"strings"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// Nothing of the stage is written before pods are known to reach the login, and the Secrets that the admin brings along are
// looked at before that.
func TestReachComesFirst(t *testing.T) {
	mail := platform.SMTP{Host: "mail.a.org", From: "lab@a.org", Username: "u", PasswordSecret: "keycloak/mail"}
	for name, auth := range map[string]platform.Auth{
		"ours":          {SMTP: mail, Groups: []string{"g"}, Roles: []string{"r"}},
		"an operator's": {Database: platform.Database{Mode: platform.DatabaseCloudNativePG}},
		"external":      {SMTP: mail, Database: platform.Database{Mode: platform.DatabaseExternal, Host: "pg", CredentialsSecret: "pg"}},
		"keycloak":      {Mode: "keycloak", URL: "https://sso.a.org", CredentialsSecret: "sso/admin", SMTP: mail},
		"oidc":          {Mode: "oidc", URL: "https://idp.a.org"},
	} {
		t.Run(name, func(t *testing.T) {
			auth.Theme.URL = "none"
			env, _ := datalab(t, auth)
			list, err := steps(t.Context(), env)
			if err != nil {
				t.Fatal(err)
			}
			needs := map[engine.ID][]engine.ID{}
			for _, s := range list {
				needs[s.ID] = s.Needs
			}
			for _, s := range list {
				login := strings.HasPrefix(string(s.ID), "login.")
				if comes := after(needs, s.ID, reachID); comes == (login || s.ID == reachID) {
					t.Errorf("%s comes after the pod: %v", s.ID, comes)
				}
				if login && !after(needs, reachID, s.ID) {
					t.Errorf("the pod is sent before %s was looked at", s.ID)
				}
			}
			if ours := after(needs, reachID, stage.AddressID) && after(needs, reachID, stage.CertificateID); ours != (env.Platform.Auth.Mode == "install") {
				t.Errorf("the pod waits for our controller: %v", ours)
			}
		})
	}
}

// `auth configure` makes what is inside Keycloak. What server and database are started with is for `auth install`: a password
// made anew would not open what is there.
func TestOfServer(t *testing.T) {
	mail := platform.SMTP{Host: "mail.a.org", From: "lab@a.org", Username: "u", PasswordSecret: "keycloak/mail"}
	for name, c := range map[string]struct {
		auth   platform.Auth
		server []engine.ID
		inside []engine.ID
	}{
		"ours": {platform.Auth{SMTP: mail},
			[]engine.ID{"namespace/keycloak", "secret/keycloak-bootstrap", "secret/keycloak-db", "persistentvolumeclaim/keycloak-db", "statefulset/keycloak-db", "release.helm/keycloak", reachID},
			[]engine.ID{"secret/keycloak-service-account", "serviceaccount.keycloak/kubectl-onyxia-datalab", "realm.keycloak/datalab", "login.smtp/mail", stage.IssuerID}},
		"an operator's": {platform.Auth{Database: platform.Database{Mode: platform.DatabaseCloudNativePG}},
			[]engine.ID{"secret/keycloak-db-owner"}, []engine.ID{"realm.keycloak/datalab"}},
		"external": {platform.Auth{Database: platform.Database{Mode: platform.DatabaseExternal, Host: "pg", CredentialsSecret: "pg"}},
			[]engine.ID{"login.database/pg"}, []engine.ID{"realm.keycloak/datalab"}},
		"keycloak": {platform.Auth{Mode: "keycloak", URL: "https://sso.a.org", CredentialsSecret: "sso/admin"},
			[]engine.ID{reachID}, []engine.ID{"login.administrator/admin", "realm.keycloak/datalab"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.auth.Theme.URL = "none"
			env, _ := datalab(t, c.auth)
			list, err := steps(t.Context(), env)
			if err != nil {
				t.Fatal(err)
			}
			is := map[engine.ID]bool{}
			for _, s := range list {
				is[s.ID] = s.OfServer
			}
			for _, id := range c.server {
				if ofServer, there := is[id]; !there || !ofServer {
					t.Errorf("%s: there %v, of the server %v", id, there, ofServer)
				}
			}
			for _, id := range c.inside {
				if ofServer, there := is[id]; !there || ofServer {
					t.Errorf("%s: there %v, of the server %v", id, there, ofServer)
				}
			}
		})
	}
}

// A volume without its Secret is one whose password was lost, so no run may make the volume first.
func TestVolumeComesAfterItsPassword(t *testing.T) {
	env, _ := datalab(t, platform.Auth{Theme: platform.Theme{URL: "none"}})
	list, err := steps(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	needs := map[engine.ID][]engine.ID{}
	for _, s := range list {
		needs[s.ID] = s.Needs
	}
	if !after(needs, volumeID, databaseSecretID) {
		t.Errorf("%s needs %v", volumeID, needs[volumeID])
	}
}

// after tells whether a step needs another, directly or not.
func after(needs map[engine.ID][]engine.ID, id, other engine.ID) bool {
	for _, need := range needs[id] {
		if need == other || after(needs, need, other) {
			return true
		}
	}
	return false
}

// Where Keycloak looks for its database, and with which login.
func TestDatabaseOfEachMode(t *testing.T) {
	for name, c := range map[string]struct {
		database     platform.Database
		host, secret string
		port         int
		step         engine.ID
	}{
		"not chosen":    {platform.Database{}, "keycloak-db.keycloak.svc", "keycloak-db", 5432, databaseID},
		"ours":          {platform.Database{Mode: "install"}, "keycloak-db.keycloak.svc", "keycloak-db", 5432, databaseID},
		"an operator's": {platform.Database{Mode: platform.DatabaseCloudNativePG, Port: 6432}, "keycloak-db-rw.keycloak.svc", "keycloak-db-owner", 5432, operatedID},
		"external":      {platform.Database{Mode: platform.DatabaseExternal, Host: "pg.a.org", Port: 6432, CredentialsSecret: "pg"}, "pg.a.org", "pg", 6432, "login.database/pg"},
	} {
		t.Run(name, func(t *testing.T) {
			env, _ := datalab(t, platform.Auth{Database: c.database, Theme: platform.Theme{URL: "none"}})
			if p := env.Platform; databaseHost(p) != c.host || databaseSecret(p) != c.secret || databasePort(p) != c.port {
				t.Errorf("%s:%d with %s", databaseHost(p), databasePort(p), databaseSecret(p))
			}
			list, err := steps(t.Context(), env)
			if err != nil {
				t.Fatal(err)
			}
			needs, databases := map[engine.ID][]engine.ID{}, 0
			for _, s := range list {
				needs[s.ID] = s.Needs
				if s.ID == databaseID || s.ID == operatedID || strings.HasPrefix(string(s.ID), "login.database/") {
					databases++
				}
			}
			if databases != 1 || !after(needs, stage.KeycloakReleaseID, c.step) {
				t.Errorf("%d databases; Keycloak comes after %s: %v", databases, c.step, after(needs, stage.KeycloakReleaseID, c.step))
			}
		})
	}
}

// Terms that the web application of the chart cannot show leave everybody with a blank page; that is said before the realm
// asks for them.
func TestTermsThatCannotBeShown(t *testing.T) {
	auth := platform.Auth{Terms: map[string]string{"en": "https://a.org/terms.md"}, Theme: platform.Theme{URL: "none"}}
	env, _ := datalab(t, auth)
	if _, err := steps(t.Context(), env); err == nil || !strings.Contains(err.Error(), "auth.terms: https://a.org/terms.md") || !strings.Contains(err.Error(), "%PUBLIC_URL%/custom-resources/FILE") {
		t.Errorf("got %v", err)
	}
	old, _ := guide(t, auth)
	if _, err := steps(t.Context(), old); err != nil {
		t.Errorf("the web of 4.1.1 shows terms of others: %v", err)
	}
}

// What a user may be sent back to is exact: one address too many is a hole that no configuration can ask for.
func TestNoWildcardRedirect(t *testing.T) {
	for _, hosts := range []platform.Hosts{{}, {Onyxia: "datalab", Lab: "kub"}} {
		p, err := platform.Complete(platform.Config{Domain: "a.org", Hosts: hosts})
		if err != nil {
			t.Fatal(err)
		}
		for _, uri := range onyxiaClient(p).RedirectURIs {
			if !strings.HasPrefix(uri, "https://"+p.OnyxiaHost()+"/") {
				t.Errorf("a login may end at %s", uri)
			}
		}
		for _, origin := range onyxiaClient(p).WebOrigins {
			if origin != p.OnyxiaURL() {
				t.Errorf("pages of %s may ask for tokens", origin)
			}
		}
	}
}
