package auth

import (
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// The objects of the stage, in Keycloak's namespace.
const (
	// releaseName is also the chart's fullnameOverride: its Service is keycloak-http.
	releaseName = "keycloak"
	// databaseName is the StatefulSet, Service, volume and Secret of the database that we install, and the Cluster of
	// CloudNativePG.
	databaseName = "keycloak-db"
	// ownerSecret is the login at a database of CloudNativePG. Its type is another than that of the database that we install.
	ownerSecret = "keycloak-db-owner"
	// containerName is the container of the database's pod, and dataFolder where its volume keeps the data.
	containerName = "postgres"
	dataFolder    = "/var/lib/postgresql/data/pgdata"
	// databaseOwner is the user whose database it is.
	databaseOwner = "keycloak"
	// themeVolume is where the theme's jar is put before Keycloak starts.
	themeVolume = "onyxia-theme"
)

// Keys of the Secrets that we generate.
const (
	usernameKey = "username"
	passwordKey = "password"
)

// postgresPort is PostgreSQL's own.
const postgresPort = 5432

const (
	databaseSecretID engine.ID = "secret/" + databaseName
	volumeID         engine.ID = "persistentvolumeclaim/" + databaseName
	databaseID       engine.ID = "statefulset/" + databaseName
	databaseServID   engine.ID = "service/" + databaseName
	ownerSecretID    engine.ID = "secret/" + ownerSecret
	operatedID       engine.ID = "cluster.postgresql.cnpg.io/" + databaseName
	bootstrapID      engine.ID = "secret/" + stage.KeycloakBootstrapSecret
)

func labels(component string) map[string]any {
	return map[string]any{
		"app.kubernetes.io/name":      databaseName,
		"app.kubernetes.io/component": component,
		kube.ManagedByLabel:           kube.FieldManager,
	}
}
