// Package auth is the stage of login: Keycloak on PostgreSQL, and a realm that nobody has to click together.
package auth

import (
	"context"
	"errors"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/helm"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
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
	}
}

func steps(_ context.Context, env stage.Env) ([]engine.Step, error) {
	var list []engine.Step
	switch env.Platform.Auth.Mode {
	case "none":
		return nil, nil
	case "install":
		server, err := server(env)
		if err != nil {
			return nil, err
		}
		list = append(server, realm(env, stage.KeycloakReleaseID, bootstrapID)...)
	case "keycloak":
		if env.Platform.Auth.CredentialsSecret == "" {
			return nil, errors.New("auth.credentialsSecret: an existing Keycloak needs the namespace/name of a Secret with an administrator")
		}
		list = realm(env)
	}
	return append(list, issuerStep(env)), nil
}

// server makes the steps of Keycloak itself.
func server(env stage.Env) ([]engine.Step, error) {
	keycloak, err := env.Profile.Component("keycloakx")
	if err != nil {
		return nil, err
	}
	postgres, err := env.Profile.Component("postgres")
	if err != nil {
		return nil, err
	}
	namespace := env.Platform.Auth.Namespace
	jar, err := chosenTheme(env)
	if err != nil {
		return nil, err
	}
	rendered, err := values(env, keycloak.Images["server"], keycloak.Images["init"], jar)
	if err != nil {
		return nil, err
	}
	bootstrap := kube.NewGenerated(env.Kube, namespace, stage.KeycloakBootstrapSecret, map[string]kube.Generate{
		usernameKey: kube.Literal("onyxia-bootstrap"), passwordKey: kube.Password(passwordLength),
	})
	ns := stage.NamespaceID(namespace)
	list := []engine.Step{
		engine.New(ns, kube.NewNamespace(env.Kube, namespace, kube.Baseline, kube.Baseline, kube.Releases(releaseName),
			kube.Holding(stage.KeycloakBootstrapSecret, stage.KeycloakAccountSecret, databaseName))),
		engine.New(bootstrapID, bootstrap, ns).HoldingData("the first administrator of Keycloak"),
	}
	needs := []engine.ID{bootstrapID}
	if env.Platform.Auth.Database.Mode == "install" {
		list = append(list, database(env, postgres.Images["server"])...)
		needs = append(needs, databaseID)
	}
	return append(list, engine.New(stage.KeycloakReleaseID, env.Helm.Release(helm.Release{
		Name: releaseName, Namespace: namespace, Chart: keycloak.Chart,
		Values: func(context.Context) (map[string]any, error) {
			return stage.Overlay(rendered, env.Platform.Auth.Values), nil
		},
	}), append(needs, ns, stage.AddressID)...)), nil
}
