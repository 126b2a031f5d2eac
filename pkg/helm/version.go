package helm

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// nearestVersions bounds how many versions an error names.
const nearestVersions = 5

func parseVersion(s string) *semver.Version {
	v, err := semver.NewVersion(s)
	if err != nil {
		return nil
	}
	return v
}

// missingVersion says that a version isn't there, and which are near it.
func missingVersion(wanted string, have []string) error {
	near := nearest(wanted, have)
	if len(near) == 0 {
		return errors.New("no version of it is there")
	}
	return fmt.Errorf("there is no version %s; the nearest are %s", wanted, strings.Join(near, ", "))
}

// nearest picks the versions on both sides of the wanted one, ascending.
func nearest(wanted string, have []string) []string {
	target := parseVersion(wanted)
	versions := make([]*semver.Version, 0, len(have))
	for _, s := range have {
		if v := parseVersion(s); v != nil {
			versions = append(versions, v)
		}
	}
	slices.SortFunc(versions, (*semver.Version).Compare)
	position := len(versions)
	if target != nil {
		position, _ = slices.BinarySearchFunc(versions, target, (*semver.Version).Compare)
	}
	from := max(0, min(position-nearestVersions/2, len(versions)-nearestVersions))
	to := min(len(versions), from+nearestVersions)
	names := make([]string, 0, nearestVersions)
	for _, v := range versions[from:to] {
		names = append(names, v.Original())
	}
	return names
}

// sameVersion compares versions as Helm does: a leading v means nothing.
func sameVersion(a, b string) bool {
	return a == b || strings.TrimPrefix(a, "v") == strings.TrimPrefix(b, "v")
}

// downgrade tells whether going from one version to another goes back.
func downgrade(from, to string) bool {
	a, b := parseVersion(from), parseVersion(to)
	return a != nil && b != nil && b.LessThan(a)
}

// majorJump tells whether going from one version to another goes to a new major version.
func majorJump(from, to string) bool {
	a, b := parseVersion(from), parseVersion(to)
	return a != nil && b != nil && b.Major() > a.Major()
}

// fits reports whether a version is one of those that a constraint allows. What is no version, or an empty constraint, fits.
func fits(version, constraint string) bool {
	c, err := semver.NewConstraint(constraint)
	v := parseVersion(version)
	return constraint == "" || err != nil || v == nil || c.Check(v)
}
