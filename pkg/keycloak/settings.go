package keycloak

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// Settings are the fields of a realm that are ours. Everything else in the realm stays as it is, and so does each switch that is
// nil here.
type Settings struct {
	// DisplayName above the login form; empty leaves it alone.
	DisplayName string
	// Registration lets people sign up by themselves.
	Registration *bool
	// ForgottenPassword offers a link by mail.
	ForgottenPassword *bool
	// RememberMe offers a longer session.
	RememberMe *bool
	// EmailLogin lets people log in with their address.
	EmailLogin *bool
	// VerifyEmail asks for a click in a mail; it needs SMTP.
	VerifyEmail *bool
	// BruteForce locks an account for a while after failed logins.
	BruteForce *bool
	// LoginTheme and EmailTheme are set if the server has them, else left alone; empty leaves them alone.
	LoginTheme, EmailTheme string
	// FormerTheme is a theme of ours that goes from where none is wanted; empty for none.
	FormerTheme string
	// Locales that must be offered; others stay. Empty leaves internationalization alone.
	Locales []string
	// DefaultLocale is one of them; empty for the first.
	DefaultLocale string
	// Lifespans of tokens and sessions; zero ones are left alone.
	Lifespans Lifespans
	// SMTP is the mail server; nil leaves it alone.
	SMTP *SMTP
}

// Step gives the realm's own step. Removing it deletes the realm with all of its users, and only if we made it.
func (r *Realm) Step(s Settings, needs ...engine.ID) engine.Step {
	self := &removable{
		object: object{
			prefix: "realm.",
			read:   r.self.Get,
			want: func(ctx context.Context, seen document) (document, error) {
				return r.wantedSettings(ctx, s, seen)
			},
			risk:   r.takingRealm,
			create: r.createRealm,
			update: r.updateRealm,
			forget: r.forgetAll,
			drop:   func(ctx context.Context, _ document) error { return r.admin.remove(ctx, r.path("")) },
		},
		ours: func(s sight) bool { return ours(s.seen) },
		why:  "realm " + r.name + " was there before",
	}
	return engine.New(r.ID(), self, needs...).HoldingData("the users of realm " + r.name)
}

// takingRealm says what it means to change the settings of a realm of somebody else's.
func (r *Realm) takingRealm(s sight) string {
	risk := "realm " + r.name + " was made by somebody else: these settings hold for all of its applications"
	if s.want["registrationAllowed"] == true && s.seen["registrationAllowed"] != true {
		risk += ", and strangers may sign up to all of them (auth.registration: false)"
	}
	return risk
}

func (r *Realm) wantedSettings(ctx context.Context, s Settings, seen document) (document, error) {
	info, err := r.admin.ServerInfo(ctx)
	if err != nil {
		return nil, err
	}
	want := document{"enabled": true}
	for key, on := range map[string]*bool{
		"registrationAllowed": s.Registration, "resetPasswordAllowed": s.ForgottenPassword, "rememberMe": s.RememberMe,
		"loginWithEmailAllowed": s.EmailLogin, "verifyEmail": s.VerifyEmail, "bruteForceProtected": s.BruteForce,
	} {
		if on != nil {
			want[key] = *on
		}
	}
	if s.DisplayName != "" {
		want["displayName"] = s.DisplayName
	}
	s.theme(want, "loginTheme", s.LoginTheme, info.LoginThemes)
	s.theme(want, "emailTheme", s.EmailTheme, info.EmailThemes)
	if len(s.Locales) > 0 {
		want["internationalizationEnabled"] = true
		want["supportedLocales"] = including(s.Locales)
		want["defaultLocale"] = s.DefaultLocale
		if s.DefaultLocale == "" {
			want["defaultLocale"] = s.Locales[0]
		}
	}
	maps.Copy(want, s.Lifespans.document())
	if info.Features.ProfileSwitch && info.ProfileAvailable() {
		want["attributes"] = document{"userProfileEnabled": "true"}
	}
	if s.SMTP != nil {
		mail, err := s.SMTP.wanted(ctx, child(seen["smtpServer"]))
		if err != nil {
			return nil, err
		}
		want["smtpServer"] = mail
	}
	return want, nil
}

// theme asks for a theme that the server has, or for the end of the former one where none is wanted.
func (s Settings) theme(want document, key, name string, there []string) {
	switch {
	case slices.Contains(there, name):
		want[key] = name
	case name == "" && s.FormerTheme != "":
		want[key] = not(s.FormerTheme)
	}
}

// missingThemes names the wanted themes that the server lacks; empty for none. Keycloak falls back to its own without a word.
func (s Settings) missingThemes(info ServerInfo) string {
	var missing []string
	if s.LoginTheme != "" && !slices.Contains(info.LoginThemes, s.LoginTheme) {
		missing = append(missing, "login theme "+s.LoginTheme)
	}
	if s.EmailTheme != "" && !slices.Contains(info.EmailThemes, s.EmailTheme) {
		missing = append(missing, "email theme "+s.EmailTheme)
	}
	return strings.Join(missing, " and no ")
}

func (r *Realm) createRealm(ctx context.Context, want document) error {
	whole := want.over(document{"realm": r.name})
	attributes := maps.Clone(child(whole["attributes"]))
	attributes[mark] = maker
	whole["attributes"] = attributes
	_, err := r.admin.create(ctx, "/realms", whole)
	// the rights on a new realm come with the next token only
	r.admin.Reauthenticate()
	if IsStatus(err, http.StatusForbidden) {
		return fmt.Errorf("%w; or, to make realm %s, the role create-realm of realm master", err, r.name)
	}
	return err
}

// updateRealm sends what differs. Attributes are replaced as a whole, and before 26 that resets settings which Keycloak keeps
// among them; before 24 a request without attributes even resets the user profile. So in both cases everything is sent that
// was read, but for what other endpoints own, and the masked password of the mail server.
func (r *Realm) updateRealm(ctx context.Context, seen, want document) error {
	info, err := r.admin.ServerInfo(ctx)
	if err != nil {
		return err
	}
	changed := want.changed(seen)
	if _, attributes := changed["attributes"]; attributes || info.Features.ProfileSwitch {
		whole := seen.without("smtpServer", "identityProviders", "identityProviderMappers", "clientProfiles", "clientPolicies", "defaultRole")
		maps.Copy(whole, changed)
		changed = whole
	}
	return r.admin.put(ctx, r.path(""), changed)
}

// forgetAll drops every read of the realm: when it comes or goes, all of them change.
func (r *Realm) forgetAll() {
	r.self.Forget()
	r.profile.Forget()
	r.forgetGroups()
	for _, list := range []*engine.Shared[[]document]{r.clients, r.scopes, r.roles, r.actions, r.people} {
		list.Forget()
	}
}
