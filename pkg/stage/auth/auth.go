// Package auth is the stage of login: Keycloak on PostgreSQL, and a realm that nobody has to click together.
package auth

import (
	"context"
	"slices"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/helm"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/onyxia"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// Stage is the auth stage.
func Stage() stage.Stage {
	return stage.Stage{
		Name:  "auth",
		Short: "Keycloak and its realm, or the issuer that you already have",
		Verb:  "install",
		Steps: steps,
		// Onyxia asks for a login when there is one to ask for.
		Rerenders: true,
		On:        []string{"ingress", "tls"},
		Doubts:    administrators,
	}
}

func steps(_ context.Context, env stage.Env) ([]engine.Step, error) {
	p := env.Platform
	if !p.HasAuth() {
		return nil, nil
	}
	keycloak, err := env.Profile.Component("keycloakx")
	if err != nil {
		return nil, err
	}
	if err := checkTerms(env); err != nil {
		return nil, err
	}
	list := logins(env)
	var before []engine.ID
	for _, step := range list {
		before = append(before, step.ID)
	}
	list = append(list, engine.Serving([]engine.Step{reachStep(env, keycloak.Images["init"], before...)})...)
	switch p.Auth.Mode {
	case platform.AuthInstall:
		server, err := server(env, keycloak)
		if err != nil {
			return nil, err
		}
		list = slices.Concat(list, engine.Serving(server), realm(env, stage.KeycloakReleaseID, bootstrapID))
	case platform.AuthKeycloak:
		list = append(list, realm(env, reachID)...)
	}
	if !p.Auth.OtherIssuer() {
		for _, doubt := range doubts(p, env.Standing["auth"]) {
			env.Warn(doubt)
		}
	}
	return append(list, issuerStep(env)), nil
}

// administrators tells which administrators of the server need not be there.
func administrators(ctx context.Context, env stage.Env) ([]string, error) {
	if env.Keycloak == nil || env.Platform.Auth.OtherIssuer() {
		return nil, nil
	}
	return env.Keycloak.Doubts(ctx)
}

// checkTerms: the page that shows the terms is Onyxia's, which may come later than the realm that asks for them.
func checkTerms(env stage.Env) error {
	component, err := env.Profile.Component("onyxia")
	if err != nil || len(env.Platform.Auth.Terms) == 0 {
		return err
	}
	return onyxia.CheckTerms(component.Chart.Version, env.Platform.Auth.Terms)
}

// server makes the steps of Keycloak itself. Nothing of it is written before pods are known to reach its address.
func server(env stage.Env, keycloak profile.Component) ([]engine.Step, error) {
	if keycloak.EndOfLife != "" {
		env.Warn(keycloak.EndOfLife)
	}
	postgres, err := env.Profile.Component("postgres")
	if err != nil {
		return nil, err
	}
	namespace := env.Platform.Auth.Namespace
	jar, err := chosenTheme(env, serverVersion(keycloak.Images["server"]))
	if err != nil {
		return nil, err
	}
	rendered, err := values(env, keycloak.Images["server"], keycloak.Images["init"], jar)
	if err != nil {
		return nil, err
	}
	rendered, err = withTheirs(rendered, env.Platform.Auth.Values)
	if err != nil {
		return nil, err
	}
	bootstrap := kube.NewGenerated(env.Kube, namespace, stage.KeycloakBootstrapSecret, map[string]kube.Generate{
		usernameKey: kube.Literal(stage.KeycloakBootstrapUser), passwordKey: kube.Password(kube.PasswordLength),
	})
	ns := stage.NamespaceID(namespace)
	list := []engine.Step{
		engine.New(ns, kube.NewNamespace(env.Kube, namespace, kube.Baseline, kube.Baseline, kube.Releases(releaseName),
			kube.Holding(stage.KeycloakBootstrapSecret, stage.KeycloakAccountSecret, databaseName, ownerSecret),
			kube.Holding(env.Platform.NamedSecrets(namespace)...), kube.Known(string(operatedID))), reachID),
		engine.New(bootstrapID, bootstrap, ns).HoldingData("the first administrator of Keycloak"),
	}
	needs := []engine.ID{bootstrapID}
	switch env.Platform.Auth.Database.Mode {
	case platform.DatabaseExternal:
	case platform.DatabaseCloudNativePG:
		list = append(list, operatedSteps(env)...)
		needs = append(needs, operatedID)
	default:
		list = append(list, database(env, postgres.Images["server"])...)
		needs = append(needs, databaseID)
	}
	return append(list, engine.New(stage.KeycloakReleaseID, env.Helm.Release(helm.Release{
		Name: releaseName, Namespace: namespace, Chart: keycloak.Chart,
		Values: func(context.Context) (map[string]any, error) {
			return rendered, nil
		},
		Others: helm.Others{
			Holds:   "the users of Keycloak and their passwords, in its database, which the datalab's own would take the place of",
			Instead: "set auth.mode to keycloak, auth.url to its address and auth.credentialsSecret to the Secret with its administrator",
		},
	}), append(needs, ns, stage.AddressID)...)), nil
}
