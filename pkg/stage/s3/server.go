package s3

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/helm"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3/minio"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// server makes the steps of MinIO itself: its namespace, Secrets, volumes and release.
func (s *site) server() ([]engine.Step, error) {
	component, err := s.env.Profile.Component("minio")
	if err != nil {
		return nil, err
	}
	s.warnEndOfLife(component)
	rendered, err := s.values(component)
	if err != nil {
		return nil, err
	}
	namespace := s.env.Platform.S3.Namespace
	ns := stage.NamespaceID(namespace)
	list := []engine.Step{
		engine.New(ns, kube.NewNamespace(s.env.Kube, namespace, kube.Baseline, kube.Baseline, kube.Releases(minio.ReleaseName), kube.Holding(minio.RootSecret),
			kube.Holding(s.env.Platform.NamedSecrets(namespace)...))),
		engine.New(rootID, s.root, ns).HoldingData("the administrator of MinIO"),
		engine.New(layoutID, s.layout(), ns),
	}
	needs := []engine.ID{ns, rootID, clientID, layoutID, stage.IssuerID}
	if len(s.env.Platform.CAPEM) > 0 {
		list = append(list, engine.New(trustID, kube.NewObject(s.env.Kube, kube.Fixed(trustSecret(s.env.Platform))), ns))
		needs = append(needs, trustID)
	}
	if !s.distributed() {
		list = append(list, engine.New(claimID, kube.NewObject(s.env.Kube, kube.Fixed(claim(s.env.Platform))), ns, layoutID).HoldingData(data))
		needs = append(needs, claimID)
	}
	list = append(list, engine.New(releaseID, &server{site: s, ReleaseResource: s.env.Helm.Release(helm.Release{
		Name: minio.ReleaseName, Namespace: namespace, Chart: component.Chart,
		Values: func(context.Context) (map[string]any, error) {
			return stage.Overlay(rendered, s.env.Platform.S3.Values), nil
		},
		Others: helm.Others{
			Holds:   data,
			Instead: "set s3.mode to external, s3.url to its address and s3.credentialsSecret to the Secret with its administrator",
		},
	})}, needs...))
	if s.distributed() {
		for number := range minio.Servers {
			list = append(list, engine.New(shareID(number), s.volume(shareName(number)), releaseID).HoldingData(data))
		}
	}
	return list, nil
}

// data is what the volumes hold.
const data = "all files of all users and groups"

// warnEndOfLife says what is known about the end of life of this MinIO.
func (s *site) warnEndOfLife(component profile.Component) {
	if component.EndOfLife != "" {
		s.env.Warn(component.EndOfLife)
	}
	// Forks bring the console's login back; only upstream's own images are known to lack it.
	image, err := profile.ParseImage(component.Images["server"])
	if err != nil || image.Repository != "minio/minio" && !strings.HasSuffix(image.Repository, "/minio/minio") {
		return
	}
	if note := s3.ConsoleNote(image.Tag); note != "" {
		s.env.Warn(note)
	}
}

// trustAnnotation restarts MinIO when the private authorities change: it reads them at its start only.
const trustAnnotation = "onyxia.sh/trust"

// values of the chart.
func (s *site) values(component profile.Component) (map[string]any, error) {
	if err := takesSecret(component.Chart); err != nil {
		return nil, err
	}
	in := minio.Input{Platform: s.env.Platform, Image: component.Images["server"]}
	in.Platform.S3.Distributed = s.distributed()
	if !s.distributed() {
		in.ExistingClaim = claimName
	}
	values, err := minio.Values(in)
	if err != nil {
		return nil, err
	}
	if pem := s.env.Platform.CAPEM; len(pem) > 0 {
		values["podAnnotations"] = map[string]any{trustAnnotation: fmt.Sprintf("%.16x", sha256.Sum256(pem))}
	}
	return values, nil
}

// takesSecret refuses charts that cannot take the secret of MinIO's client from a Secret. MinIO checks tokens of its own client by
// that secret, too (HS256), so without one anybody signs tokens.
func takesSecret(chart profile.Chart) error {
	v, err := version.ParseGeneric(chart.Version)
	if err != nil || v.AtLeast(version.MajorMinor(5, 1)) {
		return nil
	}
	return fmt.Errorf("charts.minio.version: chart %s cannot take the secret of MinIO's client from a Secret, and without that secret anybody could sign "+
		"themselves a token of its administrator; set 5.1.0 or a newer one, or leave it out", chart.Version)
}

// server is the release of MinIO. Its pod counts as ready as soon as it runs; that it has loaded its users and policies,
// for which it needs the issuer, is asked of the server itself.
type server struct {
	*helm.ReleaseResource
	site *site
}

// Ready is the release's, and then the server's own.
func (s *server) Ready(ctx context.Context) (engine.Health, error) {
	health, err := s.ReleaseResource.Ready(ctx)
	if err != nil || !health.Ready {
		return health, err
	}
	client, err := s.site.client(ctx)
	if err != nil {
		return engine.Health{Reason: err.Error()}, nil
	}
	return (&s3.Admin{Client: client}).Health(ctx)
}

func meta(namespace, name string) map[string]any {
	return map[string]any{"name": name, "namespace": namespace, "labels": map[string]any{kube.ManagedByLabel: kube.FieldManager}}
}

func trustSecret(p platform.Platform) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
		"metadata": meta(p.S3.Namespace, minio.TrustSecret),
		"data":     map[string]any{minio.TrustSecretKey: base64.StdEncoding.EncodeToString(p.CAPEM)},
	}}
}

func claim(p platform.Platform) *unstructured.Unstructured {
	spec := map[string]any{
		"accessModes": []any{"ReadWriteOnce"},
		"resources":   map[string]any{"requests": map[string]any{"storage": p.S3.Size}},
	}
	if p.S3.StorageClass != "" {
		spec["storageClassName"] = p.S3.StorageClass
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta(p.S3.Namespace, claimName), "spec": spec,
	}}
}
