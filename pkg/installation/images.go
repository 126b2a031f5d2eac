package installation

import (
	"fmt"
	"maps"
	"slices"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// idleImages are the keys below "images" that name an image which nothing of this datalab runs, each with the reason.
func idleImages(env stage.Env) []string {
	p := env.Platform
	controller := func(name string) string {
		switch {
		case p.Ingress.Existing():
			return "ingress.mode is existing"
		case env.IngressController() != name:
			return "the controller is " + env.IngressController()
		}
		return ""
	}
	vault := func(flavor string) string {
		switch {
		case !p.HasVault() || p.Vault.External():
			return "vault.mode is " + p.Vault.Mode
		case p.Vault.Flavor != flavor:
			return "vault.flavor is " + p.Vault.Flavor
		}
		return ""
	}
	unless := func(wanted bool, why string) string {
		if wanted {
			return ""
		}
		return why
	}
	ownDatabase := p.Auth.InstallsDatabase()
	why := map[string]string{
		"traefik":       controller("traefik"),
		"ingress-nginx": controller("ingress-nginx"),
		"keycloak":      unless(p.Auth.InstallsKeycloak(), "auth.mode is "+p.Auth.Mode),
		"curl":          unless(p.HasAuth(), "auth.mode is "+p.Auth.Mode),
		"postgres":      unless(ownDatabase, "there is no database to install"),
		"minio":         unless(p.HasS3() && p.S3.InstallsMinIO(), "there is no MinIO to install"),
		"vault":         vault("vault"),
		"openbao":       vault("openbao"),
	}
	var idle []string
	for _, name := range slices.Sorted(maps.Keys(p.Images)) {
		if why[name] != "" {
			idle = append(idle, fmt.Sprintf("images.%s has no effect: %s", name, why[name]))
		}
	}
	return idle
}
