package s3

import (
	"context"
	"encoding/xml"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// WebIdentity is a token that is to be exchanged for credentials.
type WebIdentity struct {
	// Token is an access token of the issuer for the client onyxia-minio. It is never printed.
	Token string
	// RoleARN and SessionName are for AWS and Ceph; MinIO with a claim ignores them.
	RoleARN     string
	SessionName string
	// Duration of the credentials; 0 for the server's default. MinIO takes 15 minutes to 365 days, and lets credentials
	// outlive the token.
	Duration time.Duration
}

// stsVersion is the version of AWS's STS API, which MinIO and Ceph ask for too.
const stsVersion = "2011-06-15"

// AssumeRoleWithWebIdentity exchanges a token for credentials. The request goes out unsigned: the token is what counts.
// MinIO and Ceph answer it at the S3 endpoint, AWS at sts.REGION.amazonaws.com.
func (c *Client) AssumeRoleWithWebIdentity(ctx context.Context, w WebIdentity) (Credentials, error) {
	form := url.Values{"Action": {"AssumeRoleWithWebIdentity"}, "Version": {stsVersion}, "WebIdentityToken": {w.Token}}
	if w.Duration > 0 {
		form.Set("DurationSeconds", strconv.FormatInt(int64(w.Duration/time.Second), 10))
	}
	if w.RoleARN != "" {
		form.Set("RoleArn", w.RoleARN)
		form.Set("RoleSessionName", w.SessionName)
	}
	const operation = "exchange the token for credentials (STS)"
	res, err := c.As(Credentials{}).send(ctx, request{
		operation: operation, method: http.MethodPost, path: "/", body: []byte(form.Encode()),
		header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}},
	})
	if err != nil {
		return Credentials{}, explainSTS(err, w)
	}
	var x struct {
		AccessKey string    `xml:"AssumeRoleWithWebIdentityResult>Credentials>AccessKeyId"`
		Secret    string    `xml:"AssumeRoleWithWebIdentityResult>Credentials>SecretAccessKey"`
		Session   string    `xml:"AssumeRoleWithWebIdentityResult>Credentials>SessionToken"`
		Expires   time.Time `xml:"AssumeRoleWithWebIdentityResult>Credentials>Expiration"`
	}
	if err := xml.Unmarshal(res.body, &x); err != nil || x.AccessKey == "" {
		return Credentials{}, &Error{Operation: operation, Message: "the answer of " + c.Endpoint + " holds no credentials",
			Cause: "what answers here is not an STS server", Fix: "check the URL: MinIO serves STS at the S3 port, not at the console's", err: err}
	}
	return NewCredentials(x.AccessKey, x.Secret, x.Session, x.Expires), nil
}
