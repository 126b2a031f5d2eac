package vault

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/yaml"
	sigs "sigs.k8s.io/yaml"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/testbed"
)

func release(flavor string, change func(*Release)) Release {
	r := Release{Flavor: flavor, Image: "hashicorp/vault:1.14.1", Replicas: 1, Host: "vault.lab.demo.test", IngressClass: "nginx", Size: "10Gi"}
	if flavor == FlavorOpenBao {
		r.Image = "quay.io/openbao/openbao:2.7.1"
	}
	if change != nil {
		change(&r)
	}
	return r
}

func TestReleaseImage(t *testing.T) {
	for _, c := range []struct{ flavor, image, want string }{
		{FlavorVault, "hashicorp/vault:1.14.1", "map[repository:hashicorp/vault tag:1.14.1]"},
		{FlavorVault, "registry.example.org:5000/vault:2.1.2@sha256:ab", "map[repository:registry.example.org:5000/vault tag:2.1.2@sha256:ab]"},
		{FlavorOpenBao, "quay.io/openbao/openbao:2.7.1", "map[registry:quay.io repository:openbao/openbao tag:2.7.1]"},
		{FlavorOpenBao, "openbao/openbao:2.7.1", "map[registry:docker.io repository:openbao/openbao tag:2.7.1]"},
		{FlavorVault, "hashicorp/vault", ""},
		{FlavorVault, "registry.example.org:5000/vault", ""},
	} {
		got, err := Release{Flavor: c.flavor, Image: c.image}.image()
		if (err != nil) != (c.want == "") || err == nil && fmt.Sprint(got) != c.want {
			t.Errorf("%s: %v, %v", c.image, got, err)
		}
	}
	if _, err := release(FlavorVault, func(r *Release) { r.Replicas = 2 }).Values(); err == nil {
		t.Error("two replicas of raft were taken")
	}
}

// realChart finds an upstream chart in the folder CHARTS. Without it the test does not run, and says so; with
// ONYXIA_TEST_REAL=1 it fails if the folder is there and lacks the chart.
func realChart(t *testing.T, name, version string) string {
	t.Helper()
	charts := os.Getenv("CHARTS")
	for _, path := range []string{filepath.Join(charts, name+"-"+version+".tgz"), filepath.Join(charts, name)} {
		if _, err := os.Stat(path); err == nil && charts != "" {
			return path
		}
	}
	if charts != "" && os.Getenv("ONYXIA_TEST_REAL") != "" {
		t.Fatalf("no %s-%s.tgz and no folder %s in CHARTS=%q", name, version, name, charts)
	}
	t.Skipf("NOT RUN on the real chart: no %s-%s.tgz and no folder %s in CHARTS=%q", name, version, name, charts)
	return ""
}

func helm(t *testing.T, args ...string) []byte {
	t.Helper()
	path := testbed.Program(t, "helm")
	cmd := exec.Command(path, args...)
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("helm %s: %v: %s", args[0], err, problem.String())
	}
	return out
}

