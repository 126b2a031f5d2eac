package root

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
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

	shell := newShell(t, cluster)
	work, run := shell.work, shell.run
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

// shell runs the page's scripts as an admin would, in a folder of their own.
type shell struct {
	cluster   *kubetest.Cluster
	t         *testing.T
	work, bin string
}

func newShell(t *testing.T, cluster *kubetest.Cluster) shell {
	t.Helper()
	home, err := testbed.Home()
	if err != nil {
		t.Fatal(err)
	}
	s := shell{cluster: cluster, t: t, work: t.TempDir(), bin: t.TempDir()}
	for name, text := range map[string]string{
		// In place of age: -r RECIPIENT -o FILE makes another text of it, -d -i IDENTITY FILE that of before.
		"age":     `if [ "$1" = -d ]; then exec base64 -d "$4"; else exec base64 > "$4"; fi`,
		"kubectl": `if [ "$FAIL" ] && [[ " $* " == *" $FAIL "* ]]; then echo "the server is gone" >&2; exit 1; fi; exec ` + filepath.Join(home, "bin", "kubectl") + ` "$@"`,
	} {
		if err := os.WriteFile(filepath.Join(s.bin, name), []byte("#!/usr/bin/env bash\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// run runs a script; kubectl fails where its arguments have the words of fail.
func (s shell) run(script, fail string, args ...string) (string, error) {
	cmd := exec.CommandContext(s.t.Context(), "bash", append([]string{"-c", script, "script"}, args...)...)
	cmd.Dir = s.work
	cmd.Env = append(os.Environ(), "PATH="+s.bin+":"+os.Getenv("PATH"), "KUBECONFIG="+s.cluster.Kubeconfig, "FAIL="+fail)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// C7: the volumes, in the same way: what the servers wrote is copied while none of them runs, and they run again afterwards, also when
// the copy failed. A pod of the script's is a program of this machine here.
func TestC7VolumesAreBackedUp(t *testing.T) {
	cluster := kubetest.Start(t)
	cluster.KeepReady(t)
	page := testbed.Scripts(t, "docs/operations.md")
	backup, restore := page["Backup"][1], page["Restore"][0]
	core, apps := cluster.Clientset().CoreV1(), cluster.Clientset().AppsV1()
	claims := map[string]string{"minio": "minio-data", "vault": "data-vault-0"}
	disks := map[string]string{}
	pods := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"a": "b"}}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "none"}}}}
	selector := &metav1.LabelSelector{MatchLabels: pods.Labels}
	create := func(namespace, claim string) {
		if _, err := core.Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		pvc := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: claim, Labels: map[string]string{"app.kubernetes.io/managed-by": "kubectl-onyxia"}}, Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, StorageClassName: new(string),
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("3Gi")}},
		}}
		if _, err := core.PersistentVolumeClaims(namespace).Create(t.Context(), pvc, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		disks[namespace] = t.TempDir()
		if err := os.WriteFile(filepath.Join(disks[namespace], "file"), []byte("of "+namespace), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for namespace, claim := range claims {
		create(namespace, claim)
	}
	one, three := int32(1), int32(3)
	if _, err := apps.Deployments("minio").Create(t.Context(), &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "minio"}, Spec: appsv1.DeploymentSpec{Replicas: &one, Selector: selector, Template: pods}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := apps.StatefulSets("vault").Create(t.Context(), &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: "vault"}, Spec: appsv1.StatefulSetSpec{Replicas: &three, Selector: selector, Template: pods}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	replicas := func() [2]int32 {
		minio, err := apps.Deployments("minio").Get(t.Context(), "minio", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		vault, err := apps.StatefulSets("vault").Get(t.Context(), "vault", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return [2]int32{*minio.Spec.Replicas, *vault.Spec.Replicas}
	}
	var copied [][2]int32
	for namespace, claim := range claims {
		cluster.Execute(t, namespace, "volume-copy", func(command []string, stdin io.Reader, stdout, stderr io.Writer) int {
			pod, err := core.Pods(namespace).Get(t.Context(), "volume-copy", metav1.GetOptions{})
			if err != nil || pod.Spec.Volumes[0].PersistentVolumeClaim.ClaimName != claim || len(command) < 5 || command[2] != "/data" {
				fmt.Fprintf(stderr, "%v: %q", err, command)
				return 1
			}
			if command[3] == "-cf" {
				copied = append(copied, replicas())
			}
			command[2] = disks[namespace]
			cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
			if cmd.Run() != nil {
				return 1
			}
			return 0
		})
	}
	defer runPods(t, cluster, slices.Sorted(maps.Keys(claims)))()

	s := newShell(t, cluster)
	if out, err := s.run(backup, "tar", "failed", "age1"); err == nil || !strings.Contains(out, "NOT backed up") {
		t.Errorf("%v\n%s", err, out)
	}
	if got := replicas(); got != [2]int32{1, 3} {
		t.Errorf("after a failure there are %v servers", got)
	}
	if out, err := s.run(backup, "", "volumes", "age1"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := replicas(); got != [2]int32{1, 3} || len(copied) != 2 || copied[0] != [2]int32{} || copied[1] != [2]int32{} {
		t.Errorf("%v servers ran while it copied, %v afterwards", copied, got)
	}

	if err := os.Mkdir(filepath.Join(s.work, "backup"), 0o700); err != nil {
		t.Fatal(err)
	}
	var spaces strings.Builder
	for _, n := range []string{"onyxia", "traefik", "keycloak", "minio", "vault"} {
		fmt.Fprintf(&spaces, "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: %s}\n", n)
	}
	secrets := base64.StdEncoding.EncodeToString([]byte("apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: onyxia}\n"))
	for name, text := range map[string]string{"namespaces.yaml": spaces.String(), "secrets.age": secrets} {
		if err := os.WriteFile(filepath.Join(s.work, "backup", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := s.run("kubectl delete namespace minio vault", ""); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for namespace := range claims {
		disks[namespace] = t.TempDir()
	}
	if out, err := s.run(restore, "", "backup", "volumes", "identity"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for namespace, claim := range claims {
		if text, err := os.ReadFile(filepath.Join(disks[namespace], "file")); err != nil || string(text) != "of "+namespace {
			t.Errorf("%v, %q", err, text)
		}
		pvc, err := core.PersistentVolumeClaims(namespace).Get(t.Context(), claim, metav1.GetOptions{})
		if err != nil || pvc.Labels["app.kubernetes.io/managed-by"] != "kubectl-onyxia" || pvc.Spec.Resources.Requests.Storage().String() != "3Gi" {
			t.Errorf("%v, %+v", err, pvc)
		}
	}
}

// runPods does what a scheduler and a kubelet do for the pods that scripts make, until it is stopped.
func runPods(t *testing.T, cluster *kubetest.Cluster, namespaces []string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	core := cluster.Clientset().CoreV1()
	now := int64(0)
	go func() {
		defer close(ended)
		for ; ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
			for _, n := range namespaces {
				pod, err := core.Pods(n).Get(ctx, "volume-copy", metav1.GetOptions{})
				switch {
				case err != nil:
				case pod.DeletionTimestamp != nil:
					_ = core.Pods(n).Delete(ctx, pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &now})
				case pod.Spec.NodeName == "":
					nodes, err := core.Nodes().List(ctx, metav1.ListOptions{})
					if err == nil && len(nodes.Items) == 1 {
						_ = core.Pods(n).Bind(ctx, &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: pod.Name}, Target: corev1.ObjectReference{Kind: "Node", Name: nodes.Items[0].Name}}, metav1.CreateOptions{})
					}
				case pod.Status.Phase != corev1.PodRunning:
					pod.Status.Phase = corev1.PodRunning
					pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
					_, _ = core.Pods(n).UpdateStatus(ctx, pod, metav1.UpdateOptions{})
				}
			}
		}
	}()
	return func() { cancel(); <-ended }
}
