package auth

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// What no key asks for is nil: the realm's own mail server, forgotten password and terms may have been set by hand.
func TestSettings(t *testing.T) {
	yes, no := true, false
	mail := platform.SMTP{Host: "mail.a.org", From: "lab@a.org"}
	for name, c := range map[string]struct {
		auth                                   platform.Auth
		registration, verify, forgotten, terms *bool
	}{
		"as the guide has it": {registration: &yes},
		"with mail":           {auth: platform.Auth{SMTP: mail}, registration: &yes, verify: &yes, forgotten: &yes},
		"closed":              {auth: platform.Auth{Registration: &no}, registration: &no},
		"switched off": {
			auth:         platform.Auth{SMTP: mail, Login: platform.Login{VerifyEmail: &no, ForgottenPassword: &no, AcceptTerms: &no}},
			registration: &yes, verify: &no, forgotten: &no, terms: &no,
		},
		"terms": {auth: platform.Auth{Terms: map[string]string{"en": "%PUBLIC_URL%/custom-resources/terms.md"}}, registration: &yes, terms: &yes},
	} {
		t.Run(name, func(t *testing.T) {
			c.auth.Theme.URL = "none"
			env, _ := datalab(t, c.auth)
			s := settings(env)
			got := []*bool{s.Registration, s.VerifyEmail, s.ForgottenPassword, env.Platform.Auth.Login.AcceptTerms}
			if d := cmp.Diff([]*bool{c.registration, c.verify, c.forgotten, c.terms}, got); d != "" {
				t.Error(d)
			}
			if (s.SMTP != nil) != (c.auth.SMTP.Host != "") || s.SMTP != nil && s.SMTP.Host != mail.Host {
				t.Errorf("the mail server does not reach the realm: %+v", s.SMTP)
			}
			list, err := steps(t.Context(), env)
			if err != nil {
				t.Fatal(err)
			}
			asked := slices.ContainsFunc(list, func(s engine.Step) bool { return strings.HasPrefix(string(s.ID), "requiredaction.keycloak/") })
			if asked != (c.terms != nil) {
				t.Errorf("the realm's terms are touched: %v", asked)
			}
		})
	}
}

// Each key reaches the realm.
func TestKeysOfTheRealm(t *testing.T) {
	env, _ := datalab(t, platform.Auth{
		DisplayName: "Lab", Locales: []string{"en", "de"}, DefaultLocale: "de", Session: "24h", UnmanagedAttributes: "ADMIN_EDIT",
		Lifespans:  platform.Lifespans{AccessToken: "10m", RememberMe: "240h"},
		Attributes: map[string]platform.Attribute{"team": {Required: true}, "office": {DisplayName: "Your office"}},
	})
	s := settings(env)
	day := 24 * time.Hour
	if d := cmp.Diff(keycloak.Lifespans{AccessToken: 10 * time.Minute, SSOIdle: day, SSOMax: day, SSOIdleRememberMe: 10 * day, SSOMaxRememberMe: 10 * day}, s.Lifespans); d != "" {
		t.Error(d)
	}
	if s.DisplayName != "Lab" || s.DefaultLocale != "de" || len(s.Locales) != 2 {
		t.Errorf("%+v", s)
	}
	want := keycloak.UserProfile{MaxUsername: 49, UnmanagedAttributes: "ADMIN_EDIT", Attributes: []keycloak.ProfileAttribute{
		{Name: "office", DisplayName: "Your office"}, {Name: "team", DisplayName: "team", Required: true},
	}}
	if d := cmp.Diff(want, userProfile(env.Platform)); d != "" {
		t.Error(d)
	}
}

// A release of Onyxia whose web application cannot log in at newer servers is known as such.
func TestNonceIsExpected(t *testing.T) {
	env, _ := datalab(t, platform.Auth{})
	old, _ := guide(t, platform.Auth{})
	now, err := expected(env)
	then, also := expected(old)
	if err != nil || also != nil || now.Nonce || !then.Nonce || now.MaxUsername != 49 {
		t.Errorf("%+v %v, %+v %v", now, err, then, also)
	}
}
