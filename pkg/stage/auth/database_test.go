package auth

import (
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/kubetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

func TestMain(m *testing.M) { os.Exit(kubetest.Run(m)) }

// The objects of the database, as a real API server takes them; the second run writes nothing, and the password stays.
func TestDatabase(t *testing.T) {
	cluster := kubetest.Start(t)
	client, err := kube.Connect(cluster.Flags(t))
	if err != nil {
		t.Fatal(err)
	}
	ns := cluster.Namespace(t)
	cluster.KeepReady(t)
	env, _ := datalab(t, platform.Auth{Namespace: ns, Database: platform.Database{Size: "3Gi", StorageClass: "fast"}})
	env.Kube = client
	run := engine.Run{Steps: append(database(env, "docker.io/postgres:17.6"), engine.New(stage.NamespaceID(ns), kube.NewNamespace(client, ns, kube.Baseline, kube.Baseline)))}
	plan := func() engine.Plan {
		t.Helper()
		plan, err := run.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return plan
	}
	apply := func() {
		t.Helper()
		if err := run.Apply(t.Context(), plan(), engine.Options{Timeout: time.Minute}); err != nil {
			t.Fatal(err)
		}
	}
	secrets := cluster.Clientset().CoreV1().Secrets(ns)
	apply()
	set, err := cluster.Clientset().AppsV1().StatefulSets(ns).Get(t.Context(), databaseName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	secret := func() *corev1.Secret {
		t.Helper()
		s, err := cluster.Clientset().CoreV1().Secrets(ns).Get(t.Context(), databaseName, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	password := string(secret().Data["password"])
	if len(password) < kube.PasswordLength || string(secret().Data["username"]) != "keycloak" {
		t.Errorf("secret: user %q, password of %d letters", secret().Data["username"], len(password))
	}
	if text := set.String(); strings.Contains(text, password) {
		t.Error("the password stands in the StatefulSet")
	}
	pod := set.Spec.Template.Spec
	if *set.Spec.Replicas != 1 || len(set.Spec.VolumeClaimTemplates) != 0 || *pod.AutomountServiceAccountToken {
		t.Errorf("%+v", set.Spec)
	}
	// A fresh volume has a lost+found folder, and initdb wants an empty one.
	container := pod.Containers[0]
	mount := container.VolumeMounts[0].MountPath
	for _, e := range container.Env {
		if e.Name == "PGDATA" && !strings.HasPrefix(e.Value, mount+"/") {
			t.Errorf("PGDATA %s is not below %s", e.Value, mount)
		}
		if strings.Contains(e.Name, "PASSWORD") && (e.Value != "" || e.ValueFrom.SecretKeyRef.Name != databaseName) {
			t.Errorf("%s: %+v", e.Name, e)
		}
	}
	claim, err := cluster.Clientset().CoreV1().PersistentVolumeClaims(ns).Get(t.Context(), databaseName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if size := claim.Spec.Resources.Requests.Storage(); size.String() != "3Gi" || *claim.Spec.StorageClassName != "fast" || len(claim.OwnerReferences) > 0 {
		t.Errorf("volume: %+v", claim.Spec)
	}
	if pod.Volumes[0].PersistentVolumeClaim.ClaimName != claim.Name {
		t.Errorf("the pod mounts %+v", pod.Volumes)
	}
	service, err := cluster.Clientset().CoreV1().Services(ns).Get(t.Context(), databaseName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range service.Spec.Selector {
		if set.Spec.Template.Labels[key] != value {
			t.Errorf("the service selects %v, the pods have %v", service.Spec.Selector, set.Spec.Template.Labels)
		}
	}
	if host := databaseHost(env.Platform); host != service.Name+"."+ns+".svc" {
		t.Errorf("Keycloak looks for the database at %s", host)
	}

	mark := cluster.Mark(t)
	apply()
	if writes := mark.Writes(t); len(writes) > 0 {
		t.Errorf("the second run wrote: %v", writes)
	}
	if string(secret().Data["password"]) != password {
		t.Error("the password was made anew: nobody could open the old volume")
	}

	if err := secrets.Delete(t.Context(), databaseName, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	var change engine.Change
	for _, s := range plan().Steps {
		if s.ID == databaseSecretID {
			change = s.Change
		}
	}
	if change.Action != engine.Blocked || !strings.Contains(change.Why, "is lost") || !strings.Contains(change.Fix, "--delete-data persistentvolumeclaim/keycloak-db") {
		t.Errorf("the password was lost beside its volume: %+v", change)
	}
	removal, err := run.PlanRemoval(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range removal.Steps {
		if s.ID == databaseSecretID && s.Change.Action != engine.Unchanged {
			t.Errorf("a Secret that is not there would be taken away: %+v", s.Change)
		}
	}
}
