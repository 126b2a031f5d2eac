package stages

import (
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// `auth configure` makes what is inside Keycloak. What server and database are started with is for `auth install`: a password
// made anew would not open what is there.
func TestOfServer(t *testing.T) {
	for id, want := range map[engine.ID]bool{
		"secret/keycloak-db": true, "secret/keycloak-db-owner": true, "secret/keycloak-bootstrap": true, "release.helm/keycloak": true,
		"statefulset/keycloak-db": true, "persistentvolumeclaim/keycloak-db": true, "login.database/pg": true, "namespace/keycloak": true,
		"secret/keycloak-service-account": false, "realm.keycloak/datalab": false, "serviceaccount.keycloak/kubectl-onyxia-datalab": false,
		"login.smtp/mail": false, "login.administrator/admin": false, "issuer.oidc/onyxia": false, "stage.onyxia/auth": false,
	} {
		if got := ofServer(id); got != want {
			t.Errorf("%s is of the server: %v", id, got)
		}
	}
}
