package platform

import "encoding/json"

// Quotas are the limits of users' and groups' namespaces. Onyxia keeps them as a ResourceQuota in each.
type Quotas struct {
	// Enabled puts the quotas below in force. Default true as soon as there is one.
	Enabled *bool `json:"enabled,omitempty"`
	// AllowUserModification lets users change their own quota; charts before 10.0.0 only. Default false.
	AllowUserModification *bool `json:"allowUserModification,omitempty"`
	// Default is for users and groups, where their own leaves a limit out.
	Default Quota `json:"default,omitzero"`
	// User limits each user's namespace.
	User Quota `json:"user,omitzero"`
	// Group limits each group's namespace.
	Group Quota `json:"group,omitzero"`
	// Roles limit the namespaces of users with a role, in the place of the user's; the first role that matches counts. From chart 10.0.0 on.
	Roles map[string]Quota `json:"roles,omitempty"`
}

// Quota is one ResourceQuota (Quota.java of the API, v0.30 and v4.12.0).
type Quota struct {
	// RequestsCPU is the sum of what all pods ask for.
	RequestsCPU Amount `json:"requests.cpu,omitempty"`
	// RequestsMemory is the sum of what all pods ask for.
	RequestsMemory Amount `json:"requests.memory,omitempty"`
	// LimitsCPU is the sum of the pods' limits.
	LimitsCPU Amount `json:"limits.cpu,omitempty"`
	// LimitsMemory is the sum of the pods' limits.
	LimitsMemory Amount `json:"limits.memory,omitempty"`
	// RequestsStorage is the sum of all volumes.
	RequestsStorage Amount `json:"requests.storage,omitempty"`
	// RequestsEphemeral is the sum of what all pods ask for on their nodes' disks; from chart 4.2.0 on.
	RequestsEphemeral Amount `json:"requests.ephemeral-storage,omitempty"`
	// LimitsEphemeral is the sum of the pods' limits for their nodes' disks; from chart 4.2.0 on.
	LimitsEphemeral Amount `json:"limits.ephemeral-storage,omitempty"`
	// Pods is how many there may be.
	Pods int `json:"count/pods,omitempty"`
	// RequestsGPU is how many GPUs all pods may ask for; from chart 4.2.0 on.
	RequestsGPU *int `json:"requests.nvidia.com/gpu,omitempty"`
	// LimitsGPU is the sum of the pods' limits for GPUs; from chart 4.2.0 on.
	LimitsGPU *int `json:"limits.nvidia.com/gpu,omitempty"`
}

// Amount is a quantity as Kubernetes writes it, "500m" or "10Gi". In the file it may also be a plain number.
type Amount string

// UnmarshalJSON takes text and numbers; whether they are quantities is for Validate to say.
func (a *Amount) UnmarshalJSON(raw []byte) error {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		text = string(raw)
	}
	*a = Amount(text)
	return nil
}

// Auth is the auth stage.
type Auth struct {
	// Mode is "install" for Keycloak by its chart, "keycloak" for one that is there, "oidc" for another issuer, "none" for no login.
	Mode string `json:"mode,omitempty" enum:"install,keycloak,oidc,none"`
	// Namespace of Keycloak. Default "keycloak".
	Namespace string `json:"namespace,omitempty"`
	// Realm name: letters, digits, dots, dashes and underscores; never Keycloak's own "master". Default "datalab".
	Realm string `json:"realm,omitempty"`
	// URL of an existing Keycloak with its relative path ("https://sso.example.org/auth"), or the issuer of another provider.
	URL string `json:"url,omitempty"`
	// CredentialsSecret is namespace/name of a Secret with username and password, or clientId and clientSecret, of an existing Keycloak's administrator.
	CredentialsSecret string `json:"credentialsSecret,omitempty"`
	// ClientID of Onyxia at the issuer. Default "onyxia".
	ClientID string `json:"clientID,omitempty"`
	// UsernameClaim in the token, a person's alone and not theirs to change: for S3 preferred_username, sub or upn. Default "preferred_username"; another one with auth.mode oidc only.
	UsernameClaim string `json:"usernameClaim,omitempty"`
	// GroupsClaim in the token. Default "groups".
	GroupsClaim string `json:"groupsClaim,omitempty"`
	// Registration lets people sign up by themselves. Default true, as the guide has it.
	Registration *bool `json:"registration,omitempty"`
	// EmailDomains that may sign up; empty for all.
	EmailDomains []string `json:"emailDomains,omitempty"`
	// DisplayName of the realm, above the login form. Left alone when empty.
	DisplayName string `json:"displayName,omitempty"`
	// Login is what the login page offers.
	Login Login `json:"login,omitzero"`
	// Locales of the login pages. Default en, fr.
	Locales []string `json:"locales,omitempty"`
	// DefaultLocale is one of the locales. Default: the first.
	DefaultLocale string `json:"defaultLocale,omitempty"`
	// Session is how long a login lasts ("336h", "90m"). Default 336h, 14 days.
	Session string `json:"session,omitempty"`
	// Lifespans besides the session's.
	Lifespans Lifespans `json:"lifespans,omitzero"`
	// Attributes that the sign-up page asks for besides, by name.
	Attributes map[string]Attribute `json:"attributes,omitempty"`
	// UnmanagedAttributes is who may give users attributes that the realm's user profile does not name: everybody, or administrators, or these to look at only; Keycloak 24 or later. Left alone when empty.
	UnmanagedAttributes string `json:"unmanagedAttributes,omitempty" enum:"ENABLED,ADMIN_EDIT,ADMIN_VIEW"`
	// Terms is a URL per locale of the terms and conditions; from chart 11 on of files of Onyxia's own web application ("%PUBLIC_URL%/custom-resources/FILE"). Empty: no terms.
	Terms map[string]string `json:"terms,omitempty"`
	// Theme is the login theme's jar.
	Theme Theme `json:"theme,omitzero"`
	// SMTP is the mail server; without it the realm's own is left alone.
	SMTP SMTP `json:"smtp,omitzero"`
	// Groups that exist from the start, by path ("a" or "a/b"). The last part names the namespace: lower-case letters, digits and dashes.
	Groups []string `json:"groups,omitempty"`
	// Roles that exist from the start.
	Roles []string `json:"roles,omitempty"`
	// Database of Keycloak.
	Database Database `json:"database,omitzero"`
	// Values are Helm values put on top of ours.
	Values map[string]any `json:"values,omitempty"`
}

