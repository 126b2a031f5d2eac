package ingress

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// What images.traefik and images.ingress-nginx become under the keys of either chart (traefik 41.3.0, ingress-nginx 4.15.1),
// and that the admin's own values are still on top.
func TestImages(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0f", 32)
	for name, c := range map[string]struct {
		controller, image string
		own               map[string]any
		want              map[string]any
		fails             string
	}{
		"the profile's":   {controller: "traefik", want: map[string]any{"registry": "docker.io", "repository": "traefik", "tag": "v3.7.15"}},
		"the chart's own": {controller: "ingress-nginx"},
		"traefik":         {controller: "traefik", image: "registry.example.org:8443/mirror/traefik:v3.7.15", want: map[string]any{"registry": "registry.example.org:8443", "repository": "mirror/traefik", "tag": "v3.7.15"}},
		"no registry":     {controller: "traefik", image: "traefik:v3.7.15", want: map[string]any{"registry": "docker.io", "repository": "traefik", "tag": "v3.7.15"}},
		"with a digest":   {controller: "traefik", image: "docker.io/traefik:v3.7.15@" + digest, want: map[string]any{"registry": "docker.io", "repository": "traefik", "tag": "v3.7.15@" + digest}},
		"digest alone":    {controller: "traefik", image: "docker.io/traefik@" + digest, fails: "images.traefik: image"},
		"own on top": {
			controller: "traefik", image: "traefik:v3.7.15", own: map[string]any{"image": map[string]any{"tag": "v3.7.16"}},
			want: map[string]any{"registry": "docker.io", "repository": "traefik", "tag": "v3.7.16"},
		},
		"ingress-nginx": {
			controller: "ingress-nginx", image: "registry.example.org/ingress-nginx/controller:v1.15.1",
			want: map[string]any{"repository": "registry.example.org/ingress-nginx/controller", "tag": "v1.15.1", "digest": "", "digestChroot": ""},
		},
		"ingress-nginx with a digest": {
			controller: "ingress-nginx", image: "a/controller:v1.15.1@" + digest,
			want: map[string]any{"repository": "a/controller", "tag": "v1.15.1", "digest": digest, "digestChroot": ""},
		},
		"ingress-nginx, digest alone": {controller: "ingress-nginx", image: "a/controller@" + digest, fails: "name it as NAME:TAG@DIGEST"},
	} {
		t.Run(name, func(t *testing.T) {
			config := platform.Config{Ingress: platform.Ingress{Controller: c.controller, Values: c.own}}
			if c.image != "" {
				config.Images = map[string]string{c.controller: c.image}
			}
			env := environment(t, config)
			chosen, err := controllerNamed(c.controller)
			if err != nil {
				t.Fatal(err)
			}
			component, err := env.Profile.Component(c.controller)
			if err != nil {
				t.Fatal(err)
			}
			values, err := chosen.chosenValues(env, component, "generic")
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if inner, ok := values["controller"].(map[string]any); ok {
				values = inner
			}
			got, _ := values["image"].(map[string]any)
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}
