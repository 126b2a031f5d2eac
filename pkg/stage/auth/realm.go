package auth

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// accountSecretID is the Secret with our service account.
const accountSecretID engine.ID = "secret/" + stage.KeycloakAccountSecret

// realm makes the steps of the realm, by a service account of ours. The server's own steps come first, if there are any.
func realm(env stage.Env, server ...engine.ID) []engine.Step {
	k, p := env.Keycloak, env.Platform
	home := stage.NamespaceID(k.Namespace)
	account := k.Account.Step(k.Own, append(server, accountSecretID)...).GoesLast()
	r := k.Realm
	list := []engine.Step{
		accountSecret(k, p, home, reachID),
		account,
		r.Step(settings(env), account.ID),
		r.UserProfileStep(userProfile(p)),
		r.ClientStep(onyxiaClient(p)),
		r.MapperStep(p.Auth.ClientID, keycloak.AudienceMapper("audience", p.Auth.ClientID)),
		r.MapperStep(p.Auth.ClientID, keycloak.SoleGroupsMapper(p.Auth.GroupsClaim)),
		r.MapperStep(p.Auth.ClientID, keycloak.RealmRolesMapper("roles")),
	}
	if accept := p.Auth.Login.AcceptTerms; accept != nil {
		list = append(list, r.RequiredActionStep(keycloak.RequiredAction{Alias: keycloak.Terms, On: *accept}))
	}
	for _, group := range p.Auth.Groups {
		list = append(list, r.GroupStep(group))
	}
	for _, role := range p.Auth.Roles {
		list = append(list, r.RoleStep(role))
	}
	return list
}

// accountSecret is the secret of the service account. In a Keycloak of ours both outlive an uninstall with the database; in
// one of somebody else's they go together.
func accountSecret(k *stage.Keycloak, p platform.Platform, needs ...engine.ID) engine.Step {
	if p.Auth.InstallsKeycloak() {
		return engine.New(accountSecretID, k.Secret, needs...).HoldingData("the account with which the realm is configured")
	}
	return engine.New(accountSecretID, &guestSecret{Generated: k.Secret, keycloak: k}, needs...).GoesLast()
}

// guestSecret is the secret of a service account on a Keycloak of somebody else's.
type guestSecret struct {
	*kube.Generated
	keycloak *stage.Keycloak
}

// RefuseRemoval keeps it as long as the account.
func (s *guestSecret) RefuseRemoval(ctx context.Context) string {
	if why := s.keycloak.Account.Stays(ctx, s.keycloak.Own); why != "" {
		return "the service account stays: " + why
	}
	return s.Generated.RefuseRemoval(ctx)
}

// settings of the realm that the configuration asks for; what no key asks for is left alone.
func settings(env stage.Env) keycloak.Settings {
	a := env.Platform.Auth
	session, remembered := a.SessionTime(), a.Lifespans.RememberMeTime()
	s := keycloak.Settings{
		DisplayName: a.DisplayName, Registration: a.Registration,
		ForgottenPassword: a.Login.ForgottenPassword, RememberMe: a.Login.RememberMe, EmailLogin: a.Login.WithEmail,
		VerifyEmail: a.Login.VerifyEmail, BruteForce: a.Login.BruteForceProtection,
		LoginTheme: a.Theme.Login, EmailTheme: a.Theme.Email, FormerTheme: platform.OnyxiaTheme,
		Locales: slices.Clone(a.Locales), DefaultLocale: a.DefaultLocale,
		// A client's lifespans are cut to the realm's, so the sessions are the longest of all.
		Lifespans: keycloak.Lifespans{
			AccessToken: a.Lifespans.AccessTokenTime(),
			SSOIdle:     session, SSOMax: session, SSOIdleRememberMe: remembered, SSOMaxRememberMe: remembered,
		},
	}
	if a.SMTP.Host != "" {
		s.SMTP = mailServer(env)
	}
	return s
}

// userProfile of the realm.
func userProfile(p platform.Platform) keycloak.UserProfile {
	profile := keycloak.UserProfile{MaxUsername: p.MaxUsername(), EmailDomains: p.Auth.EmailDomains, UnmanagedAttributes: p.Auth.UnmanagedAttributes}
	for _, name := range slices.Sorted(maps.Keys(p.Auth.Attributes)) {
		wanted := p.Auth.Attributes[name]
		profile.Attributes = append(profile.Attributes, keycloak.ProfileAttribute{Name: name, DisplayName: cmp.Or(wanted.DisplayName, name), Required: wanted.Required})
	}
	return profile
}

// mailServer of the realm. Its password is read from the Secret that the configuration names, whenever the realm is looked at.
func mailServer(env stage.Env) *keycloak.SMTP {
	c := env.Platform.Auth.SMTP
	mail := &keycloak.SMTP{
		Host: c.Host, Port: c.Port, From: c.From, FromName: c.FromName, ReplyTo: c.ReplyTo, Encryption: c.Encryption, Username: c.Username,
	}
	if c.PasswordSecret != "" {
		mail.Password = func(ctx context.Context) (string, error) { return mailPassword(ctx, env, c.PasswordSecret) }
	}
	return mail
}

func mailPassword(ctx context.Context, env stage.Env, named string) (string, error) {
	secret, err := env.Kube.NamedSecret(ctx, "auth.smtp.passwordSecret", named, passwordKey)
	if err != nil {
		return "", err
	}
	return secret[passwordKey], nil
}

// onyxiaClient is the single-page application: its redirect addresses are exactly the Onyxia host's.
func onyxiaClient(p platform.Platform) keycloak.Client {
	c := keycloak.PublicClient(p.Auth.ClientID, []string{p.OnyxiaURL()}, p.OnyxiaURL()+"/*")
	c.PostLogoutRedirectURIs = []string{"+"}
	c.WithoutScopes = []string{keycloak.RolesAsGroupsScope}
	return c
}
