package auth

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// database makes the steps of a plain PostgreSQL: one pod, one volume. The Bitnami subchart that the guide used has lost
// its images. The volume is an object of ours, so that no uninstall of anything takes it along.
func database(env stage.Env, image string) []engine.Step {
	namespace := env.Platform.Auth.Namespace
	ns := stage.NamespaceID(namespace)
	object := func(u *unstructured.Unstructured) *kube.Object { return kube.NewObject(env.Kube, kube.Fixed(u)) }
	password := kube.NewGenerated(env.Kube, namespace, databaseName, map[string]kube.Generate{
		usernameKey: kube.Literal(databaseOwner), passwordKey: kube.Password(kube.PasswordLength),
	})
	return []engine.Step{
		engine.New(databaseSecretID, &databasePassword{Generated: password, env: env}, ns).HoldingData("the password of Keycloak's database, without which its volume cannot be opened"),
		engine.New(volumeID, kube.NewObject(env.Kube, notedVolume(env, image)), ns, databaseSecretID).HoldingData("all users, passwords and clients of Keycloak"),
		engine.New(databaseServID, object(databaseService(namespace)), ns),
		engine.New(databaseID, &ownDatabase{Object: object(databaseSet(env, image)), env: env, image: image}, databaseSecretID, volumeID, databaseServID),
	}
}

// databasePassword is the Secret with the password, which PostgreSQL takes when it makes its data and never again.
type databasePassword struct {
	*kube.Generated
	env stage.Env
}

// passwordSeen is the Secret, or the volume that a new password would not open.
type passwordSeen struct {
	kube.GeneratedSeen
	Locked string
}

// Observe reads the Secret. Where it is lost it looks for the volume, which comes after it and never before.
func (d *databasePassword) Observe(ctx context.Context) (passwordSeen, error) {
	seen, err := d.Generated.Observe(ctx)
	if err != nil || len(seen.Missing) == 0 {
		return passwordSeen{GeneratedSeen: seen}, err
	}
	namespace := d.env.Platform.Auth.Namespace
	_, err = d.env.Kube.Clientset.CoreV1().PersistentVolumeClaims(namespace).Get(ctx, databaseName, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return passwordSeen{GeneratedSeen: seen}, nil
	case err != nil:
		return passwordSeen{}, fmt.Errorf("the volume of the database: %w", kube.Explain(err))
	}
	return passwordSeen{GeneratedSeen: seen, Locked: namespace + "/" + databaseName}, nil
}

// Plan makes no new password for old data.
func (d *databasePassword) Plan(seen passwordSeen) engine.Change {
	if seen.Locked == "" || seen.Ending != "" {
		return d.Generated.Plan(seen.GeneratedSeen)
	}
	return engine.Change{Action: engine.Blocked,
		Why: fmt.Sprintf("the users of Keycloak are in volume %s, and the Secret of the same name with the password that opens it is lost", seen.Locked),
		Fix: fmt.Sprintf("bring the Secret back from a backup (keys %s, which is %s, and %s); or give the users up by `kubectl onyxia auth uninstall --delete-data %s`", usernameKey, databaseOwner, passwordKey, volumeID)}
}

// Apply makes what is missing.
func (d *databasePassword) Apply(ctx context.Context, seen passwordSeen) error {
	return d.Generated.Apply(ctx, seen.GeneratedSeen)
}

// Present tells whether it is there, whatever that means for a volume.
func (d *databasePassword) Present(ctx context.Context) (bool, error) {
	seen, err := d.Generated.Observe(ctx)
	return seen.Exists, err
}

// ownDatabase is the StatefulSet. Before it is made for the first time it looks for what would speak against it, and before it
// gets another image for data that this one would refuse.
type ownDatabase struct {
	*kube.Object
	env   stage.Env
	image string
	// hinted says that this run has told that there is an operator.
	hinted bool
}

// ownSeen is the StatefulSet, or why there should be none.
type ownSeen struct {
	kube.ObjectSeen
	Why, Fix, Risk string
}

// Observe reads the StatefulSet.
func (o *ownDatabase) Observe(ctx context.Context) (ownSeen, error) {
	seen, err := o.Object.Observe(ctx)
	if err != nil {
		return ownSeen{}, err
	}
	if seen.Live == nil {
		why, fix, err := o.otherwise(ctx)
		if err != nil || why != "" {
			return ownSeen{ObjectSeen: seen, Why: why, Fix: fix}, err
		}
	}
	versions, err := o.checkVersion(ctx, seen.Live)
	return ownSeen{ObjectSeen: seen, Why: versions.Why, Fix: versions.Fix, Risk: versions.Risk}, err
}

// otherwise looks for CloudNativePG: Keycloak's users may be in a Cluster of it, and who has it may want to use it. A user who
// may not look at definitions is not told.
func (o *ownDatabase) otherwise(ctx context.Context) (why, fix string, err error) {
	definition := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": operatorDefinition},
	}}
	found, err := o.env.Kube.Get(ctx, definition)
	if apierrors.IsForbidden(err) || err == nil && found == nil {
		return "", "", nil
	}
	if err != nil {
		return "", "", err
	}
	cluster, err := o.env.Kube.Get(ctx, databaseCluster(o.env))
	var unknown *kube.UnknownKindError
	switch {
	case err != nil && !errors.As(err, &unknown) && !apierrors.IsForbidden(err):
		return "", "", err
	case cluster != nil:
		return fmt.Sprintf("Keycloak's users are in Cluster %s/%s of CloudNativePG, and the database that we install would begin empty", cluster.GetNamespace(), cluster.GetName()),
			"set auth.database.mode to cloudnative-pg, or delete that Cluster if nobody needs it", nil
	case o.env.Platform.Auth.Database.Mode == "" && !o.hinted:
		o.hinted = true
		o.env.Warn("CloudNativePG is in this cluster, and Keycloak gets a plain PostgreSQL of ours beside it: set auth.database.mode to cloudnative-pg to use the operator (before the first install), or to install to say that this is right")
	}
	return "", "", nil
}

