package s3

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// listed makes the steps of a configuration. Nothing is sent anywhere for that.
func listed(t *testing.T, change func(*platform.Config)) (map[engine.ID]engine.Step, string, error) {
	t.Helper()
	config := platform.Config{Domain: "demo.test"}
	config.Auth.Groups = []string{"group1", "parent/child"}
	if change != nil {
		change(&config)
	}
	var warned []string
	env := environment(t, config, &kube.Client{}, func(line string) { warned = append(warned, line) })
	list, err := Stage().Steps(t.Context(), env)
	steps := map[engine.ID]engine.Step{}
	for _, s := range list {
		if _, twice := steps[s.ID]; twice {
			t.Errorf("%s is there twice", s.ID)
		}
		steps[s.ID] = s
	}
	return steps, strings.Join(warned, "\n"), err
}

const (
	everywhere = "reach.s3/onyxia proof.s3/onyxia"
	webSteps   = "client.keycloak/onyxia-minio mapper.keycloak/onyxia-minio.s3_audience mapper.keycloak/onyxia-minio.groups"
	minioRealm = webSteps + " mapper.keycloak/onyxia-minio.s3_everybody mapper.keycloak/onyxia-minio.s3_policy secret/minio-oidc client.keycloak/minio " +
		"mapper.keycloak/minio.s3_everybody mapper.keycloak/minio.s3_policy role.keycloak/minio.stsonly group.keycloak/onyxia-s3-proof-group " +
		"role.keycloak/minio.projet-onyxia-s3-proof-group rolemapping.keycloak/onyxia-s3-proof-group.minio.projet-onyxia-s3-proof-group " +
		"role.keycloak/minio.projet-group1 rolemapping.keycloak/group1.minio.projet-group1 " +
		"role.keycloak/minio.projet-child rolemapping.keycloak/parent/child.minio.projet-child"
	inMinIO  = "ready.s3/minio policy.s3/stsonly policy.s3/projet-group1 policy.s3/projet-child groups.s3/realm bucket.s3/projet-group1 bucket.s3/projet-child"
	toProve  = "policy.s3/projet-onyxia-s3-proof-group"
	ofServer = "namespace/minio secret/minio-root volumes.minio/layout release.helm/minio"
)

func TestSteps(t *testing.T) {
	external := func(kind string) func(*platform.Config) {
		return func(c *platform.Config) {
			c.S3.Mode, c.S3.URL, c.S3.Kind = "external", "https://s3.example.org", kind
			c.S3.CredentialsSecret, c.S3.SessionDuration = "onyxia/theirs", "12h"
			if kind != "minio" {
				c.S3.RoleARN = "arn:aws:iam::123456789012:role/onyxia"
			}
		}
	}
	for name, tc := range map[string]struct {
		change func(*platform.Config)
		want   string
		warns  string
	}{
		"install": {nil, ofServer + " persistentvolumeclaim/minio-data " + minioRealm + " " + inMinIO + " " + toProve + " " + everywhere, ""},
		"private authority, quota": {func(c *platform.Config) {
			c.Trust.CABundle = certificate
			c.S3.Quota = "10Gi"
		}, ofServer + " persistentvolumeclaim/minio-data secret/minio-trust " + minioRealm + " " + inMinIO + " " + toProve + " buckets.s3/settings " + everywhere, ""},
		"distributed": {func(c *platform.Config) { c.S3.Distributed = true }, ofServer + " persistentvolumeclaim/export-minio-0 persistentvolumeclaim/export-minio-1 " +
			"persistentvolumeclaim/export-minio-2 persistentvolumeclaim/export-minio-3 " + minioRealm + " " + inMinIO + " " + toProve + " " + everywhere, ""},
		"a MinIO elsewhere": {external("minio"), minioRealm + " " + inMinIO + " " + toProve + " " + everywhere, ""},
		"AWS":               {external("aws"), webSteps + " mapper.keycloak/onyxia-minio.s3_session_tags " + everywhere, ""},
		"Ceph":              {external("ceph"), webSteps + " mapper.keycloak/onyxia-minio.s3_session_tags mapper.keycloak/onyxia-minio.s3_group_tags " + everywhere, ""},
		"AWS, another issuer": {func(c *platform.Config) {
			external("aws")(c)
			c.Auth.Mode, c.Auth.URL = "oidc", "https://sso.example.org"
		}, everywhere, "or more than 58 characters, has no bucket"},
		"another issuer, its names": {func(c *platform.Config) {
			c.Auth.Mode, c.Auth.URL, c.Auth.UsernameClaim = "oidc", "https://sso.example.org", "sub"
		},
			ofServer + " persistentvolumeclaim/minio-data secret/minio-oidc " + inMinIO + " " + everywhere,
			"who has anything but a-z, 0-9 and dashes in the claim sub, or more than 30 characters (the id that many issuers put into sub has 36), is refused with 403"},
		"another issuer": {func(c *platform.Config) { c.Auth.Mode, c.Auth.URL = "oidc", "https://sso.example.org" },
			ofServer + " persistentvolumeclaim/minio-data secret/minio-oidc " + inMinIO + " " + everywhere, "make a public client onyxia-minio at the issuer"},
		"another issuer, the claim": {func(c *platform.Config) { c.Auth.Mode, c.Auth.URL = "oidc", "https://sso.example.org" },
			ofServer + " persistentvolumeclaim/minio-data secret/minio-oidc " + inMinIO + " " + everywhere,
			"MANDATORY: every access token of that client has the user's name in the claim preferred_username, as one text, which is theirs alone, never given to a second person, and not theirs to change. Where a token lacks it, MinIO takes the name from the request's own address (?preferred_username=alice)"},
		"a Keycloak from before": {func(c *platform.Config) {
			c.Auth.Mode, c.Auth.URL, c.Auth.CredentialsSecret = "keycloak", "https://sso.example.org", "onyxia/admin"
		},
			ofServer + " persistentvolumeclaim/minio-data " + minioRealm + " " + inMinIO + " " + toProve + " " + everywhere,
			"not all users of https://sso.example.org/realms/datalab came by our sign-up, which refuses them; rename them there"},
		"none":          {func(c *platform.Config) { c.S3.Mode = "none" }, "", ""},
		"without login": {func(c *platform.Config) { c.Auth.Mode = "none" }, "", "auth.mode is none"},
	} {
		t.Run(name, func(t *testing.T) {
			steps, warned, err := listed(t, tc.change)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Fields(tc.want)
			for _, id := range want {
				if _, there := steps[engine.ID(strings.ReplaceAll(id, "_", " "))]; !there {
					t.Errorf("no step %s", id)
				}
			}
			for id := range steps {
				if !slices.Contains(want, strings.ReplaceAll(string(id), " ", "_")) {
					t.Errorf("step %s", id)
				}
			}
			if !strings.Contains(warned, tc.warns) {
				t.Errorf("warnings %s", warned)
			}
		})
	}
}

