package minio

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/testbed"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

func lab() platform.Platform {
	var p platform.Platform
	p.Domain = "demo.test"
	p.Hosts = platform.Hosts{Onyxia: "onyxia", Lab: "lab"}
	p.Ingress.Class = "nginx"
	p.Auth = platform.Auth{Mode: "install", Realm: "datalab"}
	p.S3 = platform.S3{Mode: "install", Size: "100Gi"}
	return p
}

const image = "quay.io/minio/minio:RELEASE.2024-12-18T13-15-44Z"

func render(t *testing.T, in Input) string {
	t.Helper()
	values, err := Values(in)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestStandalone(t *testing.T) {
	got := render(t, Input{Platform: lab(), Image: image})
	for _, want := range []string{
		`"mode":"standalone"`, `"replicas":1`, `"deploymentUpdate":{"type":"Recreate"}`, `"users":[]`, `"existingSecret":"minio-root"`,
		`"image":{"repository":"quay.io/minio/minio","tag":"RELEASE.2024-12-18T13-15-44Z"}`,
		`"persistence":{"annotations":{"helm.sh/resource-policy":"keep"},"enabled":true,"size":"100Gi"}`,
		`"configUrl":"https://auth.lab.demo.test/auth/realms/datalab/.well-known/openid-configuration"`,
		`"existingClientIdKey":"clientId","existingClientSecretKey":"clientSecret","existingClientSecretName":"minio-oidc"`,
		`"redirectUri":"https://minio-console.lab.demo.test/oauth_callback"`, `"claimName":"policy"`,
		`"nginx.ingress.kubernetes.io/proxy-body-size":"0"`, `"hosts":["minio.lab.demo.test"],"ingressClassName":"nginx","tls":[{"hosts":["minio.lab.demo.test"]}]`,
		`"hosts":["minio-console.lab.demo.test"]`, `"MINIO_BROWSER_REDIRECT_URL":"https://minio-console.lab.demo.test"`, `"public":false`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	// policies beside no users make a Job that Kubernetes refuses (chart 5.4.0).
	for _, not := range []string{"policies", "trustedCertsSecret", "existingClaim", "storageClass", "rootPassword", `"clientSecret":"`, "podDisruptionBudget"} {
		if strings.Contains(got, not) {
			t.Errorf("%s in\n%s", not, got)
		}
	}
}

func TestVariants(t *testing.T) {
	p := lab()
	p.CAPEM = []byte("pem")
	p.S3.StorageClass = "fast"
	if got := render(t, Input{Platform: p, Image: image, ExistingClaim: "data"}); !strings.Contains(got, `"trustedCertsSecret":"minio-trust"`) ||
		!strings.Contains(got, `"persistence":{"enabled":true,"existingClaim":"data","size":"100Gi","storageClass":"fast"}`) {
		t.Errorf("private authority, claim, class: %s", got)
	}
	p.S3.Distributed = true
	got := render(t, Input{Platform: p, Image: image})
	for _, want := range []string{`"mode":"distributed"`, `"replicas":4`, `"drivesPerNode":1`, `"pools":1`, `"podDisruptionBudget":{"enabled":true`} {
		if !strings.Contains(got, want) {
			t.Errorf("distributed: no %s in %s", want, got)
		}
	}
	if strings.Contains(got, "resource-policy") || strings.Contains(got, "deploymentUpdate") {
		t.Errorf("distributed: %s", got)
	}
	if _, err := Values(Input{Platform: p, Image: image, ExistingClaim: "data"}); err == nil || !strings.Contains(err.Error(), "cannot use \"data\"") {
		t.Errorf("distributed with one claim: %v", err)
	}
}

func TestSplit(t *testing.T) {
	for image, want := range map[string][2]string{
		"quay.io/minio/minio:RELEASE.1": {"quay.io/minio/minio", "RELEASE.1"},
		"localhost:5000/minio:x":        {"localhost:5000/minio", "x"},
		"minio:x@sha256:00":             {"minio", "x@sha256:00"},
	} {
		repository, tag, err := split(image)
		if err != nil || repository != want[0] || tag != want[1] {
			t.Errorf("split(%q) = %q %q %v", image, repository, tag, err)
		}
	}
	for _, image := range []string{"", "minio", "localhost:5000/minio", "minio:", "a/:x"} {
		if _, _, err := split(image); err == nil || !strings.Contains(err.Error(), "has no tag") {
			t.Errorf("split(%q): %v", image, err)
		}
	}
}

// chart is the folder or archive of the chart to render with, and helm the program that does. The test does not run
// without them, and says so; ONYXIA_TEST_REAL=1 makes that a failure where CHARTS names a folder.
func chart(t *testing.T) (helm, chart string) {
	t.Helper()
	home, err := testbed.Home()
	if err != nil {
		t.Fatal(err)
	}
	helm, folder := filepath.Join(home, "bin", "helm"), os.Getenv("CHARTS")
	found, _ := filepath.Glob(filepath.Join(folder, "minio*"))
	if _, err := os.Stat(helm); err != nil || folder == "" || len(found) == 0 {
		const text = "NOT RUN on the real chart: it needs helm from the testbed (TESTBED_HOME) and the chart in the folder CHARTS"
		if folder != "" && os.Getenv("ONYXIA_TEST_REAL") != "" {
			t.Fatal(text)
		}
		t.Skip(text)
	}
	return helm, found[0]
}

// The real chart takes the values: no Job, no Secret, one server, the claim kept.
func TestRealChart(t *testing.T) {
	helm, folder := chart(t)
	p := lab()
	p.CAPEM = []byte("pem")
	for name, in := range map[string]Input{"standalone": {Platform: p, Image: image}, "distributed": {Platform: distributed(p), Image: image}} {
		file := filepath.Join(t.TempDir(), "values.json")
		if err := os.WriteFile(file, []byte(render(t, in)), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(helm, "template", ReleaseName, folder, "-n", "minio", "-f", file).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		text := string(out)
		for _, not := range []string{"kind: Job", "kind: Secret\n", "console123", "MINIO_PROMETHEUS_AUTH_TYPE"} {
			if strings.Contains(text, not) {
				t.Errorf("%s: %q in the manifest", name, not)
			}
		}
		for _, want := range []string{"name: minio-oidc", "key: clientId", "key: clientSecret", "secretName: minio-trust", "- \"minio.lab.demo.test\"", "proxy-body-size: \"0\"", "image: "} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in the manifest\n%s", name, want, text)
			}
		}
		if kept := strings.Contains(text, "helm.sh/resource-policy: keep"); kept != (name == "standalone") {
			t.Errorf("%s: claim kept: %v", name, kept)
		}
	}
}

func distributed(p platform.Platform) platform.Platform {
	p.S3.Distributed = true
	return p
}
