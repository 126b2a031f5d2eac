package onyxia

import "github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"

// region4 is a region as API v0.30 and web 2.29.4 read it (Region.java, onyxiaApi.ts).
type region4 struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Services services4 `json:"services"`
	Data     *data4    `json:"data,omitempty"`
	Vault    *vault4   `json:"vault,omitempty"`
}

// services4 needs its type: API v0.30 does not start without.
type services4 struct {
	Type string `json:"type"`
	services
	Quotas quotas4 `json:"quotas"`
}

type data4 struct {
	S3 s3v4 `json:"S3"`
}

// s3v4 has no bookmarks: the API makes the bucket's name of prefix and claim.
type s3v4 struct {
	Type                   string         `json:"type"`
	URL                    string         `json:"URL"`
	Region                 string         `json:"region"`
	RoleARN                string         `json:"roleARN,omitempty"`
	RoleSessionName        string         `json:"roleSessionName,omitempty"`
	BucketPrefix           string         `json:"bucketPrefix"`
	GroupBucketPrefix      string         `json:"groupBucketPrefix"`
	BucketClaim            string         `json:"bucketClaim"`
	DefaultDurationSeconds int64          `json:"defaultDurationSeconds"`
	KeycloakParams         keycloakParams `json:"keycloakParams"`
}

type vault4 struct {
	URL            string         `json:"URL"`
	KVEngine       string         `json:"kvEngine"`
	Role           string         `json:"role"`
	AuthPath       string         `json:"authPath"`
	KeycloakParams keycloakParams `json:"keycloakParams"`
}

// keycloakParams are all three or the web fails: it fills a missing one with undefined, not with its own (web 2.29.4,
// createOidcOrFallback.ts).
type keycloakParams struct {
	URL      string `json:"URL"`
	Realm    string `json:"realm"`
	ClientID string `json:"clientId"`
}

// newRegion4 lets the API act as itself: the mode is called admin here.
func newRegion4(in Input) (region4, error) {
	p := in.Platform
	quotas, err := newQuotas4(in)
	if err != nil {
		return region4{}, err
	}
	r := region4{ID: regionID, Name: regionName, Services: services4{Type: "KUBERNETES", services: newServices(in, "admin"), Quotas: quotas}}
	if in.S3 {
		seconds, err := in.sessionSeconds()
		if err != nil {
			return region4{}, err
		}
		r.Data = &data4{S3: newS3v4(p, seconds)}
	}
	if in.Vault {
		r.Vault = &vault4{
			URL: p.VaultURL(), KVEngine: p.Vault.KVEngine, Role: platform.VaultRole, AuthPath: p.Vault.AuthPath,
			KeycloakParams: newKeycloakParams(p, platform.VaultClientID),
		}
	}
	return r, nil
}

func newS3v4(p platform.Platform, seconds int64) s3v4 {
	s := s3v4{
		Type:                   "minio",
		URL:                    p.S3URL(),
		Region:                 p.S3.Region,
		BucketPrefix:           p.Prefixes.User,
		GroupBucketPrefix:      p.Prefixes.Group,
		BucketClaim:            p.Auth.UsernameClaim,
		DefaultDurationSeconds: seconds,
		KeycloakParams:         newKeycloakParams(p, platform.S3ClientID),
	}
	if p.S3.Amazon() {
		s.Type, s.RoleARN, s.RoleSessionName = "amazon", p.S3.RoleARN, "onyxia"
	}
	return s
}

func newKeycloakParams(p platform.Platform, client string) keycloakParams {
	return keycloakParams{URL: p.KeycloakURL(), Realm: p.Auth.Realm, ClientID: client}
}