// Plan compares.
func (o *ownDatabase) Plan(seen ownSeen) engine.Change {
	if seen.Why != "" {
		return engine.Change{Action: engine.Blocked, Why: seen.Why, Fix: seen.Fix}
	}
	change := o.Object.Plan(seen.ObjectSeen)
	if change.Action.Writes() {
		change.Risk = seen.Risk
	}
	return change
}

// Apply sends the wanted fields.
func (o *ownDatabase) Apply(ctx context.Context, seen ownSeen) error {
	return o.Object.Apply(ctx, seen.ObjectSeen)
}

// Present tells whether it is there, whatever speaks against it.
func (o *ownDatabase) Present(ctx context.Context) (bool, error) {
	seen, err := o.Object.Observe(ctx)
	return seen.Live != nil, err
}

func databaseVolume(env stage.Env) *unstructured.Unstructured {
	db := env.Platform.Auth.Database
	spec := map[string]any{
		"accessModes": []any{"ReadWriteOnce"},
		"resources":   map[string]any{"requests": map[string]any{"storage": db.Size}},
	}
	if db.StorageClass != "" {
		spec["storageClassName"] = db.StorageClass
	}
	return object("v1", "PersistentVolumeClaim", env.Platform.Auth.Namespace, spec)
}

func databaseService(namespace string) *unstructured.Unstructured {
	return object("v1", "Service", namespace, map[string]any{
		"selector": map[string]any{"app.kubernetes.io/name": databaseName},
		"ports":    []any{map[string]any{"name": "postgres", "port": int64(5432), "targetPort": int64(5432), "protocol": "TCP"}},
	})
}

// startOnce starts PostgreSQL when no other one has the volume, and keeps the lock for as long as one of its processes lives.
// A pod that was deleted with --force leaves its process running beside the one of the pod after it, and PostgreSQL's own
// postmaster.pid does not tell them apart: each is process 1 of its container. Two writers ruin the write-ahead log.
const startOnce = `exec 9>>/var/lib/postgresql/data/onyxia.lock
flock -n 9 || { echo "waiting: another PostgreSQL still writes to this volume"; flock 9; }
exec docker-entrypoint.sh postgres`

// databaseSet mounts the volume below itself, because a fresh volume has a lost+found folder and initdb wants an empty one.
func databaseSet(env stage.Env, image string) *unstructured.Unstructured {
	secret := func(key string) map[string]any {
		return map[string]any{"secretKeyRef": map[string]any{"name": databaseName, "key": key}}
	}
	ready := map[string]any{"command": []any{"sh", "-c", `exec psql -h 127.0.0.1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c "select 1"`}}
	container := map[string]any{
		"name":    containerName,
		"image":   image,
		"command": []any{"sh", "-ec", startOnce},
		// What it says before it ends is then part of the pod's status, and of what we report.
		"terminationMessagePolicy": "FallbackToLogsOnError",
		"env": []any{
			map[string]any{"name": "PGDATA", "value": dataFolder},
			map[string]any{"name": "POSTGRES_DB", "value": env.Platform.Auth.Database.Name},
			map[string]any{"name": "POSTGRES_USER", "valueFrom": secret(usernameKey)},
			map[string]any{"name": "POSTGRES_PASSWORD", "valueFrom": secret(passwordKey)},
			map[string]any{"name": "PGPASSWORD", "valueFrom": secret(passwordKey)},
		},
		"ports":        []any{map[string]any{"name": "postgres", "containerPort": int64(5432), "protocol": "TCP"}},
		"volumeMounts": []any{map[string]any{"name": "data", "mountPath": "/var/lib/postgresql/data"}},
		"resources":    map[string]any{"requests": map[string]any{"cpu": "100m", "memory": "256Mi"}},
		"readinessProbe": map[string]any{
			"exec": ready, "periodSeconds": int64(5), "timeoutSeconds": int64(5),
		},
	}
	return object("apps/v1", "StatefulSet", env.Platform.Auth.Namespace, map[string]any{
		"replicas":    int64(1),
		"serviceName": databaseName,
		"selector":    map[string]any{"matchLabels": map[string]any{"app.kubernetes.io/name": databaseName}},
		"template": map[string]any{
			"metadata": map[string]any{"labels": labels("database")},
			"spec": map[string]any{
				"automountServiceAccountToken":  false,
				"terminationGracePeriodSeconds": int64(60),
				"containers":                    []any{container},
				"volumes": []any{map[string]any{
					"name": "data", "persistentVolumeClaim": map[string]any{"claimName": databaseName},
				}},
			},
		},
	})
}

func object(apiVersion, kind, namespace string, spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": apiVersion, "kind": kind,
		"metadata": map[string]any{"name": databaseName, "namespace": namespace, "labels": labels("database")},
		"spec":     spec,
	}}
}
