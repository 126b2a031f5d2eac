package onyxia

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// upstreamValues are the defaults of a real chart: values.yaml out of NAME-VERSION.tgz in the folder of UPSTREAM_CHARTS.
func upstreamValues(t *testing.T, version string) map[string]any {
	t.Helper()
	folder := os.Getenv("UPSTREAM_CHARTS")
	if folder == "" {
		t.Skip("NOT COMPARED WITH THE REAL CHARTS: UPSTREAM_CHARTS is not set to a folder with onyxia-VERSION.tgz")
	}
	file, err := os.Open(filepath.Join(folder, "onyxia-"+version+".tgz"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	for archive := tar.NewReader(unzipped); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			t.Fatalf("%s holds no onyxia/values.yaml", file.Name())
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Name != "onyxia/values.yaml" {
			continue
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		var values map[string]any
		if err := yaml.Unmarshal(text, &values); err != nil {
			t.Fatal(err)
		}
		return values
	}
}

// No value of ours is one that the real chart has not. Below a null or an empty map the chart takes anything.
func TestRealChartKnowsEachValue(t *testing.T) {
	for _, e := range examples() {
		t.Run(e.name, func(t *testing.T) {
			in := e.in(t)
			in.Platform.App.Values = nil // the admin's own are the admin's business, and Lint's
			isKnown(t, "", upstreamValues(t, in.ChartVersion), render(t, in))
		})
	}
}

func isKnown(t *testing.T, path string, chart, ours map[string]any) {
	t.Helper()
	for name, value := range ours {
		its, ok := chart[name]
		if !ok {
			t.Errorf("the chart has no %s", join(path, name))
			continue
		}
		below, isMap := its.(map[string]any)
		if oursBelow, is := value.(map[string]any); is && isMap && len(below) > 0 {
			isKnown(t, join(path, name), below, oursBelow)
		} else if isMap && !is {
			t.Errorf("%s is a map in the chart and a %T in ours", join(path, name), value)
		}
	}
}

// keys.yaml has what the charts have, no more and no less, for the first two levels.
func TestRealChartHasTheKnownKeys(t *testing.T) {
	for _, version := range []string{"4.1.1", "4.4.3", "11.5.1"} {
		t.Run(version, func(t *testing.T) {
			chart, k := upstreamValues(t, version), knownKeys(t, version)
			sameKeys(t, "", chart, k, "chart", "nameOverride", "fullnameOverride", "global")
			sameKeys(t, "ingress", part(chart, "ingress"), k, "chartIngress")
			sameKeys(t, "web", part(chart, "web"), k, "chartWeb")
			sameKeys(t, "api", part(chart, "api"), k, "chartAPI", "imagePullSecrets")
			if account, ok := chart["serviceAccount"].(map[string]any); ok {
				sameKeys(t, "serviceAccount", account, k, "chartServiceAccount", "existingClusterRole")
			} else {
				sameKeys(t, "api.serviceAccount", part(chart, "api", "serviceAccount"), k, "chartAPIServiceAccount", "existingClusterRole")
			}
		})
	}
}

// sameKeys leaves out those that the chart's templates read without a default in values.yaml.
func sameKeys(t *testing.T, path string, chart map[string]any, k keys, typ string, fromTemplates ...string) {
	t.Helper()
	for name := range chart {
		if _, ok := k.at(typ, name); !ok {
			t.Errorf("keys.yaml has no %s", join(path, name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(k.types[typ])) {
		_, known := k.at(typ, name)
		if _, there := chart[name]; known && !there && !slices.Contains(fromTemplates, name) && !strings.HasPrefix(name, "*") {
			t.Errorf("keys.yaml has %s, and the chart has not", join(path, name))
		}
	}
}
