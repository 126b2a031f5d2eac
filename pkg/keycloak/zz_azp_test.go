package keycloak

import (
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak/keycloaktest"
)

func TestZZAzp(t *testing.T) {
	for _, version := range keycloaktest.Versions(t) {
		m := &minioLab{lab: newLab(keycloaktest.Start(t, version), "azp")}
		m.up(t)
		err := m.realm.AddProofClient(t.Context(), Client{ID: "proof", DirectGrants: true}, HardcodedClaim("azp", "azp", "onyxia-minio"),
			AudienceMapper("a", "onyxia-minio"),
			Mapper{Name: "tags", Type: "oidc-usermodel-attribute-mapper", Config: map[string]string{"user.attribute": "username", "claim.name": `https://aws\.amazon\.com/tags.principal_tags.preferred_username`, "multivalued": "true", "jsonType.label": "String", "access.token.claim": "true", "id.token.claim": "false"}})
		if err != nil {
			t.Fatal(err)
		}
		pw, err := m.realm.AddProofUser(t.Context(), NewUser{Name: "xavier", Email: "x@demo.test", FirstName: "A", LastName: "B"})
		if err != nil {
			t.Fatal(err)
		}
		tok, err := m.realm.UserTokens(t.Context(), Credentials{ClientID: "proof", Username: "xavier", Password: pw})
		if err != nil {
			t.Fatal(err)
		}
		c, _ := ParseClaims(tok.Access)
		t.Logf("%s: %v", version, c)
	}
}
