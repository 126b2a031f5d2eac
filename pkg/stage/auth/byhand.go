package auth

import (
	"fmt"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// ByHand is what has to be done at an issuer that is not ours to configure, a line for each client; nothing for a Keycloak.
// The audiences are those that MinIO (identity_openid client_id) and Vault (bound_audiences) are told to ask for.
func ByHand(p platform.Platform) []string {
	if !p.Auth.OtherIssuer() {
		return nil
	}
	client := func(id, tokens string) string {
		return fmt.Sprintf("client %s: public, authorization code with PKCE (S256), redirect URI %s/*, web origin %s; %s", id, p.OnyxiaURL(), p.OnyxiaURL(), tokens)
	}
	claims := fmt.Sprintf("in its access tokens %s (at most %d lower-case letters, digits and dashes, because namespaces and hosts of services are called so) and %s (a list of names)",
		p.Auth.UsernameClaim, p.MaxUsername(), p.Auth.GroupsClaim)
	list := []string{client(p.Auth.ClientID, claims)}
	if p.HasS3() {
		tokens := fmt.Sprintf("in its access tokens %s among the audiences", platform.S3ClientID)
		if p.S3.HasMinIOAPI() {
			tokens = fmt.Sprintf("in its access tokens %s among the audiences, policy (a list of names: %s for everybody, %sGROUP for each group of a user), and, MANDATORY, %s as one text that is never given to a second person and is not its user's to change: "+
				"from a token without it MinIO lets its user choose the name, and with it any user's bucket; kubectl onyxia s3 configure --user-token FILE shows that it is there",
				platform.S3ConsoleClientID, platform.S3Policy, p.Prefixes.Group, p.Auth.UsernameClaim)
		}
		list = append(list, client(platform.S3ClientID, tokens))
	}
	if p.HasVault() {
		list = append(list, client(platform.VaultClientID, fmt.Sprintf("in its access tokens %s among the audiences, and %s", platform.VaultClientID,
			strings.Join([]string{p.Auth.UsernameClaim, p.Auth.GroupsClaim}, " and "))))
	}
	return list
}
