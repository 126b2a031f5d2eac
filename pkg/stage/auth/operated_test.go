package auth

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/kubetest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// definition is as much of the operator's as its name, scope and status; the operator's own has a schema besides.
const definition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: clusters.postgresql.cnpg.io}
spec:
  group: postgresql.cnpg.io
  scope: Namespaced
  names: {plural: clusters, singular: cluster, kind: Cluster, listKind: ClusterList}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}}
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {type: object, x-kubernetes-preserve-unknown-fields: true}
            status: {type: object, x-kubernetes-preserve-unknown-fields: true}
`

// plant is a datalab's namespace on a real API server, with or without the operator's definition.
type plant struct {
	cluster   *kubetest.Cluster
	client    *kube.Client
	namespace string
	all       dynamic.Interface
}

func newPlant(t *testing.T) plant {
	t.Helper()
	cluster := kubetest.Start(t)
	client, err := kube.Connect(cluster.Flags(t))
	if err != nil {
		t.Fatal(err)
	}
	all, err := dynamic.NewForConfig(cluster.Config)
	if err != nil {
		t.Fatal(err)
	}
	return plant{cluster: cluster, client: client, namespace: cluster.Namespace(t), all: all}
}

// define makes the operator's definition known.
func (p plant) define(t *testing.T) {
	t.Helper()
	definitions := p.all.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	made := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(definition), &made.Object); err != nil {
		t.Fatal(err)
	}
	if _, err := definitions.Create(t.Context(), made, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	wait(t, "the definition is not served", func() bool { return p.served(t) && p.listed(t) })
}

// undefine takes it away: the API server is shared by the package's tests.
func (p plant) undefine(t *testing.T) {
	t.Helper()
	definitions := p.all.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	if err := definitions.Delete(t.Context(), operatorDefinition, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	wait(t, "the definition does not go", func() bool {
		_, err := definitions.Get(t.Context(), operatorDefinition, metav1.GetOptions{})
		return apierrors.IsNotFound(err) && !p.served(t) && !p.listed(t)
	})
}

// served tells whether the API server takes requests for Clusters. It learns of definitions by a watch, a moment later.
func (p plant) served(t *testing.T) bool {
	t.Helper()
	_, err := p.clusters().List(t.Context(), metav1.ListOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	return err == nil
}

// listed tells whether the API server names Clusters among its kinds, which it does another moment later.
func (p plant) listed(t *testing.T) bool {
	t.Helper()
	_, kinds, err := p.cluster.Clientset().Discovery().ServerGroupsAndResources()
	if err != nil {
		t.Log(err) // of a group that is coming or going
	}
	return slices.ContainsFunc(kinds, func(l *metav1.APIResourceList) bool {
		return l.GroupVersion == operatorVersion && len(l.APIResources) > 0
	})
}

func (p plant) clusters() dynamic.ResourceInterface {
	return p.all.Resource(schema.GroupVersionResource{Group: "postgresql.cnpg.io", Version: "v1", Resource: "clusters"}).Namespace(p.namespace)
}

func wait(t *testing.T, otherwise string, until func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !until(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(otherwise)
		}
	}
}

// run makes the steps of a database for a configuration, and those that they need.
func (p plant) run(t *testing.T, db platform.Database) (engine.Run, *[]string) {
	t.Helper()
	env, said := datalab(t, platform.Auth{Namespace: p.namespace, Database: db})
	env.Kube = p.client
	list := []engine.Step{engine.New(stage.NamespaceID(p.namespace), kube.NewNamespace(p.client, p.namespace, kube.Baseline, kube.Baseline))}
	if db.Mode == platform.DatabaseCloudNativePG {
		list = append(list, operatedSteps(env)...)
	} else {
		list = append(list, database(env, "docker.io/postgres:17.6")...)
	}
	return engine.Run{Steps: list}, said
}

func planned(t *testing.T, run engine.Run) engine.Plan {
	t.Helper()
	plan, err := run.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func line(t *testing.T, plan engine.Plan, id engine.ID) engine.Planned {
	t.Helper()
	for _, s := range plan.Steps {
		if s.ID == id {
			return s
		}
	}
	t.Fatalf("%s is not in the plan", id)
	return engine.Planned{}
}

// Without the operator nothing is written and the way out is told; with it there is a Cluster as it wants one, its owner's
// login has the type that it asks for, and the second run writes nothing.
func TestOperated(t *testing.T) {
	p := newPlant(t)
	run, said := p.run(t, platform.Database{Mode: platform.DatabaseCloudNativePG, Size: "3Gi", StorageClass: "fast", Name: "sso", Instances: 2})
	mark := p.cluster.Mark(t)
	plan := planned(t, run)
	if c := line(t, plan, operatedID).Change; c.Action != engine.Blocked || !strings.Contains(c.Why, "does not know the kind Cluster of postgresql.cnpg.io/v1") || !strings.Contains(c.Fix, "install the operator first") {
		t.Errorf("%+v", c)
	}
	if err := run.Apply(t.Context(), plan, engine.Options{}); err == nil || len(mark.Writes(t)) > 0 {
		t.Errorf("%v after %q", err, mark.Writes(t))
	}

	p.define(t)
	defer p.undefine(t)
	stop := p.operator(t)
	plan = planned(t, run)
	if err := run.Apply(t.Context(), plan, engine.Options{Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	stop()
	secret, err := p.cluster.Clientset().CoreV1().Secrets(p.namespace).Get(t.Context(), ownerSecret, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	password := string(secret.Data["password"])
	if secret.Type != corev1.SecretTypeBasicAuth || string(secret.Data["username"]) != "keycloak" || len(password) != kube.PasswordLength {
		t.Errorf("type %s, user %q, %d letters", secret.Type, secret.Data["username"], len(password))
	}
	live, err := p.clusters().Get(t.Context(), databaseName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]any{
		"spec.instances": int64(2), "spec.bootstrap.initdb.database": "sso", "spec.bootstrap.initdb.owner": "keycloak",
		"spec.bootstrap.initdb.secret.name": ownerSecret, "spec.storage.size": "3Gi", "spec.storage.storageClass": "fast",
	} {
		if got, _, _ := unstructured.NestedFieldNoCopy(live.Object, strings.Split(path, ".")...); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	mark = p.cluster.Mark(t)
	plan = planned(t, run)
	if err := run.Apply(t.Context(), plan, engine.Options{}); err != nil || len(mark.Writes(t)) > 0 || len(*said) > 0 {
		t.Errorf("%v; the second run wrote %q and said %q", err, mark.Writes(t), *said)
	}
	if !plan.Settled() {
		t.Errorf("%+v", plan.Steps)
	}

	t.Run("a database of ours is not put in its place", func(t *testing.T) {
		other, _ := p.run(t, platform.Database{})
		c := line(t, planned(t, other), databaseID).Change
		if c.Action != engine.Blocked || !strings.Contains(c.Why, "Cluster "+p.namespace+"/keycloak-db") || !strings.Contains(c.Fix, "cloudnative-pg") {
			t.Errorf("%+v", c)
		}
	})
	t.Run("it is kept", func(t *testing.T) {
		removal, err := run.PlanRemoval(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []engine.ID{operatedID, ownerSecretID} {
			if c := line(t, removal, id).Change; c.Action != engine.Kept {
				t.Errorf("%s: %+v", id, c)
			}
		}
		named, err := run.PlanRemoval(t.Context(), map[engine.ID]bool{operatedID: true})
		if err != nil || line(t, named, operatedID).Change.Action != engine.Delete {
			t.Errorf("%v, %+v", err, line(t, named, operatedID))
		}
	})
}

// operator writes the status of Clusters, as CloudNativePG does, until it is stopped.
func (p plant) operator(t *testing.T) (stop func()) {
	t.Helper()
	ended, quit := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-quit:
				return
			case <-t.Context().Done():
				return
			case <-time.After(50 * time.Millisecond):
			}
			live, err := p.clusters().Get(t.Context(), databaseName, metav1.GetOptions{})
			if err != nil {
				continue
			}
			instances, _, _ := unstructured.NestedInt64(live.Object, "spec", "instances")
			live.Object["status"] = map[string]any{
				"phase": "Cluster in healthy state", "instances": instances, "readyInstances": instances,
				"conditions": []any{map[string]any{"type": "Ready", "status": "True", "reason": "ClusterIsReady"}},
			}
			// Somebody may have written in between; the next round sees it.
			_, _ = p.clusters().UpdateStatus(t.Context(), live, metav1.UpdateOptions{})
		}
	}()
	return func() { close(quit); <-ended }
}

// Users of a Keycloak whose database we installed are not left behind by a new mode; who has the operator is told of it once,
// before the first install, unless the mode was chosen.
func TestModesOfTheDatabase(t *testing.T) {
	p := newPlant(t)
	p.define(t)
	defer p.undefine(t)
	for name, c := range map[string]struct {
		mode string
		told int
	}{"not chosen": {"", 1}, "chosen": {"install", 0}} {
		run, said := p.run(t, platform.Database{Mode: c.mode})
		for range 2 {
			if change := line(t, planned(t, run), databaseID).Change; change.Action != engine.Create {
				t.Errorf("%s: %+v", name, change)
			}
		}
		if len(*said) != c.told || c.told > 0 && !strings.Contains((*said)[0], "CloudNativePG is in this cluster") {
			t.Errorf("%s: said %q", name, *said)
		}
	}
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: databaseName}, Spec: corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
	}}
	if _, err := p.cluster.Clientset().CoreV1().PersistentVolumeClaims(p.namespace).Create(t.Context(), claim, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	run, _ := p.run(t, platform.Database{Mode: platform.DatabaseCloudNativePG})
	if c := line(t, planned(t, run), operatedID).Change; c.Action != engine.Blocked || !strings.Contains(c.Why, "would begin empty") || !strings.Contains(c.Fix, "--delete-data persistentvolumeclaim/keycloak-db") {
		t.Errorf("%+v", c)
	}
}

// Statuses as CloudNativePG 1.2x writes them (api/v1, ClusterStatus).
func TestOperatedHealth(t *testing.T) {
	for name, c := range map[string]struct {
		cluster string
		want    engine.Health
	}{
		"nobody looks at it": {`{spec: {instances: 1}}`, engine.Health{Reason: "its operator has not said anything yet: is it running? (`kubectl get pods -A -l app.kubernetes.io/name=cloudnative-pg`)"}},
		"being made": {`{spec: {instances: 1}, status: {phase: Setting up primary, phaseReason: Creating primary instance keycloak-db-1}}`,
			engine.Health{Reason: "0 of 1 instances are ready; Setting up primary; Creating primary instance keycloak-db-1"}},
		"one of two": {`{spec: {instances: 2}, status: {phase: Creating a new replica, readyInstances: 1, conditions: [{type: Ready, status: "False"}]}}`,
			engine.Health{Reason: "1 of 2 instances are ready; Creating a new replica"}},
		"there": {`{spec: {instances: 1}, status: {phase: Cluster in healthy state, readyInstances: 1, conditions: [{type: ContinuousArchiving, status: "True"}, {type: Ready, status: "True"}]}}`,
			engine.Health{Ready: true}},
		"there, before conditions": {`{spec: {instances: 1}, status: {readyInstances: 1}}`, engine.Health{Ready: true}},
		"beyond help": {`{spec: {instances: 1}, status: {phase: Cluster is unrecoverable and needs manual intervention}}`,
			engine.Health{Reason: "0 of 1 instances are ready; Cluster is unrecoverable and needs manual intervention", Hopeless: true}},
	} {
		live := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(c.cluster), &live.Object); err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"spec", "status"} {
			whole(live.Object[part])
		}
		if got := operatedHealth(live); got != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := operatedHealth(nil); got.Ready || got.Reason == "" {
		t.Errorf("%+v", got)
	}
}

// whole turns the numbers of a YAML document into those of the API.
func whole(part any) {
	m, _ := part.(map[string]any)
	for key, value := range m {
		if n, ok := value.(float64); ok {
			m[key] = int64(n)
		}
	}
}
