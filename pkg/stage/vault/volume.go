package vault

import (
	"context"
	"fmt"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

// volume is a volume claim of Vault's namespace.
func (s *site) volume(claim string) *kube.Volume {
	return kube.NewVolume(s.env.Kube, s.namespace(), claim, "volume of vault")
}

// firstClaim is the volume of the first server of a flavor: the chart's template is called data.
func firstClaim(flavor string) string { return "data-" + vault.Release{Flavor: flavor}.Pod() }

// flavored looks for the volume of the other program. Each of the two would start empty beside the other's data.
type flavored struct {
	site *site
	// wanted and other are the two.
	wanted, other string
}

func (s *site) flavored() *flavored {
	if s.release.Flavor == vault.FlavorOpenBao {
		return &flavored{site: s, wanted: vault.FlavorOpenBao, other: vault.FlavorVault}
	}
	return &flavored{site: s, wanted: vault.FlavorVault, other: vault.FlavorOpenBao}
}

// Observe tells whether there is the other's volume alone. A server in dev mode has none to look for.
func (f *flavored) Observe(ctx context.Context) (bool, error) {
	if f.site.release.Dev {
		return false, nil
	}
	other, err := f.site.volume(firstClaim(f.other)).Observe(ctx)
	if err != nil || other == nil {
		return false, err
	}
	own, err := f.site.volume(firstClaim(f.wanted)).Observe(ctx)
	return own == nil, err
}

// Plan stops where users would find their folders empty, and the keys would be said to be lost.
func (f *flavored) Plan(alone bool) engine.Change {
	if !alone {
		return engine.Change{Action: engine.Unchanged}
	}
	return engine.Change{
		Action: engine.Blocked,
		Why: fmt.Sprintf("%s was run here, its data is in persistentvolumeclaim/%s, and %s is wanted now, which would begin empty and with other keys",
			f.other, firstClaim(f.other), f.wanted),
		Fix: fmt.Sprintf("set vault.flavor back to %s; to begin anew without those secrets, take that one away first, with that flavor: kubectl onyxia vault uninstall --delete-data %s",
			f.other, volumeID(firstClaim(f.other))),
	}
}

// Apply has nothing to write.
func (f *flavored) Apply(context.Context, bool) error { return nil }
