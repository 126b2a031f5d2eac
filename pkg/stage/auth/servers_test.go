package auth

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/keycloaktest"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// Two datalabs have a realm each on one real server: the stage's own steps stand after one run, the second one has nothing to
// do, and neither takes the other's account.
func TestRealmsOnRealServers(t *testing.T) {
	for _, version := range keycloaktest.Versions(t) {
		t.Run(version, func(t *testing.T) {
			server := keycloaktest.Start(t, version)
			labs := []*guestLab{newGuestLab(t, server, "datalab"), newGuestLab(t, server, "second")}
			for _, lab := range labs {
				lab.up(t)
			}
			for _, lab := range labs {
				if lines := lab.differing(t); len(lines) > 0 {
					t.Errorf("the second run of %s would:\n%s", lab.realm, strings.Join(lines, "\n"))
				}
				env, said := lab.env(t)
				issuer := &issuer{env: env}
				if err := issuer.doubts(t.Context()); err != nil {
					t.Error(err)
				}
				told := strings.Join(*said, "\n")
				if strings.Contains(told, "terms") || !strings.Contains(told, "no login theme onyxia") {
					t.Errorf("told of %s: %s", lab.realm, told)
				}
			}
		})
	}
}

// guestLab is a datalab whose realm is on a Keycloak of somebody else's.
type guestLab struct {
	plant  plant
	server *keycloaktest.Server
	realm  string
}

func newGuestLab(t *testing.T, server *keycloaktest.Server, realm string) *guestLab {
	t.Helper()
	lab := &guestLab{plant: newPlant(t), server: server, realm: realm}
	admin := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "admin"}, StringData: map[string]string{"username": keycloaktest.AdminName, "password": keycloaktest.AdminPassword}}
	if _, err := lab.plant.cluster.Clientset().CoreV1().Secrets(lab.plant.namespace).Create(t.Context(), admin, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return lab
}

func (l *guestLab) env(t *testing.T) (stage.Env, *[]string) {
	t.Helper()
	env, said := datalab(t, platform.Auth{
		Mode: "keycloak", URL: l.server.URL, Realm: l.realm, CredentialsSecret: l.plant.namespace + "/admin", DisplayName: "Lab",
		Groups: []string{"statistics", "office/health"}, Roles: []string{"staff"}, EmailDomains: []string{"example.org"}, UnmanagedAttributes: "ADMIN_EDIT",
		Attributes: map[string]platform.Attribute{"team": {DisplayName: "Your team", Required: true}, "office": {}}, Lifespans: platform.Lifespans{AccessToken: "10m"},
		Terms: map[string]string{"en": "%PUBLIC_URL%/custom-resources/terms.md"},
	})
	env.Platform.App.Namespace, env.Kube = l.plant.namespace, l.plant.client
	env.Keycloak = stage.NewKeycloak(env.Platform, l.plant.client)
	return env, said
}

// run is of the steps of the realm; those that come before them are not looked at here.
func (l *guestLab) run(t *testing.T) engine.Run {
	t.Helper()
	env, _ := l.env(t)
	list := realm(env)
	for i, s := range list {
		list[i].Needs = slices.DeleteFunc(slices.Clone(s.Needs), func(id engine.ID) bool {
			return !slices.ContainsFunc(list, func(s engine.Step) bool { return s.ID == id })
		})
	}
	return engine.Run{Steps: list}
}

func (l *guestLab) up(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	run := l.run(t)
	plan, err := run.Plan(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Apply(ctx, plan, engine.Options{Timeout: time.Minute}); err != nil {
		t.Fatalf("realm %s: %v", l.realm, err)
	}
}

func (l *guestLab) differing(t *testing.T) (lines []string) {
	t.Helper()
	for _, s := range planned(t, l.run(t)).Steps {
		if s.Change.Action != engine.Unchanged {
			lines = append(lines, string(s.ID)+" "+string(s.Change.Action))
		}
	}
	return lines
}
