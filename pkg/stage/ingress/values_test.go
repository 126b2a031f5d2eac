package ingress

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

func environment(t *testing.T, c platform.Config) stage.Env {
	t.Helper()
	c.Domain = "demo.test"
	p, err := platform.Complete(c)
	if err != nil {
		t.Fatal(err)
	}
	chosen, err := profile.Load(p.Profile)
	if err != nil {
		t.Fatal(err)
	}
	for name, image := range p.Images {
		if chosen, err = chosen.WithImage(name, image); err != nil {
			t.Fatal(err)
		}
	}
	return stage.Env{Platform: p, Profile: chosen, Warn: func(string) {}}
}

func equal(t *testing.T, got any, want string) {
	t.Helper()
	var wanted any
	if err := yaml.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(err)
	}
	raw, err := yaml.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := yaml.Unmarshal(raw, &plain); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(wanted, plain); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// What a provider adds: the annotations of ingress-nginx's provider files (controller-v1.15.1), under the keys of either
// chart (traefik 41.3.0, ingress-nginx 4.15.1).
func TestValuesOfProviders(t *testing.T) {
	const aws = `annotations:
  service.beta.kubernetes.io/aws-load-balancer-backend-protocol: tcp
  service.beta.kubernetes.io/aws-load-balancer-cross-zone-load-balancing-enabled: "true"
  service.beta.kubernetes.io/aws-load-balancer-type: nlb
`
	const oracle = `annotations:
  service.beta.kubernetes.io/oci-load-balancer-shape: flexible
  service.beta.kubernetes.io/oci-load-balancer-shape-flex-min: "10"
  service.beta.kubernetes.io/oci-load-balancer-shape-flex-max: "100"
`
	const exoscale = "annotations: {service.beta.kubernetes.io/exoscale-loadbalancer-description: Onyxia ingress}\n"
	const local = "externalTrafficPolicy: Local\n"
	of := func(traefik, nginx string) [2]string { return [2]string{traefik, nginx} }
	service := func(annotations string) [2]string {
		return of("service:\n"+indent(annotations+"spec: {externalTrafficPolicy: Local}\n"), "controller:\n"+indent("service:\n"+indent(annotations+local)))
	}
	want := map[string][2]string{
		"aws": service(aws), "oracle": service(oracle), "exoscale": service(exoscale),
		"gcp": service(""), "azure": service(""), "digitalocean": service(""), "scaleway": service(""),
		"generic":        of("service: {}", "controller: {service: {}}"),
		"docker-desktop": of("service: {}", "controller: {service: {}}"),
		"baremetal":      of("service: {spec: {type: NodePort}}", "controller: {service: {type: NodePort}, publishService: {enabled: false}}"),
		"kind": of(`
service: {spec: {type: NodePort}}
ports: {web: {hostPort: 80}, websecure: {hostPort: 443}}
updateStrategy: {rollingUpdate: {maxUnavailable: 1, maxSurge: 0}}
`, "controller: {service: {type: NodePort}, hostPort: {enabled: true}, publishService: {enabled: false}, terminationGracePeriodSeconds: 0}"),
	}
	for i, c := range []controller{traefik(), ingressNginx()} {
		if len(c.variants) != len(want) {
			t.Errorf("%s has %d variants, %d are expected", c.component, len(c.variants), len(want))
		}
		for provider, values := range want {
			t.Run(c.component+" "+provider, func(t *testing.T) { equal(t, c.variants[provider], values[i]) })
		}
	}
}

func indent(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		out.WriteString("  " + line)
	}
	return out.String()
}

// Every provider that onyxia.yaml takes has values.
func TestEveryProviderHasAVariant(t *testing.T) {
	for provider := range serviceVariants() {
		environment(t, platform.Config{Ingress: platform.Ingress{Provider: provider}})
	}
	c := platform.Config{Domain: "demo.test", Ingress: platform.Ingress{Provider: "moon"}}
	_, err := platform.Complete(c)
	if err == nil {
		t.Fatal("provider moon was taken")
	}
	_, list, _ := strings.Cut(err.Error(), "is not one of ")
	for _, provider := range strings.Split(list, ", ") {
		if _, ok := serviceVariants()[provider]; !ok {
			t.Errorf("provider %s has no variant", provider)
		}
	}
}

func TestValuesOfControllers(t *testing.T) {
	env := environment(t, platform.Config{Ingress: platform.Ingress{Class: "lab"}, TLS: platform.TLS{SecretName: "wildcard"}})
	t.Run("traefik", func(t *testing.T) {
		equal(t, traefikValues(env), `
ingressClass: {enabled: false}
providers:
  kubernetesIngressNGINX: {enabled: true}
  kubernetesCRD: {defaultTLSResourcesNamespace: traefik}
  kubernetesIngress: {enabled: false}
tlsStore: {default: {defaultCertificate: {secretName: wildcard}}}
ports: {websecure: {transport: {respondingTimeouts: {readTimeout: 1h}}}}
global: {checkNewVersion: false, sendAnonymousUsage: false}
`)
	})
	t.Run("ingress-nginx", func(t *testing.T) {
		env := env
		env.Platform.Ingress.Controller = "ingress-nginx"
		equal(t, nginxValues(env), `
controller:
  watchIngressWithoutClass: true
  ingressClassResource: {name: lab, default: true, controllerValue: k8s.io/ingress-nginx}
  ingressClass: lab
  extraArgs: {default-ssl-certificate: ingress-nginx/wildcard}
  updateStrategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 1}}
`)
	})
}

func TestControllerNamed(t *testing.T) {
	for name, class := range map[string]bool{"traefik": true, "ingress-nginx": false} {
		c, err := controllerNamed(name)
		if err != nil || c.component != name || c.ownClass != class {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	if _, err := controllerNamed("haproxy"); err == nil || !strings.Contains(err.Error(), "ingress.mode to existing") {
		t.Errorf("got %v", err)
	}
}
