package onyxia

import (
	"fmt"

	"github.com/Masterminds/semver/v3"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// Schema is a generation of the chart's values that we can render.
type Schema int

const (
	// Schema4 is that of charts 4.1 to 4.4 (API v0.30 and v0.31, web 2.29 to 2.31): Keycloak by name, S3 typed by the API.
	Schema4 Schema = 4
	// Schema11 is that of charts from 11.0 on (API v4.12, web 5): any OpenID Connect issuer, S3 by roles and bookmarks.
	Schema11 Schema = 11
)

// Generation tells the schema of a chart version. An empty version is an error as well: whoever leaves it out gets
// another schema at the next upgrade (D1).
func Generation(chartVersion string) (Schema, error) {
	v, err := parseVersion(chartVersion)
	switch {
	case err != nil:
		return 0, err
	case v.Major() >= 11:
		return Schema11, nil
	case v.Major() == 4 && v.Minor() >= 1:
		return Schema4, nil
	case v.Major() == 4:
		return 0, fmt.Errorf("onyxia chart %s was withdrawn from its repository: take 4.1.1, which has the same values", chartVersion)
	default:
		return 0, fmt.Errorf("onyxia chart %s: values are rendered for 4.1 to 4.4 and for 11.0 and later only: choose one of these by charts.onyxia.version", chartVersion)
	}
}

func parseVersion(chartVersion string) (*semver.Version, error) {
	if chartVersion == "" {
		return nil, fmt.Errorf("no version of the onyxia chart: every install and upgrade has to name the same one")
	}
	v, err := semver.NewVersion(chartVersion)
	if err != nil {
		return nil, fmt.Errorf("onyxia chart version %q: %w", chartVersion, err)
	}
	return v, nil
}

// VaultFolders are what stands before a user's and a group's name below the mount of the secrets engine. They are the
// API's choice (vaultTopDir), so the policy must follow: before chart 8.12.0 a user's folder has no prefix.
func (s Schema) VaultFolders(p platform.Platform) (user, group string) {
	if s == Schema4 {
		return "", p.Prefixes.Group
	}
	return p.Prefixes.User, p.Prefixes.Group
}
