package keycloak

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak/keycloaktest"
)

func TestStress(t *testing.T) {
	for _, version := range keycloaktest.Versions(t) {
		server := keycloaktest.Start(t, version)
		ctx := context.Background()
		for i := range 40 {
			l := newLab(server, fmt.Sprintf("stress%d", i))
			err := l.up(ctx)
			if err == nil {
				continue
			}
			t.Logf("%d: %v", i, err)
			for range 10 {
				var list []document
				l.look(ctx, t, "/client-scopes", &list)
				var names []string
				for _, e := range list {
					names = append(names, e.text("name"))
				}
				var groups, roles []document
				l.look(ctx, t, "/groups", &groups)
				l.look(ctx, t, "/roles", &roles)
				t.Log(names, len(groups), len(roles))
				time.Sleep(500 * time.Millisecond)
			}
			t.Logf("%d again: %v", i, l.up(ctx))
		}
	}
}
