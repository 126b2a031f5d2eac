package onyxia

// regionID is sent along by browsers that have been here before: it stays the same whatever is added to the region.
const (
	regionID   = "datalab"
	regionName = "Datalab"
)

// services are the region's, where both generations agree. What the 2023 guide has beside it is left out: monitoring
// that is "todo" (D15), a cloudshell from a catalogue that the API no longer has (D16), auth, which was never a key (D17).
type services struct {
	SingleNamespace      bool   `json:"singleNamespace"`
	UserNamespace        bool   `json:"userNamespace"`
	NamespacePrefix      string `json:"namespacePrefix"`
	GroupNamespacePrefix string `json:"groupNamespacePrefix"`
	// AuthenticationMode is how the API shows itself to Kubernetes.
	AuthenticationMode string `json:"authenticationMode"`
	Expose             expose `json:"expose"`
	AllowedURIPattern  string `json:"allowedURIPattern"`
}

// expose names the class: without it services get an Ingress that no controller takes up (P16).
type expose struct {
	Domain           string `json:"domain"`
	IngressClassName string `json:"ingressClassName"`
	Ingress          bool   `json:"ingress"`
	Route            bool   `json:"route"`
}

func newServices(in Input, authenticationMode string) services {
	p := in.Platform
	return services{
		SingleNamespace:      !in.Auth,
		UserNamespace:        true,
		NamespacePrefix:      p.Prefixes.User,
		GroupNamespacePrefix: p.Prefixes.Group,
		AuthenticationMode:   authenticationMode,
		Expose:               expose{Domain: p.LabDomain(), IngressClassName: p.Ingress.Class, Ingress: true},
		AllowedURIPattern:    "^https://",
	}
}
