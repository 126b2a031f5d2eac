package keycloak

import (
	"context"
	"fmt"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak/keycloaktest"
)

func TestStress(t *testing.T) {
	for _, version := range keycloaktest.Versions(t) {
		server := keycloaktest.Start(t, version)
		bad := 0
		for i := range 50 {
			l := newLab(server, fmt.Sprintf("stress%d", i))
			if err := l.up(context.Background()); err != nil {
				bad++
				t.Errorf("%d: %v; again: %v", i, err, l.up(context.Background()))
			}
		}
		t.Log(version, bad)
	}
}
