package vault

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/helm"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// server makes the steps of the server itself: its namespace, its release and its volumes.
func (s *site) server() ([]engine.Step, error) {
	rendered, err := s.release.Values()
	if err != nil {
		return nil, err
	}
	ns := stage.NamespaceID(s.namespace())
	options := []kube.NamespaceOption{kube.Releases(s.release.Name()), kube.Holding(KeysSecret), kube.Holding(s.env.Platform.NamedSecrets(s.namespace())...)}
	release := s.env.Helm.Release(helm.Release{
		Name: s.release.Name(), Namespace: s.namespace(), Chart: s.chart,
		Values: func(context.Context) (map[string]any, error) {
			return stage.Overlay(rendered, s.env.Platform.Vault.Values), nil
		},
		Others: helm.Others{
			Holds:   everySecret,
			Instead: "set vault.mode to external and vault.url to its address",
			Unfit:   otherStorage,
		},
	})
	list := []engine.Step{
		engine.New(ns, kube.NewNamespace(s.env.Kube, s.namespace(), kube.Baseline, kube.Restricted, options...)),
		engine.New(flavorID, s.flavored(), ns),
		engine.New(s.releaseID(), &sealable{ReleaseResource: release, site: s}, ns, flavorID),
	}
	for _, claim := range s.claims() {
		list = append(list, engine.New(volumeID(claim), s.volume(claim), s.releaseID()).
			HoldingData(everySecret))
	}
	return list, nil
}

// everySecret is what a Vault holds.
const everySecret = "every secret of every user"

// otherStorage says why a Vault of another party cannot become ours: raft begins empty beside what another storage wrote, the
// server then looks uninitialised, and new keys would be made over the old data.
func otherStorage(objects []*unstructured.Unstructured) string {
	stanza := regexp.MustCompile(`(?m)(?:^|[{,])\s*"?(?:storage|backend)"?[\s:={]*"(\w+)"`)
	var kinds []string
	for _, u := range objects {
		data, _, err := unstructured.NestedStringMap(u.Object, "data")
		if u.GetKind() != "ConfigMap" || err != nil {
			continue
		}
		for _, text := range data {
			for _, found := range stanza.FindAllStringSubmatch(text, -1) {
				kinds = append(kinds, found[1])
			}
		}
	}
	kinds = slices.Compact(slices.Sorted(slices.Values(kinds)))
	const never = ", and the datalab's keeps its data on raft, which would begin empty beside what is there: move the data first with Vault's own operator migrate"
	switch {
	case len(kinds) == 0:
		return "what it keeps its data on cannot be told from its configuration" + never
	case len(kinds) > 1 || kinds[0] != "raft":
		return "it keeps its data on storage " + strings.Join(kinds, ", ") + never
	}
	return ""
}

// sealable is the release of a server that may be sealed. Its pod is ready only when it is open, and opening it is the
// business of a later step.
type sealable struct {
	*helm.ReleaseResource
	site *site
}

// Ready is the release's, but for servers that answer and are waiting for their keys.
func (r *sealable) Ready(ctx context.Context) (engine.Health, error) {
	health, err := r.ReleaseResource.Ready(ctx)
	if err != nil {
		return health, err
	}
	if health.Ready {
		if health.Reason != "" {
			r.site.env.Warn(fmt.Sprintf("release %s: %s; delete one after the other, and open each with `kubectl onyxia vault unseal`", r.Name, health.Reason))
		}
		return health, nil
	}
	waiting := 0
	for _, server := range r.site.reached {
		seal, err := server.SealStatus(ctx)
		if err != nil {
			return health, nil
		}
		if seal.Sealed || !seal.Initialised {
			waiting++
		}
	}
	if waiting == 0 {
		return health, nil
	}
	return engine.Health{Ready: true}, nil
}
