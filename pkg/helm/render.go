package helm

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/release"
)

// Render gives the manifest of a release as YAML, without writing to or reading objects of a cluster: definitions first,
// then the chart's objects, then its hooks except tests. It renders for Client.KubeVersion, or for the server's version and kinds.
func (c *Client) Render(ctx context.Context, r Release) (string, error) {
	loaded, _, err := c.load(ctx, r.Chart)
	if err != nil {
		return "", err
	}
	values, err := c.Release(r).values(ctx)
	if err != nil {
		return "", err
	}
	install := action.NewInstall(&action.Configuration{Log: c.debug})
	install.ClientOnly, install.DryRun, install.IncludeCRDs = true, true, true
	install.ReleaseName, install.Namespace = r.Name, r.Namespace
	if err := c.renderFor(install); err != nil {
		return "", err
	}
	rendered, err := install.RunWithContext(ctx, loaded, values)
	if err != nil {
		return "", fmt.Errorf("release %s: chart %s %s: %w", r.Name, r.Chart.Name, r.Chart.Version, err)
	}
	var out strings.Builder
	out.WriteString(strings.TrimPrefix(rendered.Manifest, "\n"))
	for _, hook := range rendered.Hooks {
		if !slices.Contains(hook.Events, release.HookTest) {
			fmt.Fprintf(&out, "---\n# Source: %s\n%s\n", hook.Path, strings.TrimSpace(hook.Manifest))
		}
	}
	return out.String(), nil
}

// renderFor sets the Kubernetes version. Helm's own default in a program that isn't built by Helm is 1.20.
func (c *Client) renderFor(install *action.Install) error {
	if c.KubeVersion != "" {
		version, err := chartutil.ParseKubeVersion(c.KubeVersion)
		if err != nil {
			return fmt.Errorf("kubernetes version %q: %w; write it like 1.34", c.KubeVersion, err)
		}
		// Charts compare with three numbers.
		if v := parseVersion(version.Version); v != nil {
			version.Version = "v" + v.String()
		}
		install.KubeVersion = version
		return nil
	}
	capabilities, err := c.capabilities()
	if err != nil {
		return err
	}
	install.KubeVersion, install.APIVersions = &capabilities.KubeVersion, capabilities.APIVersions
	return nil
}
