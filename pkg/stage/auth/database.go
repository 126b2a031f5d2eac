package auth

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// passwordLength: 32 letters and digits are 190 bits.
const passwordLength = 32

// database makes the steps of a plain PostgreSQL: one pod, one volume. The Bitnami subchart that the guide used has lost
// its images. The volume is an object of ours, so that no uninstall of anything takes it along.
func database(env stage.Env, image string) []engine.Step {
	namespace := env.Platform.Auth.Namespace
	ns := stage.NamespaceID(namespace)
	object := func(u *unstructured.Unstructured) *kube.Object { return kube.NewObject(env.Kube, kube.Fixed(u)) }
	password := kube.NewGenerated(env.Kube, namespace, databaseName, map[string]kube.Generate{
		usernameKey: kube.Literal("keycloak"), passwordKey: kube.Password(passwordLength),
	})
	return []engine.Step{
		engine.New(databaseSecretID, password, ns).HoldingData("the password of Keycloak's database, without which its volume cannot be opened"),
		engine.New(volumeID, object(databaseVolume(env)), ns).HoldingData("all users, passwords and clients of Keycloak"),
		engine.New(databaseServID, object(databaseService(namespace)), ns),
		engine.New(databaseID, object(databaseSet(env, image)), databaseSecretID, volumeID, databaseServID),
	}
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

// databaseSet mounts the volume below itself, because a fresh volume has a lost+found folder and initdb wants an empty one.
func databaseSet(env stage.Env, image string) *unstructured.Unstructured {
	secret := func(key string) map[string]any {
		return map[string]any{"secretKeyRef": map[string]any{"name": databaseName, "key": key}}
	}
	ready := map[string]any{"command": []any{"sh", "-c", `exec psql -h 127.0.0.1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c "select 1"`}}
	container := map[string]any{
		"name":  "postgres",
		"image": image,
		"env": []any{
			map[string]any{"name": "PGDATA", "value": "/var/lib/postgresql/data/pgdata"},
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
