package s3

import (
	"fmt"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3/minio"
)

// Documents are what a person has to do at a server that is not ours to configure: nothing for a MinIO that we install.
func Documents(p platform.Platform) ([]s3.Document, error) {
	if p.S3.Mode != "external" {
		return nil, nil
	}
	if p.S3.Kind == "minio" {
		return openID(p), nil
	}
	f := s3.Federation{
		Tenancy: s3.For(p, p.Auth.Groups), Issuer: p.Issuer(), ClientID: platform.S3ClientID,
		RoleARN: p.S3.RoleARN, Duration: duration(p.S3.SessionDuration), Mapped: p.Auth.Mode != "oidc",
	}
	if p.S3.Kind == "aws" {
		return f.AWS()
	}
	return f.Ceph(p.S3URL())
}

// openID is how a MinIO that others run learns of the issuer. Its admin API would take it only encrypted in a way of its
// own, and the server has to be restarted for it anyway.
func openID(p platform.Platform) []s3.Document {
	return []s3.Document{{
		// By a pipe, so that the secret stands in nobody's arguments.
		Command: fmt.Sprintf("kubectl -n %s get secret %s -o go-template='identity_openid config_url=%s client_id=%s claim_name=policy scopes=openid,profile,email client_secret={{index .data %q | base64decode}}{{\"\\n\"}}' | mc admin config import ALIAS && mc admin service restart ALIAS",
			p.App.Namespace, minio.ClientSecret, p.DiscoveryURL(), platform.S3ConsoleClientID, minio.ClientSecretKey),
		Note: "Once: this MinIO has to trust tokens of the issuer. It has to reach the issuer's address and trust its certificate.",
	}}
}
