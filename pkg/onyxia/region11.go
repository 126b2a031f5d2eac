package onyxia

import "github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"

// region11 is a region as API v4.12.0 and web 5.5.1 read it (Region.java, ApiTypes.ts).
type region11 struct {
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	Services services11 `json:"services"`
	Data     *data11    `json:"data,omitempty"`
	Vault    *vault11   `json:"vault,omitempty"`
}

type services11 struct {
	services
	Quotas quotas11 `json:"quotas"`
}

type data11 struct {
	S3 s3v11 `json:"S3"`
}

type s3v11 struct {
	URL             string     `json:"URL"`
	PathStyleAccess bool       `json:"pathStyleAccess"`
	Region          string     `json:"region"`
	STS             sts        `json:"sts"`
	Bookmarks       []bookmark `json:"bookmarks"`
}

// sts always has a role: without one the page is blank for every user (web 5.5.1, an assertion in s3Profiles.ts). The
// role has no claimName, since a user whose token lacks the claim would be left without a role too.
type sts struct {
	URL               string            `json:"URL,omitempty"`
	DurationSeconds   int64             `json:"durationSeconds"`
	Role              role              `json:"role"`
	OIDCConfiguration oidcConfiguration `json:"oidcConfiguration"`
}

// role may be empty but for its profile: the web then asks MinIO without one.
type role struct {
	ProfileName     string `json:"profileName"`
	RoleARN         string `json:"roleARN"`
	RoleSessionName string `json:"roleSessionName"`
}

// bookmark is shown once for each value of the claim in the ID token; $1 is that value.
type bookmark struct {
	S3URI     string `json:"s3Uri"`
	Title     string `json:"title"`
	ClaimName string `json:"claimName"`
}

type vault11 struct {
	URL               string            `json:"URL"`
	KVEngine          string            `json:"kvEngine"`
	Role              string            `json:"role"`
	AuthPath          string            `json:"authPath"`
	Prefix            string            `json:"prefix"`
	GroupPrefix       string            `json:"groupPrefix"`
	OIDCConfiguration oidcConfiguration `json:"oidcConfiguration"`
}

// oidcConfiguration is spelt with clientID: from clientId, which upstream's S3 page writes, the web reads nothing.
type oidcConfiguration struct {
	IssuerURI string `json:"issuerURI"`
	ClientID  string `json:"clientID"`
}

// newRegion11 leaves services.type out, which the API dropped with chart 9.0.0.
func newRegion11(in Input) (region11, error) {
	quotas, err := newQuotas11(in)
	if err != nil {
		return region11{}, err
	}
	r := region11{ID: regionID, Name: regionName, Services: services11{services: newServices(in, "serviceAccount"), Quotas: quotas}}
	if in.S3 {
		seconds, err := in.sessionSeconds()
		if err != nil {
			return region11{}, err
		}
		r.Data = &data11{S3: newS3v11(in.Platform, seconds)}
	}
	if in.Vault {
		r.Vault = newVault11(in.Platform)
	}
	return r, nil
}

func newS3v11(p platform.Platform, seconds int64) s3v11 {
	s := s3v11{
		URL:             p.S3URL(),
		PathStyleAccess: !p.S3.Amazon(),
		Region:          p.S3.Region,
		STS: sts{
			DurationSeconds:   seconds,
			Role:              role{ProfileName: "default", RoleARN: p.S3.RoleARN},
			OIDCConfiguration: oidcConfiguration{IssuerURI: p.Issuer(), ClientID: platform.S3ClientID},
		},
		Bookmarks: []bookmark{
			{S3URI: "s3://" + p.Prefixes.User + "$1/", Title: "Personal", ClaimName: p.Auth.UsernameClaim},
			{S3URI: "s3://" + p.Prefixes.Group + "$1/", Title: "Group $1", ClaimName: p.Auth.GroupsClaim},
		},
	}
	if p.S3.RoleARN != "" {
		// AWS wants a name for the session beside the role; it shows up in its audit log.
		s.STS.Role.RoleSessionName = "onyxia"
	}
	s.STS.URL = p.STSURL()
	return s
}

// newVault11 is complete or not at all: the web logs in to Vault before it shows anything. A group's folder already
// begins with groupNamespacePrefix, so groupPrefix is empty.
func newVault11(p platform.Platform) *vault11 {
	return &vault11{
		URL:               p.VaultURL(),
		KVEngine:          p.Vault.KVEngine,
		Role:              platform.VaultRole,
		AuthPath:          p.Vault.AuthPath,
		Prefix:            p.Prefixes.User,
		OIDCConfiguration: oidcConfiguration{IssuerURI: p.Issuer(), ClientID: platform.VaultClientID},
	}
}
