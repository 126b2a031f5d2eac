package vault

import (
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/onyxia"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

const (
	// groupsOfAUser that count; upstream's documentation has as many.
	groupsOfAUser = 10
	// userTTL is how long a user's token for Vault lives, and userMaxTTL how long a service that has one may renew it.
	userTTL, userMaxTTL = 24 * time.Hour, 7 * 24 * time.Hour
)

// setup is all that Onyxia needs inside Vault.
func (s *site) setup() (vault.Setup, error) {
	p := s.env.Platform
	component, err := s.env.Profile.Component("onyxia")
	if err != nil {
		return vault.Setup{}, err
	}
	schema, err := onyxia.Generation(component.Chart.Version)
	if err != nil {
		return vault.Setup{}, err
	}
	user, group := schema.VaultFolders(p)
	setup := vault.Setup{
		Access: s.session.client, Needs: []engine.ID{rightsID},
		AuthPath: p.Vault.AuthPath, KV: p.Vault.KVEngine, PolicyName: p.VaultPolicy(), RoleName: platform.VaultRole,
		Issuer: p.Issuer(), CAPEM: string(p.CAPEM), Audience: platform.VaultClientID,
		UserClaim: p.Auth.UsernameClaim, GroupsClaim: p.Auth.GroupsClaim,
		UserPrefix: user, GroupPrefix: group, NamesChecked: s.env.Platform.Auth.ConfiguresRealm(), Groups: groupsOfAUser,
		TTL: userTTL, MaxTTL: userMaxTTL, Origin: p.OnyxiaURL(), UI: s.uiLogin(),
		Lasting: !s.external(), Shared: s.external(),
	}
	if !p.Auth.InstallsKeycloak() || user == "" {
		// The users of a realm that was there before may be older than its rule for names; and without a prefix a name that
		// slipped through opens the folder of a group.
		setup.Names = func(doubt string) { s.env.Warn("vault: " + doubt) }
	}
	if !s.external() {
		setup.AuditFile, setup.AuditDeclared = "stdout", s.release.Flavor == vault.FlavorOpenBao
	}
	if s.release.Dev && s.release.Flavor == vault.FlavorOpenBao {
		// It takes no audit device by its API (see vault.Setup.AuditDeclared), and a server in dev mode has no configuration.
		setup.AuditFile, setup.AuditDeclared = "", false
	}
	if s.operated() {
		setup.Operator = &vault.OperatorLogin{Role: operatorRole, UserClaim: "azp", Claims: map[string]string{"azp": operatorClient}}
	}
	return setup, nil
}
