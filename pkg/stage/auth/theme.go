package auth

import (
	"cmp"
	"fmt"

	"github.com/Masterminds/semver/v3"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// chosenTheme is the jar that the configuration names, or the one of the Onyxia release that is installed.
func chosenTheme(env stage.Env, server keycloak.Version) (theme, error) {
	configured := env.Platform.Auth.Theme
	switch configured.URL {
	case platform.NoTheme:
		return theme{}, nil
	case "":
		onyxia, err := env.Profile.Component("onyxia")
		if err != nil {
			return theme{}, err
		}
		file := asset(onyxia.Chart.Version, server)
		sum := cmp.Or(configured.SHA256, onyxia.Files[file])
		if sum == "" {
			env.Warn(fmt.Sprintf("the login theme is loaded without a checksum, at each start of Keycloak's pod, because nobody vouches for one: compare the sum in "+
				"`kubectl -n %s logs keycloak-0 -c onyxia-theme` with that of the release page, and give it as auth.theme.sha256", env.Platform.Auth.Namespace))
		}
		return theme{url: fmt.Sprintf("https://github.com/InseeFrLab/onyxia/releases/download/v%s/%s", onyxia.Chart.Version, file), sha256: sum}, nil
	}
	return theme{url: configured.URL, sha256: configured.SHA256}, nil
}

// asset is the jar of a release that fits a server. Since Onyxia 10.1.9 there are two: one for Keycloak 22 to 25, and one for
// all others (web/vite.config.ts); before that one served all.
func asset(release string, server keycloak.Version) string {
	version, err := semver.NewVersion(release)
	if err == nil && !version.LessThan(semver.New(10, 1, 9, "", "")) && server.Major >= 22 && server.Major <= 25 {
		return "keycloak-theme-for-kc-22-to-25.jar"
	}
	return "keycloak-theme.jar"
}
