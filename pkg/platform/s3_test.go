package platform

import (
	"strings"
	"testing"
)

func TestS3(t *testing.T) {
	aws := func(c *Config) {
		c.S3 = S3{Mode: "external", Kind: "aws", URL: "https://s3.eu-west-3.amazonaws.com", Region: "eu-west-3", RoleARN: "arn:aws:iam::123456789012:role/onyxia"}
	}
	yes, days, wrong := true, 30, -1
	for name, tc := range map[string]struct {
		change func(*Config)
		want   []string
	}{
		"as it comes":                 {func(*Config) {}, nil},
		"housekeeping":                {func(c *Config) { c.S3.Quota, c.S3.Versioning, c.S3.VersionDays = "50Gi", &yes, &days }, nil},
		"AWS":                         {aws, nil},
		"a MinIO without credentials": {func(c *Config) { c.S3.Mode, c.S3.URL = "external", "https://s3.example.org" }, []string{"s3.credentialsSecret: an existing MinIO needs"}},
		"a password in the place of a Secret": {func(c *Config) {
			c.S3.Mode, c.S3.URL, c.S3.CredentialsSecret = "external", "https://s3.example.org", "pass word"
		},
			[]string{"s3.credentialsSecret: not namespace/name"}},
		"AWS without a role": {func(c *Config) { aws(c); c.S3.RoleARN = "" }, []string{"s3.roleARN: an S3 server of kind aws"}},
		"MinIO with a role": {func(c *Config) {
			c.S3 = S3{Mode: "external", URL: "https://s3.example.org", CredentialsSecret: "a/b", RoleARN: "arn:minio:iam:::role/x"}
		}, []string{"s3.roleARN: MinIO gives credentials by the claims of a token here"}},
		"our MinIO with a role": {func(c *Config) { c.S3.RoleARN = "arn:minio:iam:::role/x" }, []string{"s3.roleARN: MinIO gives"}},
		"AWS for a day":         {func(c *Config) { aws(c); c.S3.SessionDuration = "24h" }, []string{"s3.sessionDuration is 24h, and a role gives credentials for 12h at most"}},
		"housekeeping at AWS": {func(c *Config) { aws(c); c.S3.Quota, c.S3.Versioning, c.S3.VersionDays = "50Gi", &yes, &days },
			[]string{"s3.quota: does nothing for a server of kind aws", "s3.versioning: does nothing", "s3.versionDays: does nothing"}},
		"housekeeping at a MinIO of others": {func(c *Config) {
			c.S3 = S3{Mode: "external", URL: "https://s3.example.org", CredentialsSecret: "a/b", Quota: "50Gi"}
		}, nil},
		"housekeeping there, another's login": {func(c *Config) {
			c.S3 = S3{Mode: "external", URL: "https://s3.example.org", CredentialsSecret: "a/b", Quota: "50Gi", Versioning: &yes, VersionDays: &days}
			c.Auth.Mode, c.Auth.URL = "oidc", "https://sso.example.org"
		}, []string{"s3.quota: an issuer that is not configured for you", "s3.versioning: an issuer", "s3.versionDays: an issuer"}},
		"a negative quota": {func(c *Config) { c.S3.Quota = "-1Gi" }, []string{`s3.quota: "-1Gi" is no size`}},
		"negative days":    {func(c *Config) { c.S3.VersionDays = &wrong }, []string{"s3.versionDays: -1 is no number of days"}},
		"a minute":         {func(c *Config) { c.S3.SessionDuration = "1m" }, []string{"s3.sessionDuration: 1m is less than the 15m"}},
		"beyond the login": {func(c *Config) { c.S3.SessionDuration, c.Auth.Session = "48h", "24h" }, []string{"s3.sessionDuration: 48h is longer than a login lasts (auth.session: 24h)"}},
		"of another's login": {func(c *Config) {
			c.S3.SessionDuration, c.Auth.Session, c.Auth.Mode, c.Auth.URL = "48h", "24h", "oidc", "https://sso.example.org"
		}, nil},
		"nobody's":            {func(c *Config) { c.S3.SessionDuration, c.S3.Mode = "1m", "none" }, nil},
		"a short login alone": {func(c *Config) { c.Auth.Session = "8h" }, nil},
	} {
		c := Config{Domain: "demo.test"}
		tc.change(&c)
		_, err := Complete(c)
		if (err == nil) != (tc.want == nil) {
			t.Errorf("%s: %v", name, err)
		}
		for _, want := range tc.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", name, err, want)
			}
		}
	}
	long, short := Config{Domain: "demo.test"}, Config{Domain: "demo.test", Auth: Auth{Session: "8h"}}
	role := long
	aws(&role)
	for want, c := range map[string]Config{"24h": long, "8h": short, "12h": role} {
		if p, err := Complete(c); err != nil || p.S3.SessionDuration != want {
			t.Errorf("default %s, want %s, %v", p.S3.SessionDuration, want, err)
		}
	}
}

// One slip is one error: the name of a Secret is checked with all others.
func TestNameOfTheMinIOSecretIsSaidOnce(t *testing.T) {
	_, err := Complete(Config{Domain: "example.org", S3: S3{Mode: "external", URL: "https://s3.example.org", CredentialsSecret: "root"}})
	if err == nil || strings.Count(err.Error(), "s3.credentialsSecret") != 1 {
		t.Errorf("got %v", err)
	}
}

func TestSTSURL(t *testing.T) {
	for role, want := range map[string]string{
		"arn:aws:iam::1:role/x": "https://sts.r-1.amazonaws.com", "arn:aws-cn:iam::1:role/x": "https://sts.r-1.amazonaws.com.cn",
		"arn:aws-us-gov:iam::1:role/x": "https://sts.r-1.amazonaws.com",
	} {
		p := Platform{Config: Config{S3: S3{Mode: "external", Kind: "aws", Region: "r-1", RoleARN: role}}}
		if got := p.STSURL(); got != want {
			t.Errorf("%s: %s", role, got)
		}
	}
	for _, s := range []S3{{Mode: "external", Kind: "ceph", RoleARN: "arn:aws:iam:::role/x"}, {Mode: "install", Kind: "aws"}} {
		if got := (Platform{Config: Config{S3: s}}).STSURL(); got != "" {
			t.Errorf("%+v: %s", s, got)
		}
	}
}

func TestDiscoveryURL(t *testing.T) {
	for issuer, want := range map[string]string{
		"https://sso.example.org":         "https://sso.example.org/.well-known/openid-configuration",
		"https://sso.example.org/tenant/": "https://sso.example.org/tenant/.well-known/openid-configuration",
	} {
		p := Platform{Config: Config{Auth: Auth{Mode: "oidc", URL: issuer}}}
		if got := p.DiscoveryURL(); got != want {
			t.Errorf("%s: %s", issuer, got)
		}
	}
}
