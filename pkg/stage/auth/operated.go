package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// The kind that CloudNativePG brings (API postgresql.cnpg.io/v1, the same since version 1.0).
const (
	operatorVersion    = "postgresql.cnpg.io/v1"
	operatorDefinition = "clusters.postgresql.cnpg.io"
)

// operatedSteps make a Cluster for the operator CloudNativePG. It makes pods, volumes and Services out of it; the login of
// the database's owner is ours, so that its name is known before there is a server.
func operatedSteps(env stage.Env) []engine.Step {
	namespace := env.Platform.Auth.Namespace
	ns := stage.NamespaceID(namespace)
	return []engine.Step{
		engine.New(ownerSecretID, newOwnerLogin(env.Kube, namespace), ns).HoldingData("the password of Keycloak's database"),
		engine.New(operatedID, &operated{Object: kube.NewObject(env.Kube, kube.Fixed(databaseCluster(env))), env: env}, ns, ownerSecretID).
			HoldingData("all users, passwords and clients of Keycloak"),
	}
}

// databaseCluster leaves image and parameters to the operator, whose version decides which of them there are.
func databaseCluster(env stage.Env) *unstructured.Unstructured {
	db := env.Platform.Auth.Database
	storage := map[string]any{"size": db.Size}
	if db.StorageClass != "" {
		storage["storageClass"] = db.StorageClass
	}
	return object(operatorVersion, "Cluster", env.Platform.Auth.Namespace, map[string]any{
		"instances": int64(db.Instances),
		"bootstrap": map[string]any{"initdb": map[string]any{
			"database": db.Name, "owner": databaseOwner, "secret": map[string]any{"name": ownerSecret},
		}},
		"storage":   storage,
		"resources": map[string]any{"requests": map[string]any{"cpu": "100m", "memory": "256Mi"}},
	})
}

// operated is the Cluster.
type operated struct {
	*kube.Object
	env stage.Env
}

var (
	_ engine.Resource[operatedSeen] = (*operated)(nil)
	_ engine.Waiter                 = (*operated)(nil)
	_ engine.Presence               = (*operated)(nil)
)

// operatedSeen is the Cluster, or why there can be none.
type operatedSeen struct {
	kube.ObjectSeen
	Why, Fix string
}

// Observe reads the Cluster. When it is not there, it is asked whether there can be one, and whether the users of Keycloak are
// elsewhere: a new database would begin without them.
func (o *operated) Observe(ctx context.Context) (operatedSeen, error) {
	seen, err := o.Object.Observe(ctx)
	if err != nil || seen.Live != nil {
		return operatedSeen{ObjectSeen: seen}, err
	}
	_, err = o.env.Kube.Get(ctx, seen.Want)
	var unknown *kube.UnknownKindError
	if errors.As(err, &unknown) {
		return operatedSeen{ObjectSeen: seen,
			Why: "auth.database.mode is cloudnative-pg, and the cluster does not know the kind Cluster of " + operatorVersion,
			Fix: "install the operator first (https://cloudnative-pg.io/docs, chart cloudnative-pg), or take auth.database.mode: install"}, nil
	}
	if err != nil {
		return operatedSeen{}, err
	}
	namespace := o.env.Platform.Auth.Namespace
	_, err = o.env.Kube.Clientset.CoreV1().PersistentVolumeClaims(namespace).Get(ctx, databaseName, metav1.GetOptions{})
	switch {
	case err == nil:
		return operatedSeen{ObjectSeen: seen,
			Why: fmt.Sprintf("Keycloak's users are in the volume %s/%s of the database that we installed, and a Cluster of CloudNativePG would begin empty", namespace, databaseName),
			Fix: "stay with auth.database.mode: install, or move them (pg_dump of the old one, a Cluster " + databaseName + " of yours with it), or give them up by `kubectl onyxia auth uninstall --delete-data " + string(volumeID) + "`"}, nil
	case apierrors.IsNotFound(err):
		return operatedSeen{ObjectSeen: seen}, nil
	}
	return operatedSeen{}, fmt.Errorf("the volume of a former database: %w", kube.Explain(err))
}

// Plan compares.
func (o *operated) Plan(seen operatedSeen) engine.Change {
	if seen.Why != "" {
		return engine.Change{Action: engine.Blocked, Why: seen.Why, Fix: seen.Fix}
	}
	return o.Object.Plan(seen.ObjectSeen)
}

