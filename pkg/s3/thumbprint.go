package s3

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// CertificateThumbprint is what AWS knows an issuer by: the SHA-1 of the last certificate that its address shows (IAM user
// guide, "Obtain the thumbprint for an OpenID Connect identity provider").
func CertificateThumbprint(ctx context.Context, client *http.Client, issuer string) ([]string, error) {
	res, err := get(ctx, client, discovery(issuer))
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.TLS == nil || len(res.TLS.PeerCertificates) == 0 {
		return nil, fmt.Errorf("issuer %s shows no certificate", issuer)
	}
	return []string{thumbprint(res.TLS.PeerCertificates[len(res.TLS.PeerCertificates)-1].Raw)}, nil
}

// KeyThumbprints are what Ceph knows an issuer by: the SHA-1 of the certificates of the keys that it signs with (RFC 7517 section
// 4.7; docs.ceph.com, radosgw: STS).
func KeyThumbprints(ctx context.Context, client *http.Client, issuer string) ([]string, error) {
	var says struct {
		Keys string `json:"jwks_uri"`
	}
	if err := getJSON(ctx, client, discovery(issuer), &says); err != nil {
		return nil, err
	}
	var set struct {
		Keys []struct {
			Use          string   `json:"use"`
			Certificates []string `json:"x5c"`
		} `json:"keys"`
	}
	if err := getJSON(ctx, client, says.Keys, &set); err != nil {
		return nil, err
	}
	var list []string
	for _, key := range set.Keys {
		if key.Use == "enc" || len(key.Certificates) == 0 {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(key.Certificates[0])
		if err != nil {
			return nil, fmt.Errorf("%s: a certificate is no base64: %w", says.Keys, err)
		}
		if t := thumbprint(raw); !slices.Contains(list, t) {
			list = append(list, t)
		}
	}
	if len(list) == 0 {
		return nil, errors.New("the keys of " + says.Keys + " come without certificates (x5c)")
	}
	return list, nil
}

func thumbprint(certificate []byte) string {
	sum := sha1.Sum(certificate)
	return hex.EncodeToString(sum[:])
}

func discovery(issuer string) string {
	return strings.TrimRight(issuer, "/") + "/.well-known/openid-configuration"
}

func get(ctx context.Context, client *http.Client, address string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("the issuer's thumbprint: %w", err)
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the issuer's thumbprint: %w", err)
	}
	return res, nil
}

func getJSON(ctx context.Context, client *http.Client, address string, into any) error {
	res, err := get(ctx, client, address)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", address, res.Status)
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(into); err != nil {
		return fmt.Errorf("%s: the answer does not read as JSON: %w", address, err)
	}
	return nil
}

// certificateThumbprintCommand is CertificateThumbprint for a shell.
func certificateThumbprintCommand(issuer string) string {
	host, port := "ISSUER", "443"
	if u, err := url.Parse(issuer); err == nil {
		host = u.Hostname()
		if u.Port() != "" {
			port = u.Port()
		}
	}
	return fmt.Sprintf(`openssl s_client -showcerts -servername %s -connect %s </dev/null 2>/dev/null | awk '/BEGIN CERT/{c=""} {c=c $0 "\n"} /END CERT/{last=c} END{printf "%%s", last}' | openssl x509 -noout -fingerprint -sha1 | cut -d= -f2 | tr -d : | tr A-F a-f`,
		host, net.JoinHostPort(host, port))
}

// keyThumbprintsCommand is KeyThumbprints for a shell.
func keyThumbprintsCommand(issuer string) string {
	return fmt.Sprintf(`curl -s "$(curl -s %s | jq -r .jwks_uri)" | jq -r '.keys[] | select(.use != "enc") | .x5c[0]' | while read c; do echo "$c" | base64 -d | sha1sum | cut -d' ' -f1; done`, discovery(issuer))
}