// Login is what the login page offers, and what it asks of people.
type Login struct {
	// RememberMe offers to stay logged in when the browser is closed. Default true.
	RememberMe *bool `json:"rememberMe,omitempty"`
	// ForgottenPassword offers a new password by mail. Default: true with auth.smtp, else left alone.
	ForgottenPassword *bool `json:"forgottenPassword,omitempty"`
	// WithEmail lets people log in with their address as well. Default true.
	WithEmail *bool `json:"withEmail,omitempty"`
	// VerifyEmail asks people to confirm their address by a mail. Default: true with auth.smtp, else left alone.
	VerifyEmail *bool `json:"verifyEmail,omitempty"`
	// AcceptTerms asks new users to accept the terms. Default: true with auth.terms, else left alone.
	AcceptTerms *bool `json:"acceptTerms,omitempty"`
	// BruteForceProtection locks an account for a while after failed logins. Default true.
	BruteForceProtection *bool `json:"bruteForceProtection,omitempty"`
}

// Lifespans of what a login gives, as Go durations.
type Lifespans struct {
	// AccessToken of clients that set none themselves. Left alone when empty.
	AccessToken string `json:"accessToken,omitempty"`
	// RememberMe is the session of people who ticked "remember me". Default: auth.session.
	RememberMe string `json:"rememberMe,omitempty"`
}

// Attribute is one more question on the sign-up page.
type Attribute struct {
	// DisplayName is the question. Default: the attribute's name.
	DisplayName string `json:"displayName,omitempty"`
	// Required refuses an empty answer.
	Required bool `json:"required,omitempty"`
}

// Theme is the Onyxia login theme.
type Theme struct {
	// URL of the jar; default: the release of the Onyxia chart. "none" for Keycloak's own theme.
	URL string `json:"url,omitempty"`
	// SHA256 of the jar, in hex.
	SHA256 string `json:"sha256,omitempty"`
	// Login is the name of the realm's login theme. Default "onyxia"; with the url "none" Keycloak's own.
	Login string `json:"login,omitempty"`
	// Email is the name of the theme of mails. Default "onyxia" where the login theme is left out as well.
	Email string `json:"email,omitempty"`
}

// SMTP is a mail server. Its password stands in a Secret.
type SMTP struct {
	// Host of the mail server. Empty: no mail is sent.
	Host string `json:"host,omitempty"`
	// Port, default 587.
	Port int `json:"port,omitempty"`
	// From is the sender's address. Amazon SES has to know it, or its domain, as a verified identity.
	From string `json:"from,omitempty"`
	// FromName is the sender's name as people see it.
	FromName string `json:"fromName,omitempty"`
	// ReplyTo is where answers go.
	ReplyTo string `json:"replyTo,omitempty"`
	// Encryption is "starttls", "tls" or "none". Default "starttls", on the ports 465 and 2465 "tls".
	Encryption string `json:"encryption,omitempty" enum:"starttls,tls,none"`
	// Username at the mail server; empty for none.
	Username string `json:"username,omitempty"`
	// PasswordSecret is namespace/name of a Secret with a key "password".
	PasswordSecret string `json:"passwordSecret,omitempty"`
}

