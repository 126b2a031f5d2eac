package s3

import (
	"context"
	"fmt"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/s3/minio"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
)

// Documents are what a person has to do at a server that is not ours to configure: nothing for a MinIO that we install. The
// issuer is asked for what AWS and Ceph know it by; where it does not answer, a command that asks it is among the documents.
func Documents(ctx context.Context, p platform.Platform) ([]s3.Document, error) {
	if p.S3.Mode != platform.S3External {
		return nil, nil
	}
	if p.S3.Kind == platform.S3KindMinIO {
		return openID(p), nil
	}
	f := s3.Federation{
		Tenancy: s3.For(p, p.Auth.Groups), Issuer: p.Issuer(), ClientID: platform.S3ClientID,
		RoleARN: p.S3.RoleARN, Duration: p.S3.CredentialsTime(), Mapped: !p.Auth.OtherIssuer(),
	}
	client, err := stage.External(p)
	if err != nil {
		return nil, err
	}
	client.Timeout = thumbprintTime
	if p.S3.Kind == platform.S3KindAWS {
		f.Thumbprints, f.Unreached = s3.CertificateThumbprint(ctx, client, p.Issuer())
		return f.AWS()
	}
	f.Thumbprints, f.Unreached = s3.KeyThumbprints(ctx, client, p.Issuer())
	return f.Ceph(p.S3URL())
}

// thumbprintTime bounds one question to the issuer.
const thumbprintTime = 5 * time.Second

// openID is how a MinIO that others run learns of the issuer. Its admin API would take it only encrypted in a way of its
// own, and the server has to be restarted for it anyway.
func openID(p platform.Platform) []s3.Document {
	provider := fmt.Sprintf("kubectl -n %s get secret %s -o go-template='identity_openid config_url=%s client_id=%s claim_name=policy scopes=openid,profile,email client_secret={{index .data %q | base64decode}}{{\"\\n\"}}'",
		p.App.Namespace, minio.ClientSecret, p.DiscoveryURL(), platform.S3ConsoleClientID, minio.ClientSecretKey)
	return []s3.Document{{
		// An import begins with an empty configuration, so all else goes back in with it; "mc admin config set" would leave the rest
		// alone, and takes the secret by its arguments only, where others read it. printf is the shell's own. What the environment sets
		// leaves names without keys in an export, which no import takes.
		Command: `(saved=$(mktemp ./minio-config.XXXXXX) && mc admin config export ALIAS >"$saved" && new=$(grep -v -e '^identity_openid ' -e '^[a-z_]*\(:[^ =]*\)\{0,1\} *$' "$saved" && ` + provider +
			`) && printf '%s\n' "$new" | mc admin config import ALIAS && mc --json admin service restart ALIAS)`,
		Note: "Once: this MinIO has to trust tokens of the issuer. It has to reach the issuer's address and trust its certificate. This replaces its default OpenID provider, if it has one " +
			"(one that its environment names, MINIO_IDENTITY_OPENID_..., counts more: change it there), and leaves the rest of its configuration. What that was before, secrets among it, is kept in a file minio-config.XXXXXX here.",
	}}
}
