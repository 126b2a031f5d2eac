package ingress

import (
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// traefik serves Ingresses written for ingress-nginx, annotations included, because the services of Onyxia's catalogue
// protect themselves with nginx annotations, whitelist-source-range among them (Traefik 3.7.0 and later). Keys of chart 41.3.0.
//
// core.strictTLSOptions stays off: with it, one Ingress that asks for other TLS options under the login page's host would turn
// that host off for everybody (docs of Traefik 3.7). Without it the host falls back to the default options, which are ours.
func traefik() controller {
	return controller{component: "traefik", service: "traefik", security: kube.Baseline, ownClass: true, values: traefikValues, image: traefikImage, variants: traefikVariants()}
}

func traefikValues(env stage.Env) map[string]any {
	return map[string]any{
		"ingressClass": map[string]any{"enabled": false},
		"providers": map[string]any{
			"kubernetesIngressNGINX": map[string]any{"enabled": true},
			// Else a TLSStore or TLSOption named "default" counts from any namespace, a user's too.
			"kubernetesCRD": map[string]any{"defaultTLSResourcesNamespace": env.IngressNamespace()},
			// Every Ingress would be served twice.
			"kubernetesIngress": map[string]any{"enabled": false},
		},
		"tlsStore": map[string]any{
			"default": map[string]any{
				"defaultCertificate": map[string]any{"secretName": env.Platform.TLS.SecretName},
			},
		},
		"ports": map[string]any{
			"websecure": map[string]any{
				// Traefik cuts a request that is not read within 60 s; an upload of a large object takes longer.
				"transport": map[string]any{"respondingTimeouts": map[string]any{"readTimeout": "1h"}},
			},
		},
		"global": map[string]any{"checkNewVersion": false, "sendAnonymousUsage": false},
	}
}

// traefikVariants: the same Service annotations as ingress-nginx's own provider files (controller-v1.15.1), under the
// keys of Traefik's chart.
func traefikVariants() map[string]map[string]any {
	variants := map[string]map[string]any{}
	for provider, v := range serviceVariants() {
		service, spec := map[string]any{}, map[string]any{}
		if v.kind != "" {
			spec["type"] = v.kind
		}
		if v.localPolicy {
			spec["externalTrafficPolicy"] = "Local"
		}
		if len(spec) > 0 {
			service["spec"] = spec
		}
		if len(v.annotations) > 0 {
			service["annotations"] = v.annotations
		}
		values := map[string]any{"service": service}
		if v.hostPorts {
			values["ports"] = map[string]any{
				"web":       map[string]any{"hostPort": 80},
				"websecure": map[string]any{"hostPort": 443},
			}
			// A second pod could not take the ports while the first has them.
			values["updateStrategy"] = map[string]any{"rollingUpdate": map[string]any{"maxUnavailable": 1, "maxSurge": 0}}
		}
		variants[provider] = values
	}
	return variants
}
