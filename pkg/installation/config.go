package installation

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// written is a configuration as somebody wrote it, key by key: a key that is there with the value false, "" or null is
// not one that was left out.
type written map[string]any

// keysOf are the keys of a configuration that have a value.
func keysOf(c platform.Config) (written, error) {
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	keys := written{}
	if err := json.Unmarshal(raw, &keys); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return keys, nil
}

// layered puts configurations on top of each other: the first one given wins, key by key. A key that the file sets to
// nothing is back at its default, whatever the record has.
func layered(flags platform.Config, file written, recorded platform.Config) (platform.Config, error) {
	var out platform.Config
	last, err := keysOf(recorded)
	if err != nil {
		return out, err
	}
	given, err := keysOf(flags)
	if err != nil {
		return out, err
	}
	tree := map[string]any{}
	for _, layer := range []written{last, file, given} {
		overlay(tree, layer)
	}
	raw, err := json.Marshal(tree)
	if err != nil {
		return out, fmt.Errorf("configuration: %w", err)
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return out, fmt.Errorf("configuration: %w", err)
	}
	return out, nil
}

func overlay(below, above map[string]any) {
	for key, value := range above {
		a, isMap := value.(map[string]any)
		b, wasMap := below[key].(map[string]any)
		if isMap && wasMap {
			overlay(b, a)
		} else {
			below[key] = value
		}
	}
}

// recorded is the form of a configuration that another person on another machine can use: files become their content.
func recorded(p platform.Platform, c platform.Config) (string, error) {
	if len(p.CAPEM) > 0 {
		c.Trust.CABundle = string(p.CAPEM)
	}
	if len(p.ACMECAPEM) > 0 {
		c.TLS.ACME.CABundle = string(p.ACMECAPEM)
	}
	raw, err := yaml.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("configuration: %w", err)
	}
	return string(raw), nil
}

// DefaultFile is read where nobody names another, if it is there.
const DefaultFile = "onyxia.yaml"

// readFile reads onyxia.yaml; "" is the file of that name in the current directory, if there is one.
func (o Options) readFile() (written, platform.Config, error) {
	name, read := cmp.Or(o.File, DefaultFile), o.Read
	if read == nil {
		read = os.ReadFile
	}
	raw, err := read(name)
	if o.File == "" && os.IsNotExist(err) {
		return nil, platform.Config{}, nil
	}
	if os.IsNotExist(err) {
		return nil, platform.Config{}, fmt.Errorf("configuration: %w: name another with -f, or write it; the line `domain: example.org` is enough", err)
	}
	if err != nil {
		return nil, platform.Config{}, fmt.Errorf("configuration: %w", err)
	}
	config, err := platform.Parse(raw)
	var keys written
	if e := yaml.Unmarshal(raw, &keys); e != nil {
		return nil, config, InFile(name, errors.Join(err, e))
	}
	if keys == nil {
		keys = written{}
	}
	return keys, config, InFile(name, err)
}

// fileRead is the name of the file that was read; empty for none.
func fileRead(name string, keys written) string {
	switch {
	case name == "" && keys == nil:
		return ""
	case name == "":
		return DefaultFile
	}
	return name
}

// InFile names the file in each of the errors that were joined; nil stays nil.
func InFile(name string, err error) error {
	var errs []error
	for _, one := range kube.Parts(err) {
		errs = append(errs, fmt.Errorf("%s: %w", name, one))
	}
	return errors.Join(errs...)
}
