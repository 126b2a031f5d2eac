package installation

import (
	"encoding/json"
	"fmt"
	"os"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// layered puts configurations on top of each other: the first one given wins, key by key.
func layered(flags, file, recorded platform.Config) (platform.Config, error) {
	var out platform.Config
	tree := map[string]any{}
	for _, layer := range []platform.Config{recorded, file, flags} {
		raw, err := json.Marshal(layer)
		if err != nil {
			return out, fmt.Errorf("configuration: %w", err)
		}
		var above map[string]any
		if err := json.Unmarshal(raw, &above); err != nil {
			return out, fmt.Errorf("configuration: %w", err)
		}
		overlay(tree, above)
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

// readFile reads onyxia.yaml; "" is the file of that name in the current directory, if there is one.
func readFile(name string) (platform.Config, error) {
	optional := name == ""
	if optional {
		name = "onyxia.yaml"
	}
	raw, err := os.ReadFile(name)
	if optional && os.IsNotExist(err) {
		return platform.Config{}, nil
	}
	if err != nil {
		return platform.Config{}, fmt.Errorf("configuration: %w", err)
	}
	config, err := platform.Parse(raw)
	if err != nil {
		return config, fmt.Errorf("%s: %w", name, err)
	}
	return config, nil
}
