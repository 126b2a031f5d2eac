package s3

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3/minio"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// site is one S3 server, as one run sees it.
type site struct {
	env     stage.Env
	options Options
	// tenancy has the groups of the configuration, and the one for proofs.
	tenancy s3.Tenancy
	// groups of the configuration by path, with a name that can have a bucket.
	groups []group
	// roles of client minio; nil where the realm is not ours to configure.
	roles *keycloak.ClientRoles
	// root is the administrator of a MinIO that we install.
	root *kube.Generated
	// http reaches the server's own API.
	http *http.Client
}

// group is a group of the realm.
type group struct {
	// name is the last part of the path: Onyxia and tokens know groups by that.
	path, name string
}

// longestForeignName turns on the full guard against hostile names where users may have got theirs past our sign-up rule: at an
// issuer that is not ours, and in a Keycloak that was there before, from a directory, a broker or a console.
const longestForeignName = 30

// maxBucketName is what S3 takes.
const maxBucketName = 63

// requestTime bounds one request to the server's own API, and one of the proof, which is not asked again as readiness is.
const requestTime = time.Minute

// idleTime is how long a connection to MinIO is kept for the next request: less than the 30 seconds after which MinIO ends it
// (internal/http/server.go), so that no write goes out by one that is ending.
const idleTime = 20 * time.Second

func newSite(env stage.Env, o Options) (*site, error) {
	s := &site{env: env, options: o}
	p := env.Platform
	s.selectGroups(p)
	if s.env.Platform.Auth.ConfiguresRealm() && s.env.Platform.S3.HasMinIOAPI() {
		s.roles = env.Keycloak.Realm.ClientRoles(platform.S3ConsoleClientID)
	}
	if !s.env.Platform.S3.InstallsMinIO() {
		var err error
		s.http, err = s.proofHTTPClient()
		return s, err
	}
	s.root = kube.NewGenerated(env.Kube, p.S3.Namespace, minio.RootSecret, map[string]kube.Generate{
		minio.RootUserKey: kube.Literal("onyxia-root"), minio.RootPasswordKey: kube.Password(kube.SecretLength),
	})
	dial := stage.TunnelDialer(env.Kube, p.S3.Namespace, service, port, releaseID)
	s.http = secret.Client(&http.Transport{DialContext: dial, IdleConnTimeout: idleTime}, requestTime)
	return s, nil
}

// proofHTTPClient is a client of the public address for requests that are made once.
func (s *site) proofHTTPClient() (*http.Client, error) {
	client, err := s.env.Public()
	if err != nil {
		return nil, err
	}
	client.Timeout = requestTime
	return client, nil
}

// selectGroups decides which groups have buckets. A name that can have none is told and left out.
func (s *site) selectGroups(p platform.Platform) {
	var names []string
	for _, path := range p.Auth.Groups {
		path = strings.Trim(path, "/")
		g := group{path: path, name: platform.GroupName(path)}
		if _, err := s3.For(p, nil).GroupBucket(g.name); err != nil {
			s.env.Warn("s3: " + err.Error() + "; it gets none")
			continue
		}
		s.groups = append(s.groups, g)
		if !slices.Contains(names, g.name) {
			names = append(names, g.name)
		}
	}
	s.tenancy = s3.For(p, names)
	if s.env.Platform.Auth.ConfiguresRealm() && s.env.Platform.S3.HasMinIOAPI() {
		s.tenancy.Groups = append(s.tenancy.Groups, s3.ProofGroup)
	}
	if !p.Auth.InstallsKeycloak() {
		s.tenancy.LongestName = longestForeignName
		s.tellNames()
	}
}

// tellNames says whom S3 will refuse, because nobody keeps such names from users who came by another way than our sign-up.
func (s *site) tellNames() {
	p := s.env.Platform
	if !s.env.Platform.S3.HasMinIOAPI() {
		s.env.Warn(fmt.Sprintf("s3: who has anything but lower case letters, digits, dots and dashes in the claim %s, or more than %d characters, has no bucket: S3 takes no such name", p.Auth.UsernameClaim, maxBucketName-len(p.Prefixes.User)))
		return
	}
	sub, advice := "", "rename them there"
	if !s.env.Platform.Auth.ConfiguresRealm() {
		sub, advice = " (the id that many issuers put into sub has 36)", "take another claim by auth.usernameClaim, or mend the names there"
	}
	s.env.Warn(fmt.Sprintf("s3: who has anything but a-z, 0-9 and dashes in the claim %s, or more than %d characters%s, is refused with 403 wherever they ask MinIO: "+
		"such names may open other people's buckets, and not all users of %s came by our sign-up, which refuses them; %s", p.Auth.UsernameClaim, longestForeignName, sub, p.Issuer(), advice))
}

// distributed tells whether MinIO runs as several servers: by the configuration, or else by the profile.
func (s *site) distributed() bool {
	return s.env.Platform.S3.Distributed || s.env.Profile.Components["minio"].Mode == "distributed"
}

// home is the namespace of the stage's Secrets.
func (s *site) home() string {
	if s.env.Platform.S3.InstallsMinIO() {
		return s.env.Platform.S3.Namespace
	}
	return s.env.Platform.App.Namespace
}

// endpoint of the server's own API.
func (s *site) endpoint() string {
	if s.env.Platform.S3.InstallsMinIO() {
		return fmt.Sprintf("http://%s.%s.svc:%d", service, s.env.Platform.S3.Namespace, port)
	}
	return s.env.Platform.S3URL()
}

// client reaches the server with the rights of its administrator.
func (s *site) client(ctx context.Context) (*s3.Client, error) {
	credentials, err := s.credentials(ctx)
	if err != nil {
		return nil, err
	}
	return &s3.Client{Endpoint: s.endpoint(), Region: s.env.Platform.S3.Region, HTTP: s.http, Credentials: credentials}, nil
}

func (s *site) credentials(ctx context.Context) (s3.Credentials, error) {
	if !s.env.Platform.S3.InstallsMinIO() {
		return namedCredentials(ctx, s.env.Kube, s.env.Platform.S3.CredentialsSecret)
	}
	user, err := s.root.Value(ctx, minio.RootUserKey)
	if err != nil {
		return s3.Credentials{}, err
	}
	password, err := s.root.Value(ctx, minio.RootPasswordKey)
	if err != nil {
		return s3.Credentials{}, err
	}
	return s3.NewCredentials(user.Reveal(), password.Reveal(), "", time.Time{}), nil
}

// namedCredentials are those of a MinIO that was there before.
func namedCredentials(ctx context.Context, client *kube.Client, named string) (s3.Credentials, error) {
	secret, err := client.NamedSecret(ctx, "s3.credentialsSecret", named, minio.RootUserKey, minio.RootPasswordKey)
	if err != nil {
		return s3.Credentials{}, err
	}
	return s3.NewCredentials(secret[minio.RootUserKey], secret[minio.RootPasswordKey], "", time.Time{}), nil
}

// afterServer are the steps without which the server's own API is not to be used.
func (s *site) afterServer() []engine.ID {
	if s.env.Platform.S3.HasMinIOAPI() {
		return []engine.ID{loadedID}
	}
	return nil
}

// say tells a line to whoever listens.
func (s *site) say(line string) {
	if s.options.Say != nil {
		s.options.Say(line)
	}
}
