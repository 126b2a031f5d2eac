package vault

import (
	"context"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

// audience is the name of the mapper by which a token is for Vault.
const audience = "vault audience"

// clients makes the steps in the realm: the client of Onyxia's web for Vault, that of Vault's own pages, and the service
// account that configures Vault. At another issuer a person makes them.
func (s *site) clients() []engine.Step {
	p := s.env.Platform
	if !s.env.Platform.Auth.ConfiguresRealm() {
		s.env.Warn("vault: make a public client " + platform.VaultClientID + " at the issuer, with PKCE, the redirect addresses " + p.OnyxiaURL() + "/* and " +
			p.VaultURL() + "/*, the audience " + platform.VaultClientID + " in its access tokens, and the groups in the claim " + p.Auth.GroupsClaim)
		return nil
	}
	list := s.client(webClient(p))
	if s.operated() {
		list = append(list, s.client(keycloak.Client{ID: operatorClient, Name: "Configures Vault for Onyxia", Confidential: true, ServiceAccount: true})...)
	}
	if s.pages() {
		list = append(list, s.client(keycloak.Client{
			ID: uiClient, Name: "Vault's own pages", Confidential: true, StandardFlow: true,
			RedirectURIs: []string{p.VaultURL() + "/ui/vault/auth/" + uiAuth + "/oidc/callback"}, WebOrigins: []string{p.VaultURL()},
			WithoutScopes: []string{keycloak.RolesAsGroupsScope},
		})...)
	}
	return list
}

// client makes the steps of one client, with what is put into its tokens.
func (s *site) client(c keycloak.Client) []engine.Step {
	list := []engine.Step{s.env.Keycloak.Realm.ClientStep(c)}
	for _, m := range s.mappers(c.ID) {
		list = append(list, s.env.Keycloak.Realm.MapperStep(c.ID, m))
	}
	return list
}

// mappers are what is put into the tokens of a client.
func (s *site) mappers(client string) []keycloak.Mapper {
	// Whatever stands in that claim opens the folders of those groups.
	groups := keycloak.SoleGroupsMapper(s.env.Platform.Auth.GroupsClaim)
	forVault := keycloak.AudienceMapper(audience, platform.VaultClientID)
	switch client {
	case platform.VaultClientID:
		return []keycloak.Mapper{forVault, groups}
	case operatorClient:
		return []keycloak.Mapper{forVault}
	case uiClient:
		return []keycloak.Mapper{groups}
	}
	return nil
}

// webClient is the one by which Onyxia's web gets tokens for Vault. Its login comes back to the Onyxia host, so that one
// has to be among the redirect addresses (the guide has Vault's alone, and the page ends in "Invalid parameter: redirect_uri").
func webClient(p platform.Platform) keycloak.Client {
	c := keycloak.PublicClient(platform.VaultClientID, []string{p.OnyxiaURL(), p.VaultURL()}, p.OnyxiaURL()+"/*", p.VaultURL()+"/*")
	c.PostLogoutRedirectURIs = []string{"+"}
	c.DefaultScopes, c.WithoutScopes = []string{keycloak.ProfileScope}, []string{keycloak.RolesAsGroupsScope}
	return c
}

// pages tells whether people log in on Vault's own pages with the realm. A Vault that others run has a way of its own.
func (s *site) pages() bool { return s.env.Platform.Auth.ConfiguresRealm() && !s.external() }

// uiLogin is that login.
func (s *site) uiLogin() *vault.UILogin {
	if !s.pages() {
		return nil
	}
	secret := func(ctx context.Context) (vault.Secret, error) {
		value, err := s.env.Keycloak.Realm.ClientSecret(ctx, uiClient)
		return vault.NewSecret(value), err
	}
	return &vault.UILogin{
		Client: vault.OIDCClient{ID: uiClient, Secret: secret}, URL: s.env.Platform.VaultURL(),
		AuthPath: uiAuth, PolicyName: uiName, RoleName: uiName,
	}
}
