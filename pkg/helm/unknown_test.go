package helm

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUnknownValues(t *testing.T) {
	dir := newChartDir(t)
	chart := dir.add("demo", "1.0.0", map[string]string{
		"Chart.yaml":                   "apiVersion: v2\nname: demo\nversion: 1.0.0\ndependencies:\n- {name: sub, version: 0.1.0, condition: \"sub.enabled,extras.sub\"}\n- {name: sub, version: 0.1.0, alias: other}\n",
		"values.yaml":                  "replicas: 1\nimage: {repository: x, tag: y}\nannotations: {}\nresources:\nname: text\nenv: []\nspec: {type: LoadBalancer}\n",
		"templates/a.yaml":             "# {{ if .Values.hidden }}{{ .Values.hidden.key }}{{ end }} {{ .Values.hiddenToo }}\n",
		"templates/b.yaml":             "apiVersion: v1\nkind: Service\nmetadata: {name: x}\n{{ with .Values }}spec: {{ toJson .spec }}{{ end }}\n",
		"charts/sub/Chart.yaml":        "apiVersion: v2\nname: sub\nversion: 0.1.0\n",
		"charts/sub/values.yaml":       "port: 80\n",
		"charts/sub/templates/_x.yaml": "",
	})
	type m = map[string]any
	tests := []struct {
		name   string
		values m
		want   []string
	}{
		{"all known", m{"replicas": 2, "image": m{"tag": "z"}}, nil},
		{"unknown leaf", m{"image": m{"tga": "z"}}, []string{"image.tga"}},
		{"unknown branch, once", m{"imgae": m{"tag": "z", "repository": "w"}}, []string{"imgae"}},
		{"open maps", m{"annotations": m{"a.b/c": "d"}, "resources": m{"limits": m{"cpu": 1}}}, nil},
		{"lists are open", m{"env": []any{m{"name": "X"}}}, nil},
		{"a map where the chart has text", m{"name": m{"first": "x"}}, []string{"name"}},
		{"null takes a default away", m{"name": nil}, nil},
		{"only a template knows it", m{"hidden": m{"key": 1}, "hiddenToo": 1}, nil},
		{"a template's name is not a prefix", m{"hid": 1}, []string{"hid"}},
		{"a template reads the map as a whole", m{"spec": m{"externalTrafficPolicy": "Local"}}, nil},
		{"subchart", m{"sub": m{"port": 1, "prot": 2}, "other": m{"port": 3, "x": 1}}, []string{"other.x", "sub.prot"}},
		{"switches of subcharts", m{"sub": m{"enabled": false}, "extras": m{"sub": true}, "tags": m{"x": true}}, nil},
		{"global", m{"global": m{"anything": 1}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client := &Client{ChartDir: dir.path}
			got, err := client.UnknownValues(t.Context(), chart, tt.values)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("UnknownValues (-want +got):\n%s", diff)
			}
		})
	}
}
