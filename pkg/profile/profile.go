// Package profile is the catalogue of what gets installed: for each component a chart, its images and what is known of
// its end of life. Profiles are data, not code.
package profile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Chart is a Helm chart at one version.
type Chart struct {
	// Repository is an https:// index or an oci:// prefix.
	Repository string `json:"repository"`
	Name       string `json:"name"`
	Version    string `json:"version"`
	// SHA256 of the .tgz in hex. Empty means that nobody vouched for one: loading then says so.
	SHA256 string `json:"sha256,omitempty"`
}

// Component is one part of the datalab.
type Component struct {
	// Chart is empty for a part that we install without one.
	Chart Chart `json:"chart,omitzero"`
	// Versions of the chart that the values we write are for, as a constraint such as ">=41.3.0-0 <42.0.0-0". Empty for any.
	Versions string `json:"versions,omitempty"`
	// Images by role: "server", "init", "client", "web", "api". A role that is not there is left to the chart.
	Images map[string]string `json:"images,omitempty"`
	// Files of the chart's release that are no part of the chart, by name, each with its sha256 in hex: Keycloak's theme. One that
	// is not there has nobody who vouches for it.
	Files map[string]string `json:"files,omitempty"`
	// Mode is how the profile runs MinIO: "standalone" or "distributed", as the guide had it. Empty for other parts.
	Mode string `json:"mode,omitempty"`
	// EndOfLife is one sentence for the admin; empty where the part is maintained.
	EndOfLife string `json:"endOfLife,omitempty"`
}

// Profile is a named set of components: traefik, ingress-nginx, onyxia, keycloakx, postgres, minio, vault, openbao.
type Profile struct {
	Name       string               `json:"name"`
	Components map[string]Component `json:"components"`
	// Ingress is the default controller.
	Ingress string `json:"ingress"`
	// ImageNames says which component and role an image of the configuration stands for: "curl" is "keycloakx/init".
	ImageNames map[string]string `json:"imageNames"`
}

// Component returns one part. A name that the profile has not is an error that lists those it has.
func (p Profile) Component(name string) (Component, error) {
	c, ok := p.Components[name]
	if !ok {
		return Component{}, fmt.Errorf("profile %s has no component %q: it has %s", p.Name, name, known(p.Components))
	}
	return c, nil
}

// WithChart returns the profile with another chart for one component. Fields left empty keep the profile's; the
// profile's digest is kept only while the rest is the profile's too, since it vouches for that one file.
func (p Profile) WithChart(component string, over Chart) (Profile, error) {
	c, err := p.Component(component)
	if err != nil {
		return Profile{}, fmt.Errorf("charts: %w", err)
	}
	if c.Chart == (Chart{}) {
		return Profile{}, fmt.Errorf("charts: %s is installed without a chart: take its key out of \"charts\"", component)
	}
	chart := c.Chart
	if over.Name != "" && over.Name != chart.Name {
		c.Versions = "" // another chart counts its versions in its own way
	}
	replace(&chart.Repository, over.Repository)
	replace(&chart.Name, over.Name)
	replace(&chart.Version, over.Version)
	if chart != c.Chart {
		chart.SHA256, c.Files = "", nil
	}
	replace(&chart.SHA256, over.SHA256)
	if err := chart.check(); err != nil {
		return Profile{}, fmt.Errorf("charts: %s: %w", component, err)
	}
	c.Chart = chart
	return p.with(component, c), nil
}

// WithImage returns the profile with another image, under the name that onyxia.yaml has for it: keycloak, curl, minio.
func (p Profile) WithImage(name, image string) (Profile, error) {
	place, ok := p.ImageNames[name]
	if !ok {
		return Profile{}, fmt.Errorf("images: profile %s has no image %q: it has %s", p.Name, name, known(p.ImageNames))
	}
	if _, err := ParseImage(image); err != nil {
		return Profile{}, fmt.Errorf("images: %s: %w", name, err)
	}
	component, role, _ := strings.Cut(place, "/")
	c, err := p.Component(component)
	if err != nil {
		return Profile{}, fmt.Errorf("images: %s: %w", name, err)
	}
	c.Images = maps.Clone(c.Images)
	if c.Images == nil {
		c.Images = map[string]string{}
	}
	c.Images[role] = image
	return p.with(component, c), nil
}

// with copies the profile, so that the one it came from stays as it was.
func (p Profile) with(name string, c Component) Profile {
	p.Components = maps.Clone(p.Components)
	p.Components[name] = c
	return p
}

func replace(field *string, value string) {
	if value != "" {
		*field = value
	}
}

func known[V any](m map[string]V) string {
	return strings.Join(slices.Sorted(maps.Keys(m)), ", ")
}
