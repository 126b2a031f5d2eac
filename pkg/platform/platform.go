// Package platform is the configuration of a datalab and every name that follows from it: hosts, the issuer, claims,
// prefixes. They must agree across five systems, so no other package spells one of them.
package platform

import "strings"

// Platform is a complete configuration, defaults filled in, with the derived names as methods. Make one with Complete.
type Platform struct {
	Config
	// CAPEM is the content of trust.caBundle; empty for the public authorities.
	CAPEM []byte
	// ACMECAPEM is the content of tls.acme.caBundle.
	ACMECAPEM []byte
}

// OnyxiaHost is where users start: onyxia.DOMAIN.
func (p Platform) OnyxiaHost() string { return p.Hosts.Onyxia + "." + p.Domain }

// OnyxiaURL is the origin of the web application.
func (p Platform) OnyxiaURL() string { return "https://" + p.OnyxiaHost() }

// LabDomain is the parent of all services: lab.DOMAIN.
func (p Platform) LabDomain() string { return p.Hosts.Lab + "." + p.Domain }

// AuthHost is Keycloak's host when we install it.
func (p Platform) AuthHost() string { return "auth." + p.LabDomain() }

// MinIOHost is the S3 endpoint's host when we install MinIO.
func (p Platform) MinIOHost() string { return "minio." + p.LabDomain() }

// MinIOConsoleHost is the console's host when we install MinIO.
func (p Platform) MinIOConsoleHost() string { return "minio-console." + p.LabDomain() }

// VaultHost is Vault's host when we install it.
func (p Platform) VaultHost() string { return "vault." + p.LabDomain() }

// CertificateNames are the two names on the certificate. The wildcard does not cover the Onyxia host (guide defect D9).
func (p Platform) CertificateNames() []string {
	return []string{p.OnyxiaHost(), "*." + p.LabDomain()}
}

// KeycloakRelativePath is where we serve Keycloak; it is part of the issuer string.
const KeycloakRelativePath = "/auth"

// KeycloakURL is Keycloak's public address with its relative path, without a slash at the end.
func (p Platform) KeycloakURL() string {
	if p.Auth.InstallsKeycloak() {
		return "https://" + p.AuthHost() + KeycloakRelativePath
	}
	return strings.TrimRight(p.Auth.URL, "/")
}

// Issuer is the one string that browser, API, MinIO and Vault must all be told.
func (p Platform) Issuer() string {
	if p.Auth.OtherIssuer() {
		return p.Auth.URL
	}
	return p.KeycloakURL() + "/realms/" + p.Auth.Realm
}

// S3URL is the S3 endpoint as users and services see it.
func (p Platform) S3URL() string {
	if p.S3.InstallsMinIO() {
		return "https://" + p.MinIOHost()
	}
	return strings.TrimRight(p.S3.URL, "/")
}

// STSURL is where tokens are exchanged for S3 credentials, if not at the S3 endpoint itself: AWS has one host in each region
// (AWS General Reference, endpoints of the Security Token Service; the domain is that of the role's partition).
func (p Platform) STSURL() string {
	if !p.S3.Amazon() {
		return ""
	}
	domain := "amazonaws.com"
	if strings.HasPrefix(p.S3.RoleARN, "arn:aws-cn:") {
		domain = "amazonaws.com.cn"
	}
	return "https://sts." + p.S3.Region + "." + domain
}

// VaultURL is Vault's address as the browser sees it.
func (p Platform) VaultURL() string {
	if p.Vault.External() {
		return strings.TrimRight(p.Vault.URL, "/")
	}
	return "https://" + p.VaultHost()
}

// The OpenID Connect clients that MinIO and Vault look for in a token's audience.
const (
	S3ClientID        = "onyxia-minio"
	S3ConsoleClientID = "minio"
	VaultClientID     = "vault"
)

// The names inside Vault; upstream's documentation uses the same.
const (
	// VaultAuth is where users log in unless vault.authPath says otherwise.
	VaultAuth = "jwt"
	// VaultRole is the role by which they do.
	VaultRole = "onyxia-user"
)

// VaultPolicy is the policy of users. A login at another path than the default has one of its own, so that two datalabs can
// share a Vault.
func (p Platform) VaultPolicy() string {
	if p.Vault.AuthPath == VaultAuth {
		return "onyxia"
	}
	return "onyxia-users-" + strings.ReplaceAll(p.Vault.AuthPath, "/", "-")
}

// S3Policy is the policy that the claim "policy" of a token names.
const S3Policy = "stsonly"

// The beginnings of the names of users and groups that the proofs of S3 and Vault make for themselves, and of what belongs to
// them. What a proof left behind is known by more than that, because nobody keeps people from such a name.
const (
	S3ProofPrefix    = "onyxia-s3-proof-"
	VaultProofPrefix = "onyxia-proof-"
)

// DiscoveryURL is where the issuer says what it is (OpenID Connect Discovery 1.0 section 4).
func (p Platform) DiscoveryURL() string {
	return strings.TrimRight(p.Issuer(), "/") + "/.well-known/openid-configuration"
}

// Namespace is where the record and the lock of the installation live: Onyxia's own.
func (p Platform) Namespace() string { return p.App.Namespace }

// HasAuth, HasS3 and HasVault tell which parts the configuration wants at all.
func (p Platform) HasAuth() bool { return p.Auth.Mode != AuthNone }

// HasS3 tells whether there is an S3 part; it needs tokens, so not without auth.
func (p Platform) HasS3() bool { return p.S3.Mode != S3None && p.HasAuth() }

// HasVault tells whether there is a Vault part; it needs tokens, so not without auth.
func (p Platform) HasVault() bool { return p.Vault.Mode != VaultNone && p.HasAuth() }

// maxLabel is how long a namespace or one part of a host's name may be (RFC 1123).
const maxLabel = 63

// hostEnd is what Onyxia puts behind a namespace to name the host of a service that runs in it: user-alice-123456-0.
const hostEnd = "-123456-0"

// MaxUsername is how long a username may be, so that the hosts of services in the user's namespace are names.
func (p Platform) MaxUsername() int { return maxLabel - len(hostEnd) - len(p.Prefixes.User) }

// MaxGroup is the same for the name of a group.
func (p Platform) MaxGroup() int { return maxLabel - len(hostEnd) - len(p.Prefixes.Group) }

// Serves tells whether a host is one of the datalab's own.
func (p Platform) Serves(host string) bool {
	return host == p.OnyxiaHost() || strings.HasSuffix(host, "."+p.LabDomain())
}