func TestStepsRefuse(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*platform.Config)
		want   string
	}{
		"a claim that MinIO knows not": {func(c *platform.Config) {
			c.Auth.Mode, c.Auth.URL, c.Auth.UsernameClaim = "oidc", "https://sso.example.org", "login"
		}, `MinIO policies know no claim "login"`},
		"names that are addresses": {func(c *platform.Config) {
			c.Auth.Mode, c.Auth.URL, c.Auth.UsernameClaim = "oidc", "https://sso.example.org", "email"
		}, "no bucket can be named after an e-mail address"},
	} {
		if _, _, err := listed(t, tc.change); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	env := environment(t, platform.Config{Domain: "demo.test"}, &kube.Client{}, func(string) {})
	delete(env.Present, "auth")
	if _, err := Stage().Steps(t.Context(), env); err == nil || !strings.Contains(err.Error(), "put up stage auth first") {
		t.Errorf("without auth: %v", err)
	}
}

// What has to come before what, and what is kept.
func TestOrder(t *testing.T) {
	yes := true
	steps, _, err := listed(t, func(c *platform.Config) { c.Trust.CABundle, c.S3.Versioning = certificate, &yes })
	if err != nil {
		t.Fatal(err)
	}
	for id, needs := range map[engine.ID][]engine.ID{
		// MinIO waits for the issuer before it loads users and policies.
		releaseID:               {rootID, clientID, trustID, claimID, layoutID, stage.IssuerID},
		loadedID:                {releaseID},
		"policy.s3/stsonly":     {loadedID},
		groupsID:                {loadedID, "client.keycloak/minio"},
		bucketsID:               {"bucket.s3/projet-group1"},
		reachID:                 {loadedID, stage.AddressID, stage.CertificateID},
		stage.S3ReadyID:         {reachID, stage.IssuerID, "policy.s3/stsonly", groupsID, bucketsID, "mapper.keycloak/onyxia-minio.s3 policy"},
		"client.keycloak/minio": {clientID},
		"mapper.keycloak/onyxia-minio.s3 everybody":       {"role.keycloak/minio.stsonly"},
		"rolemapping.keycloak/group1.minio.projet-group1": {"group.keycloak/group1", "role.keycloak/minio.projet-group1"},
	} {
		for _, need := range needs {
			if !slices.Contains(steps[id].Needs, need) {
				t.Errorf("%s does not need %s: %v", id, need, steps[id].Needs)
			}
		}
	}
	for _, id := range []engine.ID{rootID, claimID, "bucket.s3/projet-group1"} {
		if steps[id].Data == "" {
			t.Errorf("%s holds no data", id)
		}
	}
	for id, inside := range map[engine.ID]bool{rootID: false, releaseID: false, claimID: false, trustID: false, "namespace/minio": false, layoutID: false,
		loadedID: true, clientID: true, "client.keycloak/minio": true, "policy.s3/stsonly": true, reachID: true, stage.S3ReadyID: true} {
		step := steps[id]
		step.Stage = Name
		if engine.Inside(Name)(step) != inside {
			t.Errorf("configure takes %s: %v", id, !inside)
		}
	}
	if !engine.Inside(Name)(engine.Step{ID: stage.AppID, Stage: "app"}) {
		t.Error("configure leaves Onyxia's own configuration out")
	}
}

