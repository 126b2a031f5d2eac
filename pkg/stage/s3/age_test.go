package s3

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
)

// What is known about the end of life is said, and of the console where the image is upstream's own, wherever it is kept.
func TestTellAge(t *testing.T) {
	for image, console := range map[string]bool{
		"quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z":               true,
		"localhost:5000/minio/minio:RELEASE.2025-09-07T16-13-09Z":        true,
		"registry.a.org:5000/x/minio/minio:RELEASE.2025-09-07T16-13-09Z": true,
		"quay.io/minio/minio:RELEASE.2024-12-18T13-15-44Z":               false,
		"ghcr.io/fork/minio:RELEASE.2025-09-07T16-13-09Z":                false,
		"no image": false,
	} {
		var said []string
		s := siteOf(t, nil)
		s.env.Warn = func(line string) { said = append(said, line) }
		s.warnEndOfLife(profile.Component{EndOfLife: "it is old", Images: map[string]string{"server": image}})
		text := strings.Join(said, "\n")
		if !strings.Contains(text, "it is old") || strings.Contains(text, "no login by OpenID") != console {
			t.Errorf("%s: %s", image, text)
		}
	}
}

// The volume is as large, and of the class, that the configuration says; without a class it is the cluster's choice.
func TestClaim(t *testing.T) {
	for class, size := range map[string]string{"": "100Gi", "fast": "7Gi"} {
		p, err := platform.Complete(platform.Config{Domain: "demo.test", S3: platform.S3{Size: size, StorageClass: class}})
		if err != nil {
			t.Fatal(err)
		}
		object := claim(p)
		got, _, err := unstructured.NestedString(object.Object, "spec", "resources", "requests", "storage")
		if err != nil || got != size {
			t.Errorf("size %s, %v", got, err)
		}
		got, named, err := unstructured.NestedString(object.Object, "spec", "storageClassName")
		if err != nil || got != class || named != (class != "") {
			t.Errorf("class %q (%v), %v", got, named, err)
		}
		if object.GetName() != "minio-data" || object.GetNamespace() != "minio" || object.GetLabels()[kube.ManagedByLabel] != kube.FieldManager {
			t.Errorf("%v", object.Object["metadata"])
		}
	}
}
