package auth

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// loginTheme is the name that the theme has in its jar since Onyxia 4.1.1.
const loginTheme = "onyxia"

// accountSecretID is the Secret with our service account.
const accountSecretID engine.ID = "secret/" + stage.KeycloakAccountSecret

// realm makes the steps of the realm, by a service account of ours. The server's own steps come first, if there are any.
func realm(env stage.Env, server ...engine.ID) []engine.Step {
	k, p := env.Keycloak, env.Platform
	home := stage.NamespaceID(k.Namespace)
	account := k.Account.Step(k.Own, append(server, accountSecretID)...)
	r := k.Realm
	list := []engine.Step{
		accountSecret(k, p, home, reachID),
		account,
		r.Step(settings(env), account.ID),
		r.UserProfileStep(keycloak.UserProfile{MaxUsername: p.MaxUsername(), EmailDomains: p.Auth.EmailDomains}),
		r.RequiredActionStep(keycloak.RequiredAction{Alias: keycloak.Terms, Enabled: len(p.Auth.Terms) > 0, Default: len(p.Auth.Terms) > 0}),
		r.ClientStep(onyxiaClient(p)),
		r.MapperStep(p.Auth.ClientID, keycloak.AudienceMapper("audience", p.Auth.ClientID)),
		r.MapperStep(p.Auth.ClientID, keycloak.GroupsMapper(p.Auth.GroupsClaim)),
		r.MapperStep(p.Auth.ClientID, keycloak.RealmRolesMapper("roles")),
	}
	for _, group := range p.Auth.Groups {
		list = append(list, r.GroupStep(group))
	}
	for _, role := range p.Auth.Roles {
		list = append(list, r.RoleStep(role, ""))
	}
	return list
}

// accountSecret is the secret of the service account. In a Keycloak of ours both outlive an uninstall with the database; in
// one of somebody else's they go together.
func accountSecret(k *stage.Keycloak, p platform.Platform, needs ...engine.ID) engine.Step {
	if p.Auth.Mode == "install" {
		return engine.New(accountSecretID, k.Secret, needs...).HoldingData("the account with which the realm is configured")
	}
	return engine.New(accountSecretID, &guestSecret{Generated: k.Secret, keycloak: k}, needs...)
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

func settings(env stage.Env) keycloak.Settings {
	p := env.Platform
	session := duration(p.Auth.Session)
	s := keycloak.Settings{
		Registration:      *p.Auth.Registration,
		ForgottenPassword: p.Auth.SMTP.Host != "",
		RememberMe:        true,
		EmailLogin:        true,
		VerifyEmail:       p.Auth.SMTP.Host != "",
		BruteForce:        true,
		Locales:           slices.Clone(p.Auth.Locales),
		// A client's lifespans are cut to the realm's, so these are the longest of all.
		Lifespans: keycloak.Lifespans{SSOIdle: session, SSOMax: session, SSOIdleRememberMe: session, SSOMaxRememberMe: session},
	}
	if p.Auth.SMTP.Host != "" {
		s.SMTP = mailServer(env)
	}
	if p.Auth.Theme.URL != noTheme {
		s.LoginTheme, s.EmailTheme = loginTheme, loginTheme
	}
	return s
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
	namespace, name, ok := strings.Cut(named, "/")
	if !ok {
		return "", fmt.Errorf("auth.smtp.passwordSecret: %q is not namespace/name", named)
	}
	secret, err := env.Kube.Clientset.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("the password of the mail server: %w", kube.Explain(err))
	}
	password := string(secret.Data[passwordKey])
	if password == "" {
		return "", fmt.Errorf("secret %s has no key %q with the password of the mail server", named, passwordKey)
	}
	return password, nil
}

// duration of a key that was checked when the configuration was completed.
func duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0
	}
	return d
}

// onyxiaClient is the single-page application: its redirect addresses are exactly the Onyxia host's.
func onyxiaClient(p platform.Platform) keycloak.Client {
	c := keycloak.PublicClient(p.Auth.ClientID, []string{p.OnyxiaURL()}, p.OnyxiaURL()+"/*")
	c.PostLogoutRedirectURIs = []string{"+"}
	return c
}
