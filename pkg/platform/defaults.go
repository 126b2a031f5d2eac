package platform

// WithDefaults fills in every key that has a default and was left out.
func WithDefaults(c Config) Config {
	set(&c.Profile, "current")
	set(&c.Hosts.Onyxia, "onyxia")
	set(&c.Hosts.Lab, "lab")
	set(&c.Prefixes.User, "user-")
	set(&c.Prefixes.Group, "projet-")
	set(&c.Ingress.Mode, IngressInstall)
	set(&c.Ingress.Class, "nginx")
	set(&c.TLS.Mode, TLSACME)
	set(&c.TLS.SecretName, "onyxia-tls")
	set(&c.TLS.ACME.Server, "letsencrypt")
	set(&c.App.Namespace, "onyxia")
	authDefaults(&c.Auth)
	s3Defaults(&c.S3, c.Auth.Session)
	set(&c.Vault.Mode, VaultInstall)
	set(&c.Vault.Flavor, VaultFlavorVault)
	set(&c.Vault.Namespace, "vault")
	set(&c.Vault.AuthPath, VaultAuth)
	set(&c.Vault.KVEngine, "onyxia-kv")
	set(&c.Vault.Replicas, 1)
	set(&c.Vault.Size, "10Gi")
	return c
}

func authDefaults(a *Auth) {
	set(&a.Mode, AuthInstall)
	set(&a.Namespace, "keycloak")
	set(&a.Realm, "datalab")
	set(&a.ClientID, "onyxia")
	set(&a.UsernameClaim, "preferred_username")
	set(&a.GroupsClaim, "groups")
	set(&a.Session, "336h")
	set(&a.Lifespans.RememberMe, a.Session)
	set(&a.SMTP.Port, 587)
	if a.SMTP.speaksTLS() {
		set(&a.SMTP.Encryption, "tls")
	}
	set(&a.SMTP.Encryption, "starttls")
	set(&a.Database.Port, 5432)
	set(&a.Database.Name, "keycloak")
	set(&a.Database.Size, "8Gi")
	set(&a.Database.Instances, 1)
	if len(a.Locales) == 0 {
		a.Locales = []string{"en", "fr"}
	}
	set(&a.DefaultLocale, a.Locales[0])
	if a.Theme.Login == "" && a.Theme.URL != NoTheme {
		a.Theme.Login = OnyxiaTheme
		set(&a.Theme.Email, OnyxiaTheme)
	}
	for _, key := range []**bool{&a.Registration, &a.Login.RememberMe, &a.Login.WithEmail, &a.Login.BruteForceProtection} {
		setTrue(key, true)
	}
	setTrue(&a.Login.ForgottenPassword, a.SMTP.Host != "")
	setTrue(&a.Login.VerifyEmail, a.SMTP.Host != "")
	setTrue(&a.Login.AcceptTerms, len(a.Terms) > 0)
}

// setTrue gives a key that was left out the value true, if that is wanted; else it stays left out.
func setTrue(key **bool, wanted bool) {
	if *key == nil && wanted {
		*key = &wanted
	}
}

// NoTheme as auth.theme.url leaves Keycloak's own login pages. OnyxiaTheme is the name that the theme has in its jar since
// Onyxia 4.1.1.
const (
	NoTheme     = "none"
	OnyxiaTheme = "onyxia"
)

func s3Defaults(s *S3, session string) {
	set(&s.Mode, S3Install)
	set(&s.Kind, S3KindMinIO)
	set(&s.Namespace, "minio")
	set(&s.Region, "us-east-1")
	set(&s.Size, "100Gi")
	set(&s.SessionDuration, sessionDuration(*s, session))
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
