package stage

import (
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// Steps that more than one stage knows by name. No stage imports another; what they share stands here.
const (
	// AddressID is the external address of the ingress controller.
	AddressID engine.ID = "address.ingress/external"
	// CertificateID is the certificate for the Onyxia host and the wildcard.
	CertificateID engine.ID = "certificate.acme/onyxia-tls"
	// AppID is the Helm release of Onyxia.
	AppID engine.ID = "release.helm/onyxia"
	// IssuerID is the issuer, as it answers to the parts that trust it.
	IssuerID engine.ID = "issuer.oidc/onyxia"
	// VaultReadyID is Vault, shown to serve the users of Onyxia's pages. Before that Onyxia must not learn of it: its page
	// stays blank for every user whose login at Vault fails.
	VaultReadyID engine.ID = "proof.vault/onyxia"
	// S3ReadyID is S3, shown to serve the users of Onyxia's pages. Before that Onyxia must not learn of it.
	S3ReadyID engine.ID = "proof.s3/onyxia"
)

// NamespaceID is the step that makes a namespace.
func NamespaceID(name string) engine.ID { return engine.ID("namespace/" + name) }

// Links are what one stage makes known to others.
type Links struct {
	// Address of the ingress controller, from AddressID.
	Address *engine.Output[[]kube.Address]
}

// NewLinks makes the outputs for one run.
func NewLinks() Links {
	return Links{Address: engine.NewOutput[[]kube.Address](AddressID)}
}

// IngressController is the controller that the platform uses: the configured one, or the profile's.
func (e Env) IngressController() string {
	if c := e.Platform.Ingress.Controller; c != "" {
		return c
	}
	return e.Profile.Ingress
}

// IngressNamespace is where the controller and its default certificate live.
func (e Env) IngressNamespace() string {
	if ns := e.Platform.Ingress.Namespace; ns != "" {
		return ns
	}
	return e.IngressController()
}

// Has tells whether a stage is part of this datalab and wanted by its configuration.
func (e Env) Has(name string) bool {
	wanted := map[string]func(platform.Platform) bool{
		"auth": platform.Platform.HasAuth, "s3": platform.Platform.HasS3, "vault": platform.Platform.HasVault,
	}
	if want, optional := wanted[name]; optional && !want(e.Platform) {
		return false
	}
	return e.Present[name]
}
