package vault

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/helm"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// The steps that commands know by name.
const (
	// KeysID is Vault being initialised: it has keys, and they were handed over.
	KeysID engine.ID = "keys.vault/unseal"
	// flavorID keeps one program from being put in the place of the other, beside its data.
	flavorID engine.ID = "volumes.vault/flavor"
	// rightsID is a session with the rights to configure.
	rightsID engine.ID = "session.vault/operator"
	// reachID is Vault as Onyxia's pages reach it.
	reachID engine.ID = "reach.vault/onyxia"
	// rootTokenID is the root token, which is gone once all stands.
	rootTokenID engine.ID = "token.vault/root"
)

// KeysSecret is the Secret that holds the keys if somebody asked for that by name, in Vault's namespace.
const KeysSecret = "vault-keys"

// The clients in the realm besides the one of Onyxia's web, platform.VaultClientID.
const (
	// operatorClient is the service account that configures Vault, with the role of that name in Vault.
	operatorClient = "onyxia-vault-operator"
	operatorRole   = "onyxia-operator"
	// uiClient is for people who log in on Vault's own pages; the other names are those inside Vault.
	uiClient = "vault-ui"
	uiAuth   = "oidc"
	uiName   = "onyxia-ui"
)

// sealID is one server, open.
func sealID(server string) engine.ID { return engine.ID(sealPrefix + server) }

const sealPrefix = "seal.vault/"

// Unseals tells the steps of `vault unseal`.
func Unseals(s engine.Step) bool {
	return s.ID == KeysID || strings.HasPrefix(string(s.ID), sealPrefix)
}

// Proves tells the steps of `vault proof`.
func Proves(s engine.Step) bool {
	return Unseals(s) || slices.Contains([]engine.ID{rightsID, reachID, stage.VaultReadyID}, s.ID)
}

// volumeID is the volume of one server.
func volumeID(claim string) engine.ID { return engine.ID("persistentvolumeclaim/" + claim) }

// releaseID is the release of the server.
func (s *site) releaseID() engine.ID { return helm.ReleaseID(s.release.Name()) }

// servers are the names of the servers: the pods of the StatefulSet, or the one that lives elsewhere.
func (s *site) servers() []string {
	if s.external() {
		return []string{"external"}
	}
	replicas := s.release.Replicas
	if s.release.Dev {
		replicas = 1
	}
	names := make([]string, replicas)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%d", s.release.Name(), i)
	}
	return names
}

// claims are the volumes of the servers: the chart's template is called data.
func (s *site) claims() []string {
	if s.external() || s.release.Dev {
		return nil
	}
	claims := s.servers()
	for i, server := range claims {
		claims[i] = "data-" + server
	}
	return claims
}
