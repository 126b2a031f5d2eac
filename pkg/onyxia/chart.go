package onyxia

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
)

// The parts of the chart's values that both generations share.

type ingress struct {
	Enabled   bool          `json:"enabled"`
	ClassName string        `json:"ingressClassName"`
	Hosts     []ingressHost `json:"hosts"`
	TLS       []ingressTLS  `json:"tls"`
}

type ingressHost struct {
	Host string `json:"host"`
}

// ingressTLS has no secret: the controller serves its default certificate, and because of the block it redirects http
// (D6).
type ingressTLS struct {
	Hosts []string `json:"hosts"`
}

type image struct {
	Repository string `json:"repository"`
	Tag        string `json:"tag"`
}

type resources struct {
	Requests requests `json:"requests"`
}

type requests struct {
	CPU    string `json:"cpu"`
	Memory string `json:"memory"`
}

type serviceAccount struct {
	ClusterAdmin bool `json:"clusterAdmin"`
}

type web struct {
	Image     *image            `json:"image,omitempty"`
	Resources resources         `json:"resources"`
	Env       map[string]string `json:"env,omitempty"`
}

type api struct {
	Image             *image            `json:"image,omitempty"`
	PodLabels         map[string]string `json:"podLabels,omitempty"`
	Resources         resources         `json:"resources"`
	ServiceAccount    *serviceAccount   `json:"serviceAccount,omitempty"`
	ExtraVolumes      []volume          `json:"extraVolumes,omitempty"`
	ExtraVolumeMounts []volumeMount     `json:"extraVolumeMounts,omitempty"`
	Env               map[string]string `json:"env"`
	Regions           []any             `json:"regions"`
}

type volume struct {
	Name      string          `json:"name"`
	ConfigMap volumeConfigMap `json:"configMap"`
}

type volumeConfigMap struct {
	Name string `json:"name"`
}

type volumeMount struct {
	Name      string `json:"name"`
	MountPath string `json:"mountPath"`
	ReadOnly  bool   `json:"readOnly"`
}

// newIngress takes host and class from the platform alone: one name in the rule, the certificate and the login (D4), and
// the class in its field rather than in the annotation, which Kubernetes no longer reads (D5).
func newIngress(p platform.Platform) ingress {
	return ingress{
		Enabled:   true,
		ClassName: p.Ingress.Class,
		Hosts:     []ingressHost{{Host: p.OnyxiaHost()}},
		TLS:       []ingressTLS{{Hosts: []string{p.OnyxiaHost()}}},
	}
}

// newWeb and newAPI ask for what was seen in use: nginx with 7 MB, the API with 300 MiB. Charts from 7.0 on ask for a
// whole CPU for the API, which a small node has not.
func newWeb(in Input) (web, error) {
	image, err := override(in.Images, "web")
	return web{Image: image, Resources: resources{requests{CPU: "50m", Memory: "64Mi"}}, Env: map[string]string{}}, err
}

func newAPI(in Input) (api, error) {
	image, err := override(in.Images, "api")
	a := api{Image: image, Resources: resources{requests{CPU: "100m", Memory: "512Mi"}}, Env: map[string]string{"authentication.mode": "none"}}
	if in.CAConfigMap != "" {
		a.ExtraVolumes = []volume{{Name: caVolume, ConfigMap: volumeConfigMap{Name: in.CAConfigMap}}}
		a.ExtraVolumeMounts = []volumeMount{{Name: caVolume, MountPath: caFolder, ReadOnly: true}}
		a.PodLabels = map[string]string{caLabel: digest(in.Platform.CAPEM)}
	}
	return a, err
}

// caFolder is the image's CACERTS_DIR: its entrypoint adds every file there to Java's trust store (API v0.30 and v4.12.0).
const (
	caFolder = "/usr/local/share/ca-certificates"
	caVolume = "private-ca"
)

// caLabel changes with the authorities, so that the pod is replaced and reads them: it does so at its start only.
const caLabel = "kubectl-onyxia/private-ca"

// digest is short enough for the value of a label (63 characters).
func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

func override(images map[string]string, role string) (*image, error) {
	reference, ok := images[role]
	if !ok {
		return nil, nil
	}
	parsed, err := profile.ParseImage(reference)
	if err != nil {
		return nil, fmt.Errorf("image onyxia-%s: %w", role, err)
	}
	repository, tag := parsed.Halves()
	return &image{Repository: repository, Tag: tag}, nil
}

// terms is TERMS_OF_SERVICES as the web reads it: an address, or JSON with one for each language.
func terms(p platform.Platform) (string, error) {
	if len(p.Auth.Terms) == 1 {
		for _, url := range p.Auth.Terms {
			return url, nil
		}
	}
	text, err := json.Marshal(p.Auth.Terms)
	if err != nil {
		return "", fmt.Errorf("auth.terms: %w", err)
	}
	return string(text), nil
}
