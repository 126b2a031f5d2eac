package s3

import (
	"context"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3/minio"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// clients makes the steps in the realm: the client of Onyxia's web for S3, the one that MinIO is, and the roles by which
// the groups' buckets are opened. At another issuer a person makes them.
func (s *site) clients() []engine.Step {
	p := s.env.Platform
	var list []engine.Step
	if s.env.Platform.S3.HasMinIOAPI() {
		list = append(list, engine.New(clientID, s.clientSecret(), stage.NamespaceID(s.home())))
	}
	if !s.env.Platform.Auth.ConfiguresRealm() {
		for _, line := range s.byHand() {
			s.env.Warn("s3: " + line)
		}
		return list
	}
	realm := s.env.Keycloak.Realm
	list = append(list, realm.ClientStep(webClient(p)))
	for _, m := range s.mappers() {
		list = append(list, realm.MapperStep(platform.S3ClientID, m, s.mapperNeeds()...))
	}
	if s.env.Platform.S3.HasMinIOAPI() {
		list = append(list, s.minioClient()...)
	}
	return list
}

// mapperNeeds: mappers name the client minio and its roles.
func (s *site) mapperNeeds() []engine.ID {
	if !s.env.Platform.S3.HasMinIOAPI() {
		return nil
	}
	return []engine.ID{keycloak.ClientRoleStepID(platform.S3ConsoleClientID, platform.S3Policy)}
}

// clientSecret is the Secret in which MinIO finds its client of the realm.
func (s *site) clientSecret() *kube.Generated {
	return kube.NewGenerated(s.env.Kube, s.home(), minio.ClientSecret, map[string]kube.Generate{
		minio.ClientIDKey: kube.Literal(platform.S3ConsoleClientID), minio.ClientSecretKey: kube.Password(kube.SecretLength),
	})
}

// webClient is the one by which Onyxia's web gets tokens for S3. Its tokens live as long as the credentials that are asked
// for; its session lives as long as the user's, which would cap it otherwise (defect D42 of the guide).
func webClient(p platform.Platform) keycloak.Client {
	c := keycloak.PublicClient(platform.S3ClientID, []string{p.OnyxiaURL()}, p.OnyxiaURL()+"/*")
	c.PostLogoutRedirectURIs = []string{"+"}
	// The name comes from the one, the policies of groups need the other.
	c.DefaultScopes, c.FullScope = []string{keycloak.ProfileScope}, true
	c.WithoutScopes = []string{keycloak.RolesAsGroupsScope}
	session := p.Auth.SessionTime()
	c.Lifespans = keycloak.ClientLifespans{AccessToken: p.S3.CredentialsTime(), SessionIdle: session, SessionMax: session}
	return c
}

// sole is a mapper whose claim opens buckets, so that nobody else may write it.
func sole(m keycloak.Mapper) keycloak.Mapper {
	m.Sole = true
	return m
}

// mappers are what makes a token one that the server takes.
func (s *site) mappers() []keycloak.Mapper {
	groups := keycloak.GroupsMapper(s.env.Platform.Auth.GroupsClaim)
	if s.env.Platform.S3.HasMinIOAPI() {
		return []keycloak.Mapper{
			keycloak.HardcodedRoleMapper(everybodyMapper, platform.S3ConsoleClientID, platform.S3Policy),
			sole(keycloak.ClientRolesMapper(policyMapper, platform.S3ConsoleClientID, "policy")),
			keycloak.AudienceMapper(audienceMapper, platform.S3ConsoleClientID),
			groups,
		}
	}
	list := []keycloak.Mapper{keycloak.AudienceMapper(audienceMapper, platform.S3ClientID), groups, sole(sessionTags(s.env.Platform.Auth.UsernameClaim))}
	if s.env.Platform.S3.Kind == platform.S3KindCeph {
		list = append(list, sole(groupTags()))
	}
	return list
}

// tagPath is where AWS and Ceph look for session tags in a token, as a mapper names it: the dots of the claim's own name are
// escaped, the others nest (seen in the tokens of Keycloak 20.0.5 and 26.5.6).
const tagPath = `https://aws\.amazon\.com/tags.principal_tags.`

// sessionTags puts the user's name there.
func sessionTags(tag string) keycloak.Mapper {
	return keycloak.Mapper{Name: tagsMapper, Type: "oidc-usermodel-attribute-mapper", Config: map[string]string{
		"user.attribute": "username", "claim.name": tagPath + tag, "multivalued": "true",
		"jsonType.label": "String", "access.token.claim": "true", "id.token.claim": "false",
	}}
}

// groupTags puts the names of the user's groups there. AWS takes one value for each tag.
func groupTags() keycloak.Mapper {
	return keycloak.Mapper{Name: groupTagsMapper, Type: "oidc-group-membership-mapper", Config: map[string]string{
		"claim.name": tagPath + s3.GroupsTag, "full.path": "false", "access.token.claim": "true", "id.token.claim": "false",
	}}
}

// minioClient is MinIO as a client of the realm, with its roles. People log in to its console by it, where it has such a
// login.
func (s *site) minioClient() []engine.Step {
	p, realm := s.env.Platform, s.env.Keycloak.Realm
	secret := s.clientSecret()
	client := keycloak.Client{
		ID: platform.S3ConsoleClientID, Name: "MinIO", Confidential: true,
		Secret: func(ctx context.Context) (string, error) {
			value, err := secret.Value(ctx, minio.ClientSecretKey)
			return value.Reveal(), err
		},
	}
	if s.env.Platform.S3.InstallsMinIO() {
		client.StandardFlow, client.RedirectURIs = true, []string{"https://" + p.MinIOConsoleHost() + "/oauth_callback"}
	}
	// The console reads the claim in the ID token.
	console := sole(keycloak.ClientRolesMapper(policyMapper, platform.S3ConsoleClientID, "policy"))
	console.Config["id.token.claim"] = "true"
	everybody := keycloak.HardcodedRoleMapper(everybodyMapper, platform.S3ConsoleClientID, platform.S3Policy)
	list := []engine.Step{
		realm.ClientStep(client, clientID),
		s.roles.Step(platform.S3Policy, everybodyRole),
		realm.MapperStep(platform.S3ConsoleClientID, everybody, keycloak.ClientRoleStepID(platform.S3ConsoleClientID, platform.S3Policy)),
		realm.MapperStep(platform.S3ConsoleClientID, console),
		realm.OwnGroupStep(s3.ProofGroup),
	}
	return append(list, s.memberships()...)
}

// memberships are the roles of the configuration's groups: a role opens the bucket of its name.
func (s *site) memberships() []engine.Step {
	var list []engine.Step
	made := map[string]bool{}
	for _, g := range append([]group{{path: s3.ProofGroup, name: s3.ProofGroup}}, s.groups...) {
		role := s.env.Platform.Prefixes.Group + g.name
		if !made[role] {
			made[role] = true
			list = append(list, s.roles.Step(role, memberRole))
		}
		list = append(list, s.roles.GrantStep(g.path, role))
	}
	return list
}

// byHand is what a person has to do at an issuer that is not ours to configure.
func (s *site) byHand() []string {
	p := s.env.Platform
	lines := []string{
		"make a public client " + platform.S3ClientID + " at the issuer, with PKCE, the redirect addresses " + p.OnyxiaURL() +
			"/*, and the groups in the claim " + p.Auth.GroupsClaim,
	}
	if !s.env.Platform.S3.HasMinIOAPI() {
		return append(lines, "its access tokens need the audience "+platform.S3ClientID+" and the session tags that s3 configure prints")
	}
	return append(lines,
		"its access tokens need the audience "+platform.S3ConsoleClientID+" and a claim policy: the list of "+platform.S3Policy+
			" and, for each group of the user, "+p.Prefixes.Group+"GROUP",
		"MANDATORY: every access token of that client has the user's name in the claim "+p.Auth.UsernameClaim+", as one text, which is theirs alone, never given to a second person, and not theirs to change. "+s3.MissingName(p.Auth.UsernameClaim)+
			", and nothing in MinIO can prevent it. Show that it is there: kubectl onyxia s3 configure --user-token FILE",
	)
}
