package helm

import (
	"strings"
	"testing"
)

func TestRender(t *testing.T) {
	dir := newChartDir(t)
	files := withHook("post-install")
	files["crds/thing.yaml"] = thingCRD("render")
	files["templates/test.yaml"] = "apiVersion: v1\nkind: Pod\nmetadata: {name: probe, annotations: {helm.sh/hook: test}}\n"
	files["Chart.yaml"] = "apiVersion: v2\nname: demo\nversion: 1.0.0\nkubeVersion: '>=1.30.0-0'\n"
	files["templates/lookup.yaml"] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: lookup}\ndata: {found: {{ lookup \"v1\" \"Namespace\" \"\" \"default\" | len | quote }}}\n"
	chart := dir.add("demo", "1.0.0", files)
	client := &Client{ChartDir: dir.path, KubeVersion: "1.34"}
	s := site{t: t, namespace: "ns"}
	manifest, err := client.Render(t.Context(), s.release(chart, map[string]any{"greeting": "hi"}))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`greeting: "hi"`, `kube: "v1.34.0"`, "things.render.example.org", "demo-migrate", `found: "0"`} {
		if !strings.Contains(manifest, want) {
			t.Errorf("manifest lacks %q:\n%s", want, manifest)
		}
	}
	if strings.Contains(manifest, "probe") {
		t.Error("the chart's test is part of the manifest")
	}
	if strings.Index(manifest, "CustomResourceDefinition") > strings.Index(manifest, "kind: Deployment") {
		t.Error("definitions come after objects")
	}
	if _, err := parse(manifest); err != nil {
		t.Error(err)
	}
	again, err := client.Render(t.Context(), s.release(chart, map[string]any{"greeting": "hi"}))
	if err != nil || again != manifest {
		t.Errorf("rendered twice, it differs: %v", err)
	}

	client.KubeVersion = "1.20"
	_, err = client.Render(t.Context(), s.release(chart, nil))
	wantError(t, err, "incompatible with Kubernetes v1.20.0")
	client.KubeVersion = "new"
	_, err = client.Render(t.Context(), s.release(chart, nil))
	wantError(t, err, `kubernetes version "new"`)
}

func TestRenderForTheServer(t *testing.T) {
	s := newSite(t)
	manifest, err := s.client().Render(t.Context(), s.release(s.charts.add("demo", "1.0.0", demoFiles()), nil))
	if err != nil {
		t.Fatal(err)
	}
	version, err := s.cluster.Clientset().Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(manifest, version.GitVersion) {
		t.Errorf("not rendered for %s:\n%s", version.GitVersion, manifest)
	}
}
