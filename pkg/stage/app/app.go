// Package app is the stage of Onyxia itself: its chart with values composed from the stages that are there.
package app

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/helm"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/onyxia"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// CAConfigMap holds the private authorities for the API, whose image imports every file of a folder.
const CAConfigMap = "onyxia-ca"

const servedID engine.ID = "configuration.onyxia/public"

// Stage is the app stage.
func Stage() stage.Stage {
	return stage.Stage{
		Name:  "app",
		Short: "Onyxia, configured for the stages that are there",
		Verb:  "install",
		On:    []string{"ingress", "tls"},
		Steps: steps,
	}
}

func steps(_ context.Context, env stage.Env) ([]engine.Step, error) {
	chart, values, err := checked(env)
	if err != nil {
		return nil, err
	}
	namespace := env.Platform.App.Namespace
	needs := []engine.ID{stage.NamespaceID(namespace), stage.AddressID}
	var list []engine.Step
	if len(env.Platform.CAPEM) > 0 {
		files, err := onyxia.CAFiles(env.Platform.CAPEM)
		if err != nil {
			return nil, fmt.Errorf("trust.caBundle: %w", err)
		}
		id := engine.ID("configmap/" + CAConfigMap)
		list = append(list, engine.New(id, kube.NewObject(env.Kube, kube.Fixed(caConfigMap(namespace, files))), stage.NamespaceID(namespace)))
		needs = append(needs, id)
	}
	if env.Has("auth") {
		needs = append(needs, stage.IssuerID)
	}
	if env.Has("s3") {
		needs = append(needs, stage.S3ReadyID)
	}
	if env.Has("vault") {
		needs = append(needs, stage.VaultReadyID)
	}
	return append(list,
		engine.New(stage.AppID, env.Helm.Release(helm.Release{
			Name: "onyxia", Namespace: namespace, Chart: chart,
			Values:      func(context.Context) (map[string]any, error) { return values, nil },
			OldPodsGone: true,
		}), needs...),
		engine.New(servedID, stage.Gate(newServed(env, chart.Version, values).trouble), stage.AppID, stage.AddressID, stage.CertificateID),
	), nil
}

// Check says what of the configuration would stop this stage; it takes no cluster.
func Check(env stage.Env) error {
	_, _, err := checked(env)
	return err
}

// checked are the chart and its values, when they go together.
func checked(env stage.Env) (profile.Chart, map[string]any, error) {
	component, err := env.Profile.Component("onyxia")
	if err != nil {
		return profile.Chart{}, nil, err
	}
	values, err := Values(env)
	if err != nil {
		return profile.Chart{}, nil, err
	}
	return component.Chart, values, lint(env, component.Chart.Version, values)
}

// Values are the chart's values for the stages that are there, with the admin's own on top.
func Values(env stage.Env) (map[string]any, error) {
	component, err := env.Profile.Component("onyxia")
	if err != nil {
		return nil, err
	}
	in := onyxia.Input{
		Platform:     env.Platform,
		ChartVersion: component.Chart.Version,
		Images:       component.Images,
		Auth:         env.Has("auth"),
		S3:           env.Has("s3"),
		Vault:        env.Has("vault"),
	}
	if len(env.Platform.CAPEM) > 0 {
		in.CAConfigMap = CAConfigMap
	}
	return onyxia.Values(in)
}

// lint stops on errors and tells warnings: the API drops region keys that it does not know without a word.
func lint(env stage.Env, version string, values map[string]any) error {
	for _, finding := range onyxia.Lint(version, values) {
		if finding.Severity == onyxia.SeverityError {
			return fmt.Errorf("values of Onyxia: %s: %s; %s", finding.Path, finding.Message, finding.Fix)
		}
		env.Warn(fmt.Sprintf("values of Onyxia: %s: %s; %s", finding.Path, finding.Message, finding.Fix))
	}
	return nil
}

func caConfigMap(namespace string, files map[string]string) *unstructured.Unstructured {
	data := map[string]any{}
	for name, pem := range files {
		data[name] = pem
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1",
		"kind":       "ConfigMap",
		"metadata": map[string]any{
			"name": CAConfigMap, "namespace": namespace,
			"labels": map[string]any{kube.ManagedByLabel: kube.FieldManager},
		},
		"data": data,
	}}
}