// Database is Keycloak's PostgreSQL.
type Database struct {
	// Mode is "install" for a StatefulSet of ours, "cloudnative-pg" for a Cluster of that operator, "external" for a server of yours. Default install.
	Mode string `json:"mode,omitempty" enum:"install,cloudnative-pg,external"`
	// Host of an external server.
	Host string `json:"host,omitempty"`
	// Port, default 5432.
	Port int `json:"port,omitempty"`
	// Name of the database. Default "keycloak".
	Name string `json:"name,omitempty"`
	// CredentialsSecret in Keycloak's namespace, with username and password.
	CredentialsSecret string `json:"credentialsSecret,omitempty"`
	// Size of the volume (of each volume with cloudnative-pg). Default 8Gi.
	Size string `json:"size,omitempty"`
	// StorageClass of the volume; empty for the cluster's default.
	StorageClass string `json:"storageClass,omitempty"`
	// Instances of cloudnative-pg: one primary, the others stand by. Default 1.
	Instances int `json:"instances,omitempty"`
}

// S3 is the s3 stage.
type S3 struct {
	// Mode is "install" for MinIO by its chart, "external" for a server of yours, "none".
	Mode string `json:"mode,omitempty" enum:"install,external,none"`
	// Kind of an external server.
	Kind string `json:"kind,omitempty" enum:"minio,aws,ceph"`
	// Namespace of MinIO. Default "minio".
	Namespace string `json:"namespace,omitempty"`
	// URL of an external server.
	URL string `json:"url,omitempty"`
	// Region name. Default "us-east-1".
	Region string `json:"region,omitempty"`
	// RoleARN that users take at a server of kind aws or ceph.
	RoleARN string `json:"roleARN,omitempty"`
	// CredentialsSecret is namespace/name of a Secret with rootUser and rootPassword of an existing MinIO.
	CredentialsSecret string `json:"credentialsSecret,omitempty"`
	// Distributed runs four MinIO servers instead of one.
	Distributed bool `json:"distributed,omitempty"`
	// Size of the volume (of each volume when distributed). Default 100Gi.
	Size string `json:"size,omitempty"`
	// StorageClass of the volumes; empty for the cluster's default.
	StorageClass string `json:"storageClass,omitempty"`
	// SessionDuration of the credentials ("24h", "90m"), from 15m to auth.session; 12h at most for aws and ceph. Default 24h (aws, ceph: 12h), or auth.session if that is shorter.
	SessionDuration string `json:"sessionDuration,omitempty"`
	// Quota of each bucket in MinIO ("50Gi"); "0" takes limits away, without the key they are left alone.
	Quota string `json:"quota,omitempty"`
	// Versioning keeps old versions of the objects in MinIO's buckets; false keeps no new ones, without the key it is left alone.
	Versioning *bool `json:"versioning,omitempty"`
	// VersionDays is the number of days after which versions that are not the current one are removed from MinIO's buckets, so that they do not fill a quota; 0 keeps them for good, without the key it is left alone.
	VersionDays *int `json:"versionDays,omitempty"`
	// Values are Helm values put on top of ours.
	Values map[string]any `json:"values,omitempty"`
}

// Vault is the vault stage.
type Vault struct {
	// Mode is "install", "external" for a server of yours, "dev" for one that forgets everything, "none".
	Mode string `json:"mode,omitempty" enum:"install,external,dev,none"`
	// Flavor is "vault" or "openbao".
	Flavor string `json:"flavor,omitempty" enum:"vault,openbao"`
	// Namespace of Vault. Default "vault".
	Namespace string `json:"namespace,omitempty"`
	// URL of an external server.
	URL string `json:"url,omitempty"`
	// AuthPath is where the login for tokens of the issuer is. Default "jwt". On a server of yours whose "jwt" is for another issuer, choose another.
	AuthPath string `json:"authPath,omitempty"`
	// KVEngine is where the secrets engine is, KV version 2. Default "onyxia-kv".
	KVEngine string `json:"kvEngine,omitempty"`
	// CredentialsSecret is namespace/name of a Secret with a key "token" for an external server.
	CredentialsSecret string `json:"credentialsSecret,omitempty"`
	// Replicas of raft, 1 or 3. Default 1.
	Replicas int `json:"replicas,omitempty"`
	// Size of the volume. Default 10Gi.
	Size string `json:"size,omitempty"`
	// StorageClass of the volume; empty for the cluster's default.
	StorageClass string `json:"storageClass,omitempty"`
	// GenerateRoot lets key shares make a root token, and other key shares, which Vault 2 and OpenBao 2.5.3 refuse by default (CVE-2026-5807). Only for as long as it takes to come back into a Vault, or to change its keys. Default false.
	GenerateRoot bool `json:"generateRoot,omitempty"`
	// Values are Helm values put on top of ours.
	Values map[string]any `json:"values,omitempty"`
}

// Chart overrides where a component's chart comes from.
type Chart struct {
	// Repository is an https:// or oci:// address.
	Repository string `json:"repository,omitempty"`
	// Name of the chart in the repository.
	Name string `json:"name,omitempty"`
	// Version of the chart.
	Version string `json:"version,omitempty"`
	// SHA256 of the .tgz in hex; with another version, name or repository the profile's own does not count.
	SHA256 string `json:"sha256,omitempty"`
}