// Apply sends the wanted fields.
func (o *operated) Apply(ctx context.Context, seen operatedSeen) error {
	return o.Object.Apply(ctx, seen.ObjectSeen)
}

// Present tells whether the Cluster is there; it is not where nobody knows the kind.
func (o *operated) Present(ctx context.Context) (bool, error) {
	live, err := o.live(ctx)
	return live != nil, err
}

func (o *operated) live(ctx context.Context) (*unstructured.Unstructured, error) {
	live, err := o.env.Kube.Get(ctx, databaseCluster(o.env))
	var unknown *kube.UnknownKindError
	if errors.As(err, &unknown) {
		return nil, nil
	}
	return live, err
}

// Ready is what the operator says.
func (o *operated) Ready(ctx context.Context) (engine.Health, error) {
	live, err := o.live(ctx)
	if err != nil {
		return engine.Health{}, err
	}
	return operatedHealth(live), nil
}

// operatedHealth reads the status of a Cluster: the condition Ready (CloudNativePG from 1.17 on), the instances that are
// ready, and the phase with its reason.
func operatedHealth(live *unstructured.Unstructured) engine.Health {
	if live == nil {
		return engine.Health{Reason: "the Cluster is not there"}
	}
	status, _, _ := unstructured.NestedMap(live.Object, "status")
	if len(status) == 0 {
		return engine.Health{Reason: "its operator has not said anything yet: is it running? (`kubectl get pods -A -l app.kubernetes.io/name=cloudnative-pg`)"}
	}
	wanted, _, _ := unstructured.NestedInt64(live.Object, "spec", "instances")
	there, _, _ := unstructured.NestedInt64(live.Object, "status", "readyInstances")
	ready, known := condition(live, "Ready")
	if there >= wanted && there > 0 && (ready || !known) {
		return engine.Health{Ready: true}
	}
	phase, _, _ := unstructured.NestedString(live.Object, "status", "phase")
	why, _, _ := unstructured.NestedString(live.Object, "status", "phaseReason")
	reason := fmt.Sprintf("%d of %d instances are ready", there, wanted)
	for _, said := range []string{phase, why} {
		if said != "" {
			reason += "; " + said
		}
	}
	return engine.Health{Reason: reason, Hopeless: strings.Contains(phase, "unrecoverable")}
}

// condition tells whether a condition is true, and whether it is there at all.
func condition(live *unstructured.Unstructured, name string) (yes, known bool) {
	list, _, _ := unstructured.NestedSlice(live.Object, "status", "conditions")
	for _, one := range list {
		if c, ok := one.(map[string]any); ok && c["type"] == name {
			return c["status"] == string(metav1.ConditionTrue), true
		}
	}
	return false, false
}

// ownerLogin is a generated Secret of the type that the operator's documentation asks for.
type ownerLogin struct {
	*kube.Generated
	client    *kube.Client
	namespace string
}

func newOwnerLogin(client *kube.Client, namespace string) *ownerLogin {
	return &ownerLogin{client: client, namespace: namespace, Generated: kube.NewGenerated(client, namespace, ownerSecret, map[string]kube.Generate{
		usernameKey: kube.Literal(databaseOwner), passwordKey: kube.Password(kube.PasswordLength),
	})}
}

// Apply makes the Secret with its type, which nobody can change later, and leaves what is missing of one to Generated.
func (o *ownerLogin) Apply(ctx context.Context, seen kube.GeneratedSeen) error {
	if seen.Exists {
		return o.Generated.Apply(ctx, seen)
	}
	password, err := kube.Password(kube.PasswordLength)()
	if err != nil {
		return fmt.Errorf("generate the password of secret %s/%s: %w", o.namespace, ownerSecret, err)
	}
	made := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: ownerSecret, Labels: map[string]string{kube.ManagedByLabel: kube.FieldManager}},
		Type:       corev1.SecretTypeBasicAuth,
		Data:       map[string][]byte{usernameKey: []byte(databaseOwner), passwordKey: password},
	}
	if _, err := o.client.Clientset.CoreV1().Secrets(o.namespace).Create(ctx, made, metav1.CreateOptions{FieldManager: kube.FieldManager}); err != nil {
		return fmt.Errorf("write secret %s/%s: %w", o.namespace, ownerSecret, kube.Explain(err))
	}
	return nil
}