func TestValues(t *testing.T) {
	values := func(change func(*platform.Config)) string {
		config := platform.Config{Domain: "demo.test"}
		if change != nil {
			change(&config)
		}
		s, err := newSite(environment(t, config, &kube.Client{}, func(string) {}), Options{})
		if err != nil {
			t.Fatal(err)
		}
		component, err := s.env.Profile.Component("minio")
		if err != nil {
			t.Fatal(err)
		}
		v, err := s.values(component)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	plain := values(nil)
	if !strings.Contains(plain, `"existingClaim":"minio-data"`) || strings.Contains(plain, "podAnnotations") || strings.Contains(plain, `"clientId":"minio"`) {
		t.Errorf("plain: %s", plain)
	}
	trusting := func(c *platform.Config) { c.Trust.CABundle = certificate }
	if got := values(trusting); !strings.Contains(got, `"podAnnotations":{"onyxia.sh/trust":"`) || !strings.Contains(got, `"trustedCertsSecret":"minio-trust"`) {
		t.Errorf("private authority: %s", got)
	}
	if got := values(func(c *platform.Config) { c.Profile = "guide-2023" }); !strings.Contains(got, `"mode":"distributed"`) || strings.Contains(got, "existingClaim") ||
		!strings.Contains(got, `"existingClientSecretKey":"clientSecret","existingClientSecretName":"minio-oidc"`) {
		t.Errorf("profile guide-2023: %s", got)
	}
}

// Without a secret MinIO takes tokens that anybody signs: a chart that cannot be given one is refused.
func TestChartsThatTakeNoSecret(t *testing.T) {
	s, err := newSite(environment(t, platform.Config{Domain: "demo.test"}, &kube.Client{}, func(string) {}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	component, err := s.env.Profile.Component("minio")
	if err != nil {
		t.Fatal(err)
	}
	for version, refused := range map[string]bool{"5.0.13": true, "5.0.15": true, "4.1.0": true, "5.1.0": false, "5.4.0": false, "6.0.0": false} {
		component.Chart.Version = version
		_, err := s.values(component)
		if refused != (err != nil) || refused && !strings.Contains(err.Error(), "charts.minio.version: chart "+version+" cannot take the secret") {
			t.Errorf("chart %s: %v", version, err)
		}
	}
}

func TestWebClient(t *testing.T) {
	p, err := platform.Complete(platform.Config{Domain: "demo.test", S3: platform.S3{SessionDuration: "12h"}, Auth: platform.Auth{Session: "24h"}})
	if err != nil {
		t.Fatal(err)
	}
	c := webClient(p)
	if c.Lifespans.AccessToken.Hours() != 12 || c.Lifespans.SessionMax.Hours() != 24 || !slices.Equal(c.RedirectURIs, []string{"https://onyxia.demo.test/*"}) || !c.PKCE || c.DirectGrants ||
		!c.FullScope || !slices.Contains(c.DefaultScopes, "profile") || !slices.Contains(c.WithoutScopes, "microprofile-jwt") {
		t.Errorf("%+v", c)
	}
}

// certificate is any one, for a bundle of authorities.
const certificate = `-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIUG9+i6CNsUBXEcQc7aBA4RcqFnu0wCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjMyMDI0NDhaGA8yMTI2MTAzMDIwMjQ0
OFowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABL+a
PbJeTxIyNfe69SynPOYStYGBqriKypSpjDMfMUC1xNBrJyOBNivuFDmxT2aIFlT2
J+l199XZbChl+gPCeEujUzBRMB0GA1UdDgQWBBQR/U4ES1V9C5WyhRVRGl+pTM1d
0jAfBgNVHSMEGDAWgBQR/U4ES1V9C5WyhRVRGl+pTM1d0jAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCIGBL+FJAxEpg6ANwTbVtIvS5mtL4DYNo7s7o
nkETay5wAiEAtp5rcjhc/E+VZQoQw0VHo/+1NlAK4RUJTwLqqiQ5AMQ=
-----END CERTIFICATE-----
`
