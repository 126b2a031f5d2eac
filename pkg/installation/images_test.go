package installation

import (
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// An image that nothing runs is said to be one, rather than taken without a word.
func TestIdleImages(t *testing.T) {
	all := map[string]string{}
	current, err := profile.Load("current")
	if err != nil {
		t.Fatal(err)
	}
	for name := range current.ImageNames {
		all[name] = "registry.example.org/x:1"
	}
	for name, c := range map[string]struct {
		config platform.Config
		want   []string
	}{
		"as it comes": {want: []string{"images.ingress-nginx has no effect: the controller is traefik", "images.openbao has no effect: vault.flavor is vault"}},
		"the others": {
			config: platform.Config{Ingress: platform.Ingress{Controller: "ingress-nginx"}, Vault: platform.Vault{Flavor: "openbao"}},
			want:   []string{"images.traefik has no effect: the controller is ingress-nginx", "images.vault has no effect: vault.flavor is openbao"},
		},
		"another database": {
			config: platform.Config{Auth: platform.Auth{Database: platform.Database{Mode: "cloudnative-pg"}}},
			want: []string{
				"images.ingress-nginx has no effect: the controller is traefik", "images.openbao has no effect: vault.flavor is vault",
				"images.postgres has no effect: there is no database to install",
			},
		},
		"all brought along": {
			config: platform.Config{
				Ingress: platform.Ingress{Mode: "existing"}, Auth: platform.Auth{Mode: "oidc", URL: "https://idp.example.org"},
				S3: platform.S3{Mode: "external", URL: "https://s3.example.org", CredentialsSecret: "onyxia/theirs"}, Vault: platform.Vault{Mode: "external", URL: "https://vault.example.org"},
			},
			want: []string{
				"images.ingress-nginx has no effect: ingress.mode is existing", "images.keycloak has no effect: auth.mode is oidc",
				"images.minio has no effect: there is no MinIO to install", "images.openbao has no effect: vault.mode is external",
				"images.postgres has no effect: there is no database to install", "images.traefik has no effect: ingress.mode is existing",
				"images.vault has no effect: vault.mode is external",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.config.Domain, c.config.Images = "a.org", all
			p, err := platform.Complete(c.config)
			if err != nil {
				t.Fatal(err)
			}
			same(t, idleImages(stage.Env{Platform: p, Profile: current}), c.want)
			p.Images = nil
			same(t, idleImages(stage.Env{Platform: p, Profile: current}), []string(nil))
		})
	}
}
