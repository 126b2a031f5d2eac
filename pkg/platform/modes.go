package platform

// The values of auth.mode.
const (
	AuthInstall  = "install"
	AuthKeycloak = "keycloak"
	AuthOIDC     = "oidc"
	AuthNone     = "none"
)

// The values of auth.database.mode. Empty is DatabaseInstall, for which nobody has decided.
const (
	DatabaseInstall       = "install"
	DatabaseCloudNativePG = "cloudnative-pg"
	DatabaseExternal      = "external"
)

// The values of s3.mode, and of s3.kind.
const (
	S3Install  = "install"
	S3External = "external"
	S3None     = "none"

	S3KindMinIO = "minio"
	S3KindAWS   = "aws"
	S3KindCeph  = "ceph"
)

// The values of vault.mode, and of vault.flavor.
const (
	VaultInstall  = "install"
	VaultExternal = "external"
	VaultDev      = "dev"
	VaultNone     = "none"

	VaultFlavorVault   = "vault"
	VaultFlavorOpenBao = "openbao"
)

// The values of ingress.mode and of tls.mode.
const (
	IngressInstall  = "install"
	IngressExisting = "existing"

	TLSACME     = "acme"
	TLSExisting = "existing"
)

// InstallsKeycloak tells whether Keycloak is one that we install.
func (a Auth) InstallsKeycloak() bool { return a.Mode == AuthInstall }

// OtherIssuer tells whether the login is at an issuer whose clients and users are not ours to make.
func (a Auth) OtherIssuer() bool { return a.Mode == AuthOIDC }

// ConfiguresRealm tells whether the login is a Keycloak whose realm we configure, installed by us or not.
func (a Auth) ConfiguresRealm() bool { return !a.OtherIssuer() && a.Mode != AuthNone }

// InstallsDatabase tells whether Keycloak's database is a PostgreSQL that we install.
func (a Auth) InstallsDatabase() bool {
	return a.InstallsKeycloak() && (a.Database.Mode == "" || a.Database.Mode == DatabaseInstall)
}

// InstallsMinIO tells whether the S3 server is one that we install.
func (s S3) InstallsMinIO() bool { return s.Mode == S3Install }

// HasMinIOAPI tells a server with MinIO's admin API: ours, or one of that kind.
func (s S3) HasMinIOAPI() bool { return s.InstallsMinIO() || s.Kind == S3KindMinIO }

// Amazon tells whether the S3 server is AWS, whose buckets are host names and whose STS has an address of its own.
func (s S3) Amazon() bool { return s.Mode == S3External && s.Kind == S3KindAWS }

// External tells whether the Vault is one that others run.
func (v Vault) External() bool { return v.Mode == VaultExternal }

// Existing tells whether the controller is one that was there already.
func (i Ingress) Existing() bool { return i.Mode == IngressExisting }

// Existing tells whether somebody else maintains the certificate.
func (t TLS) Existing() bool { return t.Mode == TLSExisting }
