package auth

import (
	"fmt"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// noTheme as auth.theme.url leaves Keycloak's own login pages.
const noTheme = "none"

// chosenTheme is the jar that the configuration names, or the one of the Onyxia release that is installed (the asset
// keycloak-theme.jar is for Keycloak 26 and later since Onyxia 10.1.9).
func chosenTheme(env stage.Env) (theme, error) {
	configured := env.Platform.Auth.Theme
	switch configured.URL {
	case noTheme:
		return theme{}, nil
	case "":
		onyxia, err := env.Profile.Component("onyxia")
		if err != nil {
			return theme{}, err
		}
		if configured.SHA256 == "" {
			env.Warn("the login theme is loaded without a checksum, because nobody vouches for one: give auth.theme.sha256")
		}
		return theme{url: fmt.Sprintf("https://github.com/InseeFrLab/onyxia/releases/download/v%s/keycloak-theme.jar", onyxia.Chart.Version), sha256: configured.SHA256}, nil
	}
	if configured.SHA256 == "" {
		return theme{}, fmt.Errorf("auth.theme.sha256: a theme from an address of yours runs inside the login server, so it needs its checksum")
	}
	return theme{url: configured.URL, sha256: configured.SHA256}, nil
}
