package helm

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCRDNames(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"controller-gen's order", "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  annotations:\n    name: no\n    controller-gen.kubebuilder.io/version: v0.19.0\n  name: a.example.org\nspec:\n  names:\n    plural: a\n", []string{"a.example.org"}},
		{"two documents, quoted, CRLF", "metadata:\r\n  name: \"a.example.org\"\r\n---\r\n# two\r\nmetadata:\r\n    name: 'b.example.org'\r\n    labels: {}\r\n", []string{"a.example.org", "b.example.org"}},
		{"metadata further down", "spec:\n  metadata:\n    name: no\nmetadata:\n  name: a.example.org\n", []string{"a.example.org"}},
		{"nothing", "# only a comment\n", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, crdNames([]byte(tt.text))); diff != "" {
				t.Errorf("crdNames (-want +got):\n%s", diff)
			}
		})
	}
}

func TestIsCRDFile(t *testing.T) {
	for name, want := range map[string]bool{"crds/a.yaml": true, "crds/sub/a.YML": true, "crds/a.json": true, "crds/README.md": false, "templates/crds/a.yaml": false, "files/crds/a.yaml": false} {
		if isCRDFile(name) != want {
			t.Errorf("isCRDFile(%q) = %v", name, !want)
		}
	}
}
