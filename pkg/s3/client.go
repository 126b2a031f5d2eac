package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7/pkg/s3utils"
	"github.com/minio/minio-go/v7/pkg/signer"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
)

// Client sends requests, signed by AWS Signature Version 4, to one S3 server. Its fields may not change while it is used.
type Client struct {
	// Endpoint is scheme, host and port: "https://minio.lab.example.org". Buckets are addressed by path.
	Endpoint string
	// Region that signatures name. MinIO takes any when it was told none; empty means "us-east-1".
	Region string
	// HTTP sends the requests; nil means http.DefaultClient. It may dial through a port-forward.
	HTTP        *http.Client
	Credentials Credentials
}

// DefaultRegion is what S3 servers other than AWS call their only region.
const DefaultRegion = "us-east-1"

// maxAnswer bounds what is read of an answer, in bytes: listings of 1000 keys stay far below it.
const maxAnswer = 16 << 20

// As is the same server with other credentials.
func (c *Client) As(credentials Credentials) *Client {
	other := *c
	other.Credentials = credentials
	return &other
}

// request is one call. The operation is for errors: "put s3://bucket/key".
type request struct {
	operation string
	method    string
	path      string
	query     url.Values
	header    http.Header
	body      []byte
	// region of the signature; MinIO's admin API wants none.
	region string
}

// response is an answer below 300, read to its end.
type response struct {
	header http.Header
	body   []byte
}

func (c *Client) region() string {
	if c.Region == "" {
		return DefaultRegion
	}
	return c.Region
}

// send signs and sends; an answer of 300 and above comes back as *Error.
func (c *Client) send(ctx context.Context, r request) (response, error) {
	req, err := c.prepare(ctx, r)
	if err != nil {
		return response{}, err
	}
	sent := time.Now()
	res, err := secret.Direct(c.HTTP).Do(req)
	if err != nil {
		return response{}, unreachable(ctx, r.operation, c.Endpoint, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return response{}, unreachable(ctx, r.operation, c.Endpoint, err)
	}
	if res.StatusCode >= http.StatusMultipleChoices {
		return response{}, refused(r.operation, res, body, sent)
	}
	return response{header: res.Header, body: body}, nil
}

func (c *Client) prepare(ctx context.Context, r request) (*http.Request, error) {
	base, err := url.Parse(strings.TrimRight(c.Endpoint, "/"))
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("%s: endpoint %q is not a URL; it looks like https://minio.lab.example.org", r.operation, c.Endpoint)
	}
	base.Path = r.path
	base.RawPath = s3utils.EncodePath(r.path)
	base.RawQuery = strings.ReplaceAll(r.query.Encode(), "+", "%20")
	req, err := http.NewRequestWithContext(ctx, r.method, base.String(), bytes.NewReader(r.body))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.operation, err)
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	if c.Credentials.Anonymous() {
		return req, nil
	}
	sum := sha256.Sum256(r.body)
	req.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
	secretKey, sessionToken := c.Credentials.Reveal()
	return signer.SignV4(*req, c.Credentials.AccessKey, secretKey, sessionToken, r.region), nil
}
