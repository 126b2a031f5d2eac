package ingress

// variant is how a provider wants the controller's Service.
type variant struct {
	kind        string // Service type, when not the chart's
	localPolicy bool   // externalTrafficPolicy Local keeps the client's address
	annotations map[string]any
	// hostPorts: no load balancer, the node's own ports 80 and 443.
	hostPorts bool
}

// serviceVariants by provider. The annotations are those of ingress-nginx's provider files at controller-v1.15.1.
func serviceVariants() map[string]variant {
	return map[string]variant{
		"aws": {localPolicy: true, annotations: map[string]any{
			"service.beta.kubernetes.io/aws-load-balancer-backend-protocol":                  "tcp",
			"service.beta.kubernetes.io/aws-load-balancer-type":                              "nlb",
			"service.beta.kubernetes.io/aws-load-balancer-cross-zone-load-balancing-enabled": "true",
		}},
		"gcp":   {localPolicy: true},
		"azure": {localPolicy: true},
		// PROXY protocol, which upstream turns on for these two, breaks calls from pods to the public address (hairpin),
		// and every part of the datalab calls the issuer so: the client's address is kept by the policy instead.
		"digitalocean": {localPolicy: true},
		"scaleway":     {localPolicy: true},
		"exoscale": {localPolicy: true, annotations: map[string]any{
			"service.beta.kubernetes.io/exoscale-loadbalancer-description": "Onyxia ingress",
		}},
		"oracle": {localPolicy: true, annotations: map[string]any{
			"service.beta.kubernetes.io/oci-load-balancer-shape":          "flexible",
			"service.beta.kubernetes.io/oci-load-balancer-shape-flex-min": "10",
			"service.beta.kubernetes.io/oci-load-balancer-shape-flex-max": "100",
		}},
		"baremetal":      {kind: "NodePort"},
		"kind":           {kind: "NodePort", hostPorts: true},
		"docker-desktop": {},
		"generic":        {},
	}
}
