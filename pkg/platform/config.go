package platform

// Config is onyxia.yaml: what the admin wants. It is input, not state. The zero value of every key means "the default".
// Field comments become the descriptions of the JSON schema.
type Config struct {
	// Domain under which everything is served, for instance "example.org". The only key without a default.
	Domain string `json:"domain,omitempty"`
	// Profile is the catalogue of charts and images: "current" or "guide-2023".
	Profile string `json:"profile,omitempty" enum:"current,guide-2023"`
	// Hosts renames the two labels below the domain.
	Hosts Hosts `json:"hosts,omitzero"`
	// Trust is what parts need to trust each other over HTTPS.
	Trust Trust `json:"trust,omitzero"`
	// Prefixes of what belongs to a user or a group, the same in namespaces, buckets and Vault paths.
	Prefixes Prefixes `json:"prefixes,omitzero"`
	// Ingress controller and DNS records.
	Ingress Ingress `json:"ingress,omitzero"`
	// TLS certificate for the Onyxia host and the wildcard.
	TLS TLS `json:"tls,omitzero"`
	// App is Onyxia itself.
	App App `json:"app,omitzero"`
	// Auth is Keycloak, or another OpenID Connect issuer.
	Auth Auth `json:"auth,omitzero"`
	// S3 is MinIO, or another S3 server.
	S3 S3 `json:"s3,omitzero"`
	// Vault is HashiCorp Vault or OpenBao.
	Vault Vault `json:"vault,omitzero"`
	// Charts overrides the profile's charts, by component: traefik, ingress-nginx, onyxia, keycloakx, minio, vault, openbao.
	Charts map[string]Chart `json:"charts,omitempty"`
	// Images overrides images, each with its tag, by name: traefik, ingress-nginx, onyxia-web, onyxia-api, keycloak, curl, postgres, minio, vault, openbao.
	Images map[string]string `json:"images,omitempty"`
}

// Hosts are the two labels that the guide lets one choose.
type Hosts struct {
	// Onyxia is the label of the home page: onyxia.DOMAIN. Default "onyxia".
	Onyxia string `json:"onyxia,omitempty"`
	// Lab is the label of everything else: *.lab.DOMAIN. Default "lab".
	Lab string `json:"lab,omitempty"`
}

// Trust is for institutions with a certificate authority of their own.
type Trust struct {
	// CABundle is a PEM file, or PEM text, with the private authorities that sign the certificates of this datalab.
	CABundle string `json:"caBundle,omitempty"`
}

// Prefixes must agree across Kubernetes, S3 and Vault; they are derived from here only.
type Prefixes struct {
	// User stands before a user's name. Default "user-".
	User string `json:"user,omitempty"`
	// Group stands before a group's name. Default "projet-".
	Group string `json:"group,omitempty"`
}

// Ingress is the ingress stage.
type Ingress struct {
	// Mode is "install", or "existing" for a controller that is there already.
	Mode string `json:"mode,omitempty" enum:"install,existing"`
	// Controller is "traefik" or "ingress-nginx". Default: the profile's.
	Controller string `json:"controller,omitempty" enum:"traefik,ingress-nginx"`
	// Provider is where the cluster runs; found from the nodes when empty.
	Provider string `json:"provider,omitempty" enum:"aws,gcp,azure,digitalocean,scaleway,exoscale,oracle,baremetal,kind,docker-desktop,generic"`
	// Class is the ingress class that everything uses. Default "nginx".
	Class string `json:"class,omitempty"`
	// Service is namespace/name of an existing controller's load balancer. Default: the only one with ports 80 and 443.
	Service string `json:"service,omitempty"`
	// Namespace of the controller. Default: the controller's name.
	Namespace string `json:"namespace,omitempty"`
	// PrivateDNS says that the hosts below the domain can be looked up in the cluster, and need not be from where the plugin runs.
	PrivateDNS bool `json:"privateDNS,omitempty"`
	// Values are Helm values put on top of ours.
	Values map[string]any `json:"values,omitempty"`
}

// TLS is the tls stage.
type TLS struct {
	// Mode is "acme", or "existing" for a Secret or certificate that somebody else maintains.
	Mode string `json:"mode,omitempty" enum:"acme,existing"`
	// SecretName of the certificate, in the ingress controller's namespace. Default "onyxia-tls".
	SecretName string `json:"secretName,omitempty"`
	// ACME is how the certificate is ordered.
	ACME ACME `json:"acme,omitzero"`
	// DNS is how the DNS-01 challenge is answered.
	DNS DNS `json:"dns,omitzero"`
}

// ACME is the certificate authority (RFC 8555).
type ACME struct {
	// Server is the directory URL, or "letsencrypt" or "letsencrypt-staging". Default "letsencrypt".
	Server string `json:"server,omitempty"`
	// Email for the account; may be empty where the server allows it.
	Email string `json:"email,omitempty"`
	// CABundle is a PEM file, or PEM text, to trust for the connection to the server itself.
	CABundle string `json:"caBundle,omitempty"`
	// EAB binds the account to one that the authority has given you (RFC 8555 section 7.3.4); most authorities ask for none.
	EAB EAB `json:"eab,omitzero"`
	// KeyType of the certificate's key. Default ec256. Changed, the next `tls issue` orders a certificate with such a key.
	KeyType string `json:"keyType,omitempty" enum:"ec256,ec384,rsa2048,rsa4096"`
	// PreferredChain is the common name of the root that the chain should lead to, where the authority offers several.
	PreferredChain string `json:"preferredChain,omitempty"`
}

// EAB is an external account binding. Its HMAC key stands in a Secret or in the environment, never here.
type EAB struct {
	// Kid is the key identifier that the authority gave you.
	Kid string `json:"kid,omitempty"`
	// HMACSecret is namespace/name of a Secret with the HMAC key, as the authority wrote it, under "hmac". Default: the variable ACME_EAB_HMAC of the environment, or the file that ACME_EAB_HMAC_FILE names.
	HMACSecret string `json:"hmacSecret,omitempty"`
}

// DNS is how the DNS-01 challenge is answered (RFC 8555 section 8.4).
type DNS struct {
	// Provider is a lego provider code such as "ovh", "route53" or "rfc2136". Its credentials come from the environment.
	Provider string `json:"provider,omitempty"`
	// Resolvers are asked for the challenge record, as host:port. Default: the system's.
	Resolvers []string `json:"resolvers,omitempty"`
}

// App is the app stage.
type App struct {
	// Namespace of Onyxia. Default "onyxia".
	Namespace string `json:"namespace,omitempty"`
	// Values are Helm values put on top of ours.
	Values map[string]any `json:"values,omitempty"`
	// Quota limits what the namespaces of users and groups may take; needs a login.
	Quota Quotas `json:"quota,omitzero"`
	// Region is put on top of the region we render.
	Region map[string]any `json:"region,omitempty"`
}
