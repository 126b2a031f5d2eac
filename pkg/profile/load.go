package profile

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"sigs.k8s.io/yaml"
)

//go:embed catalogue/*.yaml
var catalogue embed.FS

// Names are the profiles that there are, sorted.
func Names() ([]string, error) {
	files, err := fs.Glob(catalogue, "catalogue/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("the catalogue: %w", err)
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(path.Base(f), ".yaml")
	}
	slices.Sort(files)
	return files, nil
}

// Load reads a profile of the catalogue. A name that it has not is an error that lists those it has.
func Load(name string) (Profile, error) {
	names, err := Names()
	if err != nil {
		return Profile{}, err
	}
	if !slices.Contains(names, name) {
		return Profile{}, fmt.Errorf("no profile %q: there are %s", name, strings.Join(names, " and "))
	}
	text, err := catalogue.ReadFile("catalogue/" + name + ".yaml")
	if err != nil {
		return Profile{}, fmt.Errorf("profile %s: %w", name, err)
	}
	p, err := parse(text)
	if err != nil {
		return Profile{}, fmt.Errorf("profile %s: %w", name, err)
	}
	return p, nil
}

// parse reads a profile strictly: a key that is unknown or stands twice is an error.
func parse(text []byte) (Profile, error) {
	var p Profile
	if err := yaml.UnmarshalStrict(text, &p); err != nil {
		return Profile{}, err
	}
	return p, p.check()
}

func (p Profile) check() error {
	var errs []error
	if _, err := p.Component(p.Ingress); err != nil {
		errs = append(errs, fmt.Errorf("ingress: %w", err))
	}
	for name, c := range p.Components {
		if err := c.check(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	for name, place := range p.ImageNames {
		component, role, _ := strings.Cut(place, "/")
		if _, ok := p.Components[component]; !ok || role == "" {
			errs = append(errs, fmt.Errorf("imageNames: %s: %q is no component and role", name, place))
		}
	}
	return errors.Join(errs...)
}

func (c Component) check() error {
	var errs []error
	if c.Chart == (Chart{}) && len(c.Images) == 0 {
		errs = append(errs, errors.New("neither chart nor image"))
	}
	if c.Chart != (Chart{}) {
		errs = append(errs, c.Chart.check())
	}
	if c.Versions != "" {
		if _, err := semver.NewConstraint(c.Versions); err != nil {
			errs = append(errs, fmt.Errorf("versions %q: %w", c.Versions, err))
		}
	}
	for role, image := range c.Images {
		if _, err := ParseImage(image); err != nil {
			errs = append(errs, fmt.Errorf("image %s: %w", role, err))
		}
	}
	return errors.Join(errs...)
}

func (c Chart) check() error {
	var errs []error
	if !strings.HasPrefix(c.Repository, "https://") && !strings.HasPrefix(c.Repository, "oci://") {
		errs = append(errs, fmt.Errorf("chart repository %q is neither https:// nor oci://", c.Repository))
	}
	if c.Name == "" || c.Version == "" {
		errs = append(errs, errors.New("a chart needs a name and a version"))
	}
	if c.SHA256 != "" && !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(c.SHA256) {
		errs = append(errs, fmt.Errorf("sha256 %q is not 64 hexadecimal digits in lower case", c.SHA256))
	}
	return errors.Join(errs...)
}
