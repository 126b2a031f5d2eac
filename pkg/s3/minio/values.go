// Package minio renders the Helm values of MinIO's own chart.
package minio

import (
	"fmt"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// ReleaseName of MinIO; the chart names its Deployment, Services and claim after it.
const ReleaseName = "minio"

// The Secrets that the chart is pointed to, in MinIO's namespace, and their keys. The chart fixes rootUser and rootPassword.
const (
	RootSecret      = "minio-root"
	RootUserKey     = "rootUser"
	RootPasswordKey = "rootPassword"

	ClientSecret    = "minio-oidc"
	ClientIDKey     = "clientId"
	ClientSecretKey = "clientSecret"

	// TrustSecret holds the private authority under the key that the chart mounts.
	TrustSecret    = "minio-trust"
	TrustSecretKey = "public.crt"
)

// Servers is how many servers a distributed MinIO has: four drives are the least for erasure coding.
const Servers = 4

// Input is what the values are rendered from.
type Input struct {
	Platform platform.Platform
	// Image with its tag: "quay.io/minio/minio:RELEASE.2024-12-18T13-15-44Z".
	Image string
	// ExistingClaim is a volume claim to use; empty for one that the chart makes and an uninstall keeps. Standalone only.
	ExistingClaim string
}

// Values renders the values for charts minio 5.1.0 to 5.4.0. No secret is among them. There are no users (the chart's default makes
// a public console/console123), and no policies: with those and no users the chart renders a Job without containers, which
// Kubernetes refuses.
func Values(in Input) (map[string]any, error) {
	repository, tag, err := split(in.Image)
	if err != nil {
		return nil, err
	}
	if in.Platform.S3.Distributed && in.ExistingClaim != "" {
		return nil, fmt.Errorf("minio: a distributed server makes a claim for each of its pods and cannot use %q", in.ExistingClaim)
	}
	values := map[string]any{
		"fullnameOverride": ReleaseName,
		"image":            map[string]any{"repository": repository, "tag": tag},
		"users":            []any{},
		"existingSecret":   RootSecret,
		"oidc":             oidc(in.Platform),
		"persistence":      persistence(in),
		"ingress":          ingress(in.Platform, in.Platform.MinIOHost()),
		"consoleIngress":   ingress(in.Platform, in.Platform.MinIOConsoleHost()),
		// The chart opens the metrics, and with them the names of all buckets, to everybody.
		"metrics": map[string]any{"serviceMonitor": map[string]any{"public": false}},
		"environment": map[string]any{
			"MINIO_BROWSER_REDIRECT_URL": "https://" + in.Platform.MinIOConsoleHost(),
			"MINIO_UPDATE":               "off",
		},
	}
	for key, value := range topology(in.Platform.S3.Distributed) {
		values[key] = value
	}
	if len(in.Platform.CAPEM) > 0 {
		values["trustedCertsSecret"] = TrustSecret
	}
	return values, nil
}

// split takes an image apart the way the chart joins it: "repository:tag", a digest staying with the tag.
func split(image string) (repository, tag string, err error) {
	name := strings.LastIndex(image, "/") + 1
	repository, tag, found := strings.Cut(image[name:], ":")
	if !found || tag == "" || repository == "" {
		return "", "", fmt.Errorf("minio image %q has no tag; the chart needs one: images.minio: quay.io/minio/minio:RELEASE.2024-12-18T13-15-44Z", image)
	}
	return image[:name] + repository, tag, nil
}

// topology is one server in a Deployment, or several in a StatefulSet. The chart's default is 16 servers of 16 GiB.
func topology(distributed bool) map[string]any {
	if distributed {
		return map[string]any{
			"mode": "distributed", "replicas": Servers, "drivesPerNode": 1, "pools": 1,
			"resources":           requests("1Gi"),
			"podDisruptionBudget": map[string]any{"enabled": true, "maxUnavailable": 1},
		}
	}
	return map[string]any{
		"mode": "standalone", "replicas": 1,
		"resources": requests("512Mi"),
		// Two servers must never open one volume: a rolling update would start the second before the first has gone.
		"deploymentUpdate": map[string]any{"type": "Recreate"},
	}
}

func requests(memory string) map[string]any {
	return map[string]any{"requests": map[string]any{"cpu": "100m", "memory": memory}}
}

// oidc points to the issuer. The client's secret serves the console's login, and has to be there: MinIO takes tokens that were signed
// with it (internal/config/identity/openid/jwt.go, HS256), and without one anybody signs those.
func oidc(p platform.Platform) map[string]any {
	return map[string]any{
		"enabled":                  true,
		"configUrl":                p.DiscoveryURL(),
		"existingClientSecretName": ClientSecret,
		"existingClientIdKey":      ClientIDKey,
		"existingClientSecretKey":  ClientSecretKey,
		"claimName":                "policy",
		"scopes":                   "openid,profile,email",
		"redirectUri":              "https://" + p.MinIOConsoleHost() + "/oauth_callback",
		"displayName":              "Onyxia",
	}
}

// persistence keeps the data of a standalone server over an uninstall: the claim is part of the chart, so Helm would delete
// it. The claims of a StatefulSet stay by themselves.
func persistence(in Input) map[string]any {
	values := map[string]any{"enabled": true, "size": in.Platform.S3.Size}
	if in.Platform.S3.StorageClass != "" {
		values["storageClass"] = in.Platform.S3.StorageClass
	}
	switch {
	case in.ExistingClaim != "":
		values["existingClaim"] = in.ExistingClaim
	case !in.Platform.S3.Distributed:
		values["annotations"] = map[string]any{"helm.sh/resource-policy": "keep"}
	}
	return values
}

// ingress serves a host with the default certificate. Uploads have no limit (ingress-nginx has 1 MiB), and are passed on as
// they come instead of being written to the controller's disk first.
func ingress(p platform.Platform, host string) map[string]any {
	return map[string]any{
		"enabled":          true,
		"ingressClassName": p.Ingress.Class,
		"annotations": map[string]any{
			"nginx.ingress.kubernetes.io/proxy-body-size":         "0",
			"nginx.ingress.kubernetes.io/proxy-request-buffering": "off",
		},
		"hosts": []any{host},
		"tls":   []any{map[string]any{"hosts": []any{host}}},
	}
}
