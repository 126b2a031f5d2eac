package vault

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/stagetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// The pod of a sealed server is never ready, and the release does not wait for that. An open one has to be ready.
func TestReleaseOfSealedServer(t *testing.T) {
	l := newLab(t, func(c *platform.Config) {
		c.Vault.Values = map[string]any{"server": map[string]any{"logLevel": "debug"}}
	})
	stagetest.UseChart(t, &l.env, "vault")
	l.runServer(t)
	s, err := newSite(t.Context(), l.env, Options{})
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.server()
	if err != nil {
		t.Fatal(err)
	}
	run := engine.Run{Steps: stagetest.Complete(list)}
	// Nobody makes the pod ready, so that a run that waited for it would end in an error.
	done, err := apply(t, run)
	if err != nil || done["release.helm/vault"] != engine.Create {
		t.Fatalf("%v, %v", done, err)
	}
	settled := func() bool {
		t.Helper()
		plan, err := run.Plan(t.Context())
		if err != nil || plan.Err() != nil || plan.Writes() {
			t.Fatalf("%+v, %v", plan, err)
		}
		return plan.Settled()
	}
	if !settled() {
		t.Error("waits for a sealed server")
	}
	file := filepath.Join(t.TempDir(), "keys.yaml")
	if _, err := apply(t, l.unsealing(t, Options{Keys: making(Keys{File: file})})); err != nil {
		t.Fatal(err)
	}
	if settled() {
		t.Error("does not wait for an open server that is not ready")
	}
	l.cluster.MakeReady(t, "StatefulSet", l.namespace(), "vault")
	if !settled() {
		t.Error("waits for a server that is ready")
	}
}

// C6: the namespace goes with the stage only when nothing in it is worth keeping: volumes, the keys, and what people put there,
// such as credentials without which a volume with auto-unseal cannot be opened.
func TestNamespaceThatHoldsSomething(t *testing.T) {
	seal := map[string]any{"server": map[string]any{
		"extraSecretEnvironmentVars": []any{map[string]any{"envName": "AWS_SECRET_ACCESS_KEY", "secretName": "kms", "secretKey": "key"}},
		"extraVolumes":               []any{map[string]any{"type": "secret", "name": "hsm"}, map[string]any{"type": "configMap", "name": "none"}},
		"extraContainers":            []any{map[string]any{"env": []any{map[string]any{"valueFrom": map[string]any{"secretKeyRef": map[string]any{"name": "sidecar", "key": "k"}}}}}},
	}}
	secret := func(name string) func(*testing.T, *lab) {
		return func(t *testing.T, l *lab) {
			object := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}}
			if _, err := l.cluster.Clientset().CoreV1().Secrets(l.namespace()).Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		fill func(*testing.T, *lab)
		want engine.Action
		why  string
	}{
		"empty":                       {func(*testing.T, *lab) {}, engine.Delete, ""},
		"a Secret that nobody names":  {secret("theirs"), engine.Kept, "secret/theirs"},
		"a volume":                    {func(t *testing.T, l *lab) { l.makeVolume(t) }, engine.Kept, "persistentvolumeclaim/data-vault-0"},
		"the keys":                    {secret(KeysSecret), engine.Kept, "secret/vault-keys"},
		"credentials for auto-unseal": {secret("kms"), engine.Kept, "secret/kms"},
		"a Secret in a volume":        {secret("hsm"), engine.Kept, "secret/hsm"},
		"a Secret by reference":       {secret("sidecar"), engine.Kept, "secret/sidecar"},
		"the token":                   {secret("token"), engine.Kept, "secret/token"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, func(c *platform.Config) {
				c.Vault.Namespace += "-own"
				c.Vault.Values, c.Vault.CredentialsSecret = seal, c.Vault.Namespace+"/token"
			})
			list, err := l.site(t).server()
			if err != nil {
				t.Fatal(err)
			}
			run := engine.Run{Steps: list[:1]}
			if _, err := apply(t, run); err != nil {
				t.Fatal(err)
			}
			c.fill(t, l)
			plan, err := run.PlanRemoval(t.Context(), nil)
			if err != nil || len(plan.Steps) != 1 {
				t.Fatalf("%+v, %v", plan, err)
			}
			if got := plan.Steps[0].Change; got.Action != c.want || !strings.Contains(got.Why, c.why) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// C1: a Vault of another party becomes one of the datalab only if it keeps its data as that does.
func TestStorageOfAnotherParty(t *testing.T) {
	for name, c := range map[string]struct {
		config string
		says   string
	}{
		"raft":            {"ui = true\nstorage \"raft\" {\n  path = \"/vault/data\"\n}\nservice_registration \"kubernetes\" {}\n", ""},
		"raft, JSON":      {`{"storage": {"raft": {"path": "/vault/data"}}}`, ""},
		"file":            {"listener \"tcp\" {}\nstorage \"file\" {\n  path = \"/vault/data\"\n}\n", "storage file"},
		"file, JSON":      {"{\n  \"storage\": {\n    \"file\": {}}}", "storage file"},
		"consul, old":     {"backend \"consul\" {}\n", "storage consul"},
		"in a Secret":     {"ui = true\n", "cannot be told"},
		"named in a word": {"# storage raft is not used\nstorage \"file\" {}\n", "storage file"},
	} {
		u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "vault-config"},
			"data": map[string]any{"extraconfig-from-values.hcl": c.config}}}
		why := otherStorage([]*unstructured.Unstructured{u})
		if (why == "") != (c.says == "") || !strings.Contains(why, c.says) {
			t.Errorf("%s: %q", name, why)
		}
	}
}

// The other program never begins empty beside the data of the one that was run here.
func TestOtherFlavor(t *testing.T) {
	for name, c := range map[string]struct {
		volumes []string
		flavor  string
		mode    string
		want    engine.Action
	}{
		"a bare cluster":             {nil, "openbao", "", engine.Unchanged},
		"the same":                   {[]string{"vault-0"}, "vault", "", engine.Unchanged},
		"OpenBao after Vault":        {[]string{"vault-0"}, "openbao", "", engine.Blocked},
		"Vault after OpenBao":        {[]string{"openbao-0"}, "vault", "", engine.Blocked},
		"both were there":            {[]string{"vault-0", "openbao-0"}, "openbao", "", engine.Unchanged},
		"dev mode, which keeps none": {[]string{"vault-0"}, "openbao", "dev", engine.Unchanged},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, func(p *platform.Config) { p.Vault.Flavor, p.Vault.Mode = c.flavor, c.mode })
			for _, server := range c.volumes {
				l.makeVolumeOf(t, server)
			}
			list, err := l.site(t).server()
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range list {
				if s.ID == l.site(t).releaseID() && !slices.Contains(s.Needs, flavorID) {
					t.Error("the release does not wait for it")
				}
			}
			f := l.site(t).flavored()
			alone, err := f.Observe(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := f.Plan(alone)
			if got.Action != c.want {
				t.Errorf("%+v", got)
			}
			if c.want == engine.Blocked && (!strings.Contains(got.Why, "persistentvolumeclaim/data-"+c.volumes[0]) || !strings.Contains(got.Fix, "vault.flavor")) {
				t.Errorf("%+v", got)
			}
		})
	}
}
