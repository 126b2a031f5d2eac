package helm

import (
	"fmt"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage/driver"
)

// records keeps release records without the chart's own files: definitions, change log, documentation. Nothing reads them
// back: templates see the files of the archive, and neither upgrade, rollback nor uninstall renders an old chart. With
// them a record of Traefik weighs half a megabyte, half of what a Secret may (525 kB, chart 41.3.0), and reading it is
// most of the work of finding that there is nothing to do. Of the definitions in crds/ the names are kept.
type records struct{ *driver.Secrets }

func (r records) Create(key string, rel *release.Release) error {
	return r.Secrets.Create(key, slim(rel))
}

func (r records) Update(key string, rel *release.Release) error {
	return r.Secrets.Update(key, slim(rel))
}

// slim copies a release without its chart's files but the names of its definitions.
func slim(rel *release.Release) *release.Release {
	if rel.Chart == nil {
		return rel
	}
	light, lightChart := *rel, *rel.Chart
	light.Chart, lightChart.Files = &lightChart, nil
	for _, f := range rel.Chart.Files {
		if isCRDFile(f.Name) {
			lightChart.Files = append(lightChart.Files, &chart.File{Name: f.Name, Data: crdStubs(crdNames(f.Data))})
		}
	}
	return &light
}

// crdStubs writes what crdNames reads.
func crdStubs(names []string) []byte {
	var out strings.Builder
	for _, name := range names {
		fmt.Fprintf(&out, "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: %s\n", name)
	}
	return []byte(out.String())
}
