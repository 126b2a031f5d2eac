// Package ingress is the stage that brings traffic into the cluster: the controller, its class, its external address,
// and the DNS records that lead there.
package ingress

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/helm"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// Stage is the ingress stage.
func Stage() stage.Stage {
	return stage.Stage{
		Name:  "ingress",
		Short: "Ingress controller, its external address and the DNS records",
		Verb:  "install",
		Steps: steps,
	}
}

func steps(ctx context.Context, env stage.Env) ([]engine.Step, error) {
	if env.Platform.Ingress.Existing() {
		return existing(ctx, env)
	}
	controller, err := controllerNamed(env.IngressController())
	if err != nil {
		return nil, err
	}
	component, err := env.Profile.Component(controller.component)
	if err != nil {
		return nil, err
	}
	if component.EndOfLife != "" {
		env.Warn(component.EndOfLife)
	}
	provider := env.Platform.Ingress.Provider
	if provider == "" {
		if provider, err = env.Kube.Provider(ctx); err != nil {
			return nil, fmt.Errorf("where the cluster runs cannot be found from its nodes: %w; say so with the key ingress.provider", err)
		}
	}
	values, err := controller.chosenValues(env, component, provider)
	if err != nil {
		return nil, err
	}
	namespace := env.IngressNamespace()
	list := []engine.Step{
		engine.New(stage.NamespaceID(namespace), kube.NewNamespace(env.Kube, namespace, controller.security, controller.security, kube.Releases(controller.component),
			kube.HoldingOf(stage.CertificateID, env.Platform.TLS.SecretName), kube.Holding(env.Platform.NamedSecrets(namespace)...),
			// A hook of ingress-nginx makes it, and nothing removes it.
			kube.Known("ingress-nginx-admission"))),
	}
	if controller.ownClass {
		id := engine.ID("ingressclass/" + env.Platform.Ingress.Class)
		list = append(list, engine.New(id, kube.NewObject(env.Kube, kube.Fixed(ingressClass(env.Platform.Ingress.Class)))))
	}
	release := helm.ReleaseID(controller.component)
	return append(list,
		engine.New(release, env.Helm.Release(helm.Release{
			Name: controller.component, Namespace: namespace, Chart: component.Chart, Versions: component.Versions,
			Values:       func(context.Context) (map[string]any, error) { return values, nil },
			AddressLater: true,
			Others:       helm.Others{Instead: "set ingress.mode to existing"},
		}), stage.NamespaceID(namespace)),
		engine.New(stage.AddressID, &address{kube: env.Kube, namespace: namespace, service: controller.service, release: release, nodes: serviceVariants()[provider].kind == "NodePort", out: env.Links.Address}, release),
	), nil
}

// existing reads the address of a controller that somebody else installed, and writes nothing.
func existing(ctx context.Context, env stage.Env) ([]engine.Step, error) {
	namespace, service, err := existingService(ctx, env)
	if err != nil {
		return nil, err
	}
	return []engine.Step{
		engine.New(stage.AddressID, &address{kube: env.Kube, namespace: namespace, service: service, out: env.Links.Address}),
	}, nil
}

// ingressClass is the class that everything of Onyxia uses. Traefik's chart makes the class "traefik" only, and its
// provider for ingress-nginx serves classes of this controller (traefik chart 41.3.0).
func ingressClass(name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "networking.k8s.io/v1",
		"kind":       "IngressClass",
		"metadata": map[string]any{
			"name":        name,
			"labels":      map[string]any{kube.ManagedByLabel: kube.FieldManager},
			"annotations": map[string]any{"ingressclass.kubernetes.io/is-default-class": "true"},
		},
		"spec": map[string]any{"controller": nginxController},
	}}
}
