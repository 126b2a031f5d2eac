package ingress

import (
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// ingressNginx is the controller of the guide, retired upstream in March 2026 (chart 4.15.1 is the last).
func ingressNginx() controller {
	return controller{component: "ingress-nginx", service: "ingress-nginx-controller", security: kube.Baseline, values: nginxValues, image: nginxImage, variants: nginxVariants()}
}

func nginxValues(env stage.Env) map[string]any {
	certificate := env.IngressNamespace() + "/" + env.Platform.TLS.SecretName
	return map[string]any{
		"controller": map[string]any{
			// Services launched from the catalogue may carry no class (guide defect D5).
			"watchIngressWithoutClass": true,
			"ingressClassResource":     map[string]any{"name": env.Platform.Ingress.Class, "default": true, "controllerValue": nginxController},
			"ingressClass":             env.Platform.Ingress.Class,
			"extraArgs":                map[string]any{"default-ssl-certificate": certificate},
			"updateStrategy":           map[string]any{"type": "RollingUpdate", "rollingUpdate": map[string]any{"maxUnavailable": 1}},
		},
	}
}

// nginxVariants are the deltas of upstream's provider files (hack/manifest-templates/provider, controller-v1.15.1).
func nginxVariants() map[string]map[string]any {
	variants := map[string]map[string]any{}
	for provider, v := range serviceVariants() {
		service := map[string]any{}
		if v.kind != "" {
			service["type"] = v.kind
		}
		if len(v.annotations) > 0 {
			service["annotations"] = v.annotations
		}
		if v.localPolicy {
			service["externalTrafficPolicy"] = "Local"
		}
		controller := map[string]any{"service": service}
		if v.kind == "NodePort" {
			controller["publishService"] = map[string]any{"enabled": false}
		}
		if v.hostPorts {
			controller["hostPort"] = map[string]any{"enabled": true}
			controller["publishService"] = map[string]any{"enabled": false}
			controller["terminationGracePeriodSeconds"] = 0
		}
		variants[provider] = map[string]any{"controller": controller}
	}
	return variants
}
