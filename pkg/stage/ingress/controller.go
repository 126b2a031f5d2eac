package ingress

import (
	"fmt"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// nginxController is the name under which ingress-nginx, and Traefik in its place, claims ingress classes.
const nginxController = "k8s.io/ingress-nginx"

// controller is what differs between the controllers that we install.
type controller struct {
	// component of the profile, and name of the release.
	component string
	// service of type LoadBalancer that the chart makes.
	service string
	// security is the Pod Security level that its pods need.
	security kube.PodSecurity
	// ownClass: the chart does not make the ingress class, so we do.
	ownClass bool
	// values for its chart.
	values func(stage.Env) map[string]any
	// image are the values for the image of the profile or the configuration.
	image func(profile.Image) map[string]any
	// variants are the values that a provider adds.
	variants map[string]map[string]any
}

func controllerNamed(name string) (controller, error) {
	switch name {
	case "traefik":
		return traefik(), nil
	case "ingress-nginx":
		return ingressNginx(), nil
	}
	return controller{}, fmt.Errorf("ingress controller %q cannot be installed: traefik and ingress-nginx can; for another one set ingress.mode to existing", name)
}

// chosenValues are the values for the chart, with what the provider and the admin put on top.
func (c controller) chosenValues(env stage.Env, component profile.Component, provider string) (map[string]any, error) {
	image, named, err := imageNamed(component)
	if err != nil {
		return nil, fmt.Errorf("images.%s: %w", c.component, err)
	}
	layers := []map[string]any{c.values(env), c.variants[provider]}
	if named {
		layers = append(layers, c.image(image))
	}
	return stage.Overlay(append(layers, env.Platform.Ingress.Values)...), nil
}