// Rendered with the real charts: the objects are those that are wanted, and the chart knows every value that we set.
func TestReleaseOnRealCharts(t *testing.T) {
	for name, c := range map[string]struct {
		release    Release
		version    string
		has, lacks []string
		// own are values of an admin, as vault.values in onyxia.yaml puts them on top.
		own string
	}{
		"one": {release(FlavorVault, nil), "0.34.1",
			[]string{"image: hashicorp/vault:1.14.1", "kind: Ingress", "name: vault-active", "ingressClassName: nginx", `host: "vault.lab.demo.test"`, "kind: StatefulSet", "storage: 10Gi",
				"replicas: 1", "VAULT_RAFT_NODE_ID", "/v1/sys/health?standbyok=true", "memory: 256Mi", `storage "raft"`},
			[]string{"kind: MutatingWebhookConfiguration", "kind: ClusterRoleBinding", "kind: PodDisruptionBudget", "podAntiAffinity", "retry_join", "storageClassName", "VAULT_DEV_ROOT_TOKEN_ID", "enable_unauthenticated_access"}, ""},
		"of guide-2023": {release(FlavorVault, nil), "0.25.0",
			[]string{"image: hashicorp/vault:1.14.1", "kind: Ingress", "kind: StatefulSet", "storage: 10Gi", "replicas: 1", `storage "raft"`}, []string{"kind: MutatingWebhookConfiguration", "retry_join"}, ""},
		"of guide-2023 in dev mode": {release(FlavorVault, func(r *Release) { r.Dev = true }), "0.25.0",
			[]string{"vault server -dev", "kind: Ingress"}, []string{"value: root", "storage: 10Gi"}, ""},
		"auto-unseal": {release(FlavorVault, nil), "0.34.1",
			[]string{"name: \"VAULT_SEAL_TYPE\"\n              value: \"awskms\"", "name: AWS_SECRET_ACCESS_KEY", "name: kms"}, nil,
			"server: {extraEnvironmentVars: {VAULT_SEAL_TYPE: awskms}, extraSecretEnvironmentVars: [{envName: AWS_SECRET_ACCESS_KEY, secretName: kms, secretKey: key}]}"},
		"three": {release(FlavorVault, func(r *Release) { r.Replicas, r.StorageClass, r.GenerateRoot = 3, "fast", true }), "0.34.1",
			[]string{"replicas: 3", "podAntiAffinity", "kind: PodDisruptionBudget", "http://vault-2.vault-internal:8200", "storageClassName: fast", `enable_unauthenticated_access = ["generate-root", "rekey"]`}, []string{"kind: ClusterRoleBinding"}, ""},
		"dev": {release(FlavorVault, func(r *Release) { r.Dev = true }), "0.34.1",
			[]string{"vault server -dev", "VAULT_DEV_ROOT_TOKEN_ID", "kind: Ingress"}, []string{"value: root", "storage: 10Gi", "kind: ClusterRoleBinding"}, ""},
		"openbao": {release(FlavorOpenBao, nil), "0.29.2",
			[]string{"quay.io/openbao/openbao:2.7.1", "name: openbao-active", "podManagementPolicy: Parallel", "BAO_RAFT_NODE_ID", `audit "file" "stdout"`, "/v1/sys/health?standbyok=true", "storage: 10Gi"},
			[]string{"kind: MutatingWebhookConfiguration", "kind: ClusterRoleBinding", "kind: PodDisruptionBudget", "disable_unauthed"}, ""},
		"openbao three": {release(FlavorOpenBao, func(r *Release) { r.Replicas, r.GenerateRoot = 3, true }), "0.29.2",
			[]string{"replicas: 3", "http://openbao-2.openbao-internal:8200", "disable_unauthed_generate_root_endpoints = false", "disable_unauthed_rekey_endpoints = false", "127.0.0.1:8210"}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			chart := realChart(t, c.release.Flavor, c.version)
			values, err := c.release.Values()
			if err != nil {
				t.Fatal(err)
			}
			text, err := sigs.Marshal(values)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "values.yaml")
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
			own := filepath.Join(t.TempDir(), "own.yaml")
			if err := os.WriteFile(own, []byte(c.own), 0o600); err != nil {
				t.Fatal(err)
			}
			rendered := string(helm(t, "template", c.release.Name(), chart, "--namespace", "vault", "--values", file, "--values", own, "--kube-version", "1.36.3", "--skip-tests"))
			for _, want := range c.has {
				if !strings.Contains(rendered, want) {
					t.Errorf("lacks %q", want)
				}
			}
			for _, unwanted := range c.lacks {
				if strings.Contains(rendered, unwanted) {
					t.Errorf("has %q", unwanted)
				}
			}
			wellFormed(t, rendered)
			var known map[string]any
			if err := sigs.Unmarshal(helm(t, "show", "values", chart), &known); err != nil {
				t.Fatal(err)
			}
			for _, path := range unknown("", values, known) {
				t.Errorf("the chart does not know the value %s", path)
			}
		})
	}
}

func wellFormed(t *testing.T, rendered string) {
	t.Helper()
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(rendered), 4096)
	objects := 0
	for {
		var object map[string]any
		err := decoder.Decode(&object)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("object %d: %v", objects, err)
		}
		if object != nil {
			objects++
		}
	}
	if objects < 5 {
		t.Errorf("%d objects", objects)
	}
}

// unknown are the values that stand in no values.yaml of the chart. An empty map there takes anything.
func unknown(path string, values, known map[string]any) []string {
	// Commented out in the chart's values, and read by its templates.
	open := map[string]bool{"fullnameOverride": true, "server.readinessProbe.path": true}
	var paths []string
	for key, value := range values {
		at := strings.TrimPrefix(path+"."+key, ".")
		there, found := known[key]
		inner, isMap := value.(map[string]any)
		knownInner, knownIsMap := there.(map[string]any)
		switch {
		case open[at]:
		case !found:
			paths = append(paths, at)
		case isMap && knownIsMap && len(knownInner) > 0:
			paths = append(paths, unknown(at, inner, knownInner)...)
		}
	}
	return paths
}

// The real program takes the configuration that we render, without a field that it does not know.
func TestReleaseConfigOnRealVault(t *testing.T) {
	t.Parallel()
	config := release(FlavorVault, nil).Config()
	// There is no Kubernetes here to register with.
	config = strings.Replace(config, "service_registration \"kubernetes\" {}\n", "", 1)
	s := startVault(t, "")
	s.Kill()
	s.Empty(t)
	text, err := os.ReadFile(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	var address, cluster string
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), "address = "); found {
			address = value
		}
		if value, found := strings.CutPrefix(strings.TrimSpace(line), "cluster_address = "); found {
			cluster = value
		}
	}
	config = strings.NewReplacer(`"[::]:8200"`, address, `"[::]:8201"`, cluster, `"/vault/data"`, fmt.Sprintf("%q", s.Folder)).Replace(config)
	if err := os.WriteFile(s.Config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	// What the chart sets by environment.
	s.Env = append(s.Env, "VAULT_RAFT_NODE_ID=vault-0", "VAULT_API_ADDR="+s.Address, "VAULT_CLUSTER_ADDR=https://"+strings.Trim(cluster, `"`))
	s.Run(t)
	file := KeyFile{Path: filepath.Join(t.TempDir(), "keys.yaml")}
	in := initOf(s, file)
	in.Spool = s.spool(t)
	if _, err := in.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.client().Unseal(t.Context(), SharesOf(readKeys(t, file)), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.client().waitActive(t.Context(), 50*time.Millisecond, nil); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(s.Log(), "unknown or unsupported field") {
		t.Errorf("Vault does not know a field:\n%s", s.Log())
	}
}
