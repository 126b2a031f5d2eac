package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
)

// profilesSection lists what each profile installs, for those who have to bring it along.
func profilesSection() (string, error) {
	names, err := profile.Names()
	if err != nil {
		return "", err
	}
	var out strings.Builder
	out.WriteString("\n## What the profiles install\n\nFor a cluster that reaches no repository: a chart goes into the folder of `--chart-dir` as NAME-VERSION.tgz, by\n" +
		"`helm pull NAME --repo REPOSITORY --version VERSION`, and images into your mirror. Images that are not named here are the\n" +
		"chart's own: `helm template` shows them.\n")
	for _, name := range names {
		p, err := profile.Load(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&out, "\n### %s\n\n| component | chart | version | repository | sha256 | images |\n|---|---|---|---|---|---|\n", name)
		for _, component := range slices.Sorted(maps.Keys(p.Components)) {
			c := p.Components[component]
			var images []string
			for _, role := range slices.Sorted(maps.Keys(c.Images)) {
				images = append(images, "`"+c.Images[role]+"`")
			}
			fmt.Fprintf(&out, "| %s | %s | %s | %s | %s | %s |\n", component, c.Chart.Name, c.Chart.Version, c.Chart.Repository, c.Chart.SHA256, strings.Join(images, ", "))
		}
	}
	return out.String(), nil
}
