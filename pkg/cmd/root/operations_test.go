package root

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/kubetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/internal/testbed"
)

// C7: the Secrets of docs/operations.md, backed up and restored by the page's scripts against a real API server: all of them that
// nothing else makes anew, as they were; and no backup where kubectl failed. The whole of it runs on a cluster, as TestBackup of test/e2e.
func TestC7SecretsAreBackedUp(t *testing.T) {
	cluster := kubetest.Start(t)
	cluster.KeepReady(t)
	page := testbed.Scripts(t, "docs/operations.md")
	api := cluster.Clientset().CoreV1()
	spaces := strings.Fields("onyxia traefik keycloak minio vault")
	for _, n := range spaces {
		space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: n, Labels: map[string]string{"app.kubernetes.io/managed-by": "kubectl-onyxia"}}}
		if _, err := api.Namespaces().Create(t.Context(), space, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	record := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kubectl-onyxia"}, Data: map[string]string{"onyxia.yaml": "domain: example.org\n"}}
	if _, err := api.ConfigMaps("onyxia").Create(t.Context(), record, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	kept := map[string]*corev1.Secret{
		"onyxia/onyxia-acme-account": {Data: map[string][]byte{"accounts": []byte("{\"a\": \"b\"}\n")}},
		"onyxia/keycloak-admin":      {Data: map[string][]byte{"username": []byte("jo"), "password": []byte("\x00\xff'\"$ {{")}},
		"traefik/onyxia-tls":         {Type: corev1.SecretTypeTLS, Data: map[string][]byte{"tls.crt": []byte("c"), "tls.key": []byte("k")}},
		"keycloak/keycloak-db-owner": {Type: corev1.SecretTypeBasicAuth, Data: map[string][]byte{"username": []byte("keycloak"), "password": []byte("p")}},
		"keycloak/mail":              {},
		"vault/vault-keys":           {Data: map[string][]byte{"keys.yaml": []byte("keys: [a]\n")}, ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app.kubernetes.io/managed-by": "kubectl-onyxia"}}},
	}
	others := map[string]*corev1.Secret{
		"minio/sh.helm.release.v1.minio.v1": {Type: "helm.sh/release.v1", Data: map[string][]byte{"release": []byte("r")}},
		"minio/of-the-chart":                {ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app.kubernetes.io/managed-by": "Helm"}}},
		"keycloak/keycloak-db-ca":           {ObjectMeta: metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "none", UID: types.UID("u")}}}},
	}
	for _, all := range []map[string]*corev1.Secret{kept, others} {
		for place, s := range all {
			namespace, name, _ := strings.Cut(place, "/")
			s.Name = name
			if _, err := api.Secrets(namespace).Create(t.Context(), s, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	secrets := func() map[string]string {
		list, err := api.Secrets("").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]string{}
		for _, s := range list.Items {
			text, err := json.Marshal([]any{s.Type, s.Data, s.Labels})
			if err != nil {
				t.Fatal(err)
			}
			found[s.Namespace+"/"+s.Name] = string(text)
		}
		return found
	}
	before := secrets()
	for place := range others {
		delete(before, place)
	}

	home, err := testbed.Home()
	if err != nil {
		t.Fatal(err)
	}
	work, bin := t.TempDir(), t.TempDir()
	program := func(name, text string) {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/usr/bin/env bash\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	// In place of age: -r RECIPIENT -o FILE turns the letters, -d -i IDENTITY FILE turns them back.
	program("age", `if [ "$1" = -d ]; then exec tr a-zA-Z n-za-mN-ZA-M < "$4"; fi
tr a-zA-Z n-za-mN-ZA-M > "$4"`)
	program("kubectl", `if [ "$FAIL" ] && [[ " $* " == *" $FAIL "* ]]; then echo "the server is gone" >&2; exit 1; fi
exec `+filepath.Join(home, "bin", "kubectl")+` "$@"`)
	run := func(script, fail string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "bash", append([]string{"-c", script, "script"}, args...)...)
		cmd.Dir = work
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "KUBECONFIG="+cluster.Kubeconfig, "FAIL="+fail)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	backup, restore := page["Backup"][0], page["Restore"][0]
	for _, fail := range []string{"secrets", "-n vault get secrets", "namespace", "configmap", "statefulset"} {
		out, err := run(backup, fail, "failed", "age1")
		if _, statErr := os.Stat(filepath.Join(work, "failed")); err == nil || statErr == nil || !strings.Contains(out, "NOT backed up") {
			t.Errorf("kubectl fails at %q: %v, %v\n%s", fail, err, statErr, out)
		}
		if err := os.RemoveAll(filepath.Join(work, "failed.part")); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := run(backup, "", "backup", "age1"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := run(backup, "", "backup", "age1"); err == nil || !strings.Contains(out, "is there already") {
		t.Errorf("overwritten: %v\n%s", err, out)
	}
	files, err := os.ReadDir(filepath.Join(work, "backup"))
	if err != nil || len(files) != 3 {
		t.Errorf("%v, %v", files, err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f.Name(), info, err)
		}
	}
	if text, err := os.ReadFile(filepath.Join(work, "backup", "onyxia.yaml")); err != nil || string(text) != "domain: example.org\n" {
		t.Errorf("%v, %q", err, text)
	}

	if out, err := run(restore, "", "backup", "none", "identity"); err == nil || !strings.Contains(out, "there is a datalab already") {
		t.Errorf("restored over a datalab: %v\n%s", err, out)
	}
	if out, err := run("kubectl delete namespace "+strings.Join(spaces, " "), ""); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := run(restore, "", "backup", "none", "identity"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if d := cmp.Diff(before, secrets()); d != "" {
		t.Error(d)
	}
	space, err := api.Namespaces().Get(t.Context(), "vault", metav1.GetOptions{})
	if err != nil || space.Labels["app.kubernetes.io/managed-by"] != "kubectl-onyxia" {
		t.Errorf("namespace vault: %v, %v", space.Labels, err)
	}
}
