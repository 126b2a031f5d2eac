package stages

import (
	"net/http"
	"strings"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// Only Keycloak's log says why a mail was not sent, and only of a Keycloak of ours is it known where that is.
func TestUnsentMailNamesTheLog(t *testing.T) {
	for name, tc := range map[string]struct {
		mode   string
		status int
		want   string
	}{
		"ours":            {platform.AuthInstall, http.StatusInternalServerError, "`kubectl -n sso logs statefulset/keycloak --tail 50`"},
		"somebody else's": {platform.AuthKeycloak, http.StatusInternalServerError, ""},
		"another error":   {platform.AuthInstall, http.StatusConflict, ""},
	} {
		p := platform.Platform{}
		p.Auth.Mode, p.Auth.Namespace = tc.mode, "sso"
		got := unsent(p, &keycloak.Error{Status: tc.status}).Error()
		if !strings.HasSuffix(got, tc.want) || strings.Contains(got, "logs") != (tc.want != "") {
			t.Errorf("%s: %s", name, got)
		}
	}
}
