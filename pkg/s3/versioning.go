package s3

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// The states of a bucket's versioning; a bucket that never had any has none of the two.
const (
	versioningEnabled   = "Enabled"
	versioningSuspended = "Suspended"
)

// Versioning keeps old versions of the objects of a bucket, or stops keeping new ones, as a step. Versions that are
// there already stay either way.
type Versioning struct {
	Client  *Client
	Bucket  string
	Enabled bool
}

// Observe reads the state: "", "Enabled" or "Suspended".
func (v Versioning) Observe(ctx context.Context) (string, error) {
	var x struct {
		Status string `xml:"Status"`
	}
	err := v.Client.into(ctx, &x, "read versioning of", v.Bucket, url.Values{"versioning": {""}})
	return x.Status, notYet(err, v.Bucket)
}

// Plan compares. No versioning and suspended versioning are the same to somebody who wants none.
func (v Versioning) Plan(seen string) engine.Change {
	if v.Enabled == (seen == versioningEnabled) {
		return engine.Change{Action: engine.Unchanged}
	}
	return engine.Change{Action: engine.Configure, Fields: []engine.Field{{Path: "versioning", From: seen, To: v.status()}}}
}

func (v Versioning) status() string {
	if v.Enabled {
		return versioningEnabled
	}
	return versioningSuspended
}

// Apply writes the state.
func (v Versioning) Apply(ctx context.Context, _ string) error {
	body := fmt.Appendf(nil, `<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>%s</Status></VersioningConfiguration>`, v.status())
	return v.Client.configure(ctx, "set versioning of", v.Bucket, "versioning", body)
}

// configure writes one of a bucket's settings. AWS and older MinIO ask for the MD5 of such a document.
func (c *Client) configure(ctx context.Context, operation, bucket, setting string, body []byte) error {
	sum := md5.Sum(body)
	_, err := c.send(ctx, request{
		operation: operation + " " + Location(bucket, ""), method: http.MethodPut, path: "/" + bucket, query: url.Values{setting: {""}},
		header: http.Header{"Content-Md5": {base64.StdEncoding.EncodeToString(sum[:])}}, body: body, region: c.region(),
	})
	return err
}

// innerRule is one rule of a lifecycle as it stands in the document, so that a rule of somebody else goes back unchanged.
type innerRule struct {
	ID    string `xml:"ID"`
	Inner string `xml:",innerxml"`
}

func (c *Client) lifecycle(ctx context.Context, bucket string) ([]innerRule, error) {
	var x struct {
		XMLName xml.Name    `xml:"LifecycleConfiguration"`
		Rule    []innerRule `xml:"Rule"`
	}
	err := c.into(ctx, &x, "read lifecycle of", bucket, url.Values{"lifecycle": {""}})
	if IsCode(err, "NoSuchLifecycleConfiguration") {
		return nil, nil
	}
	return x.Rule, err
}
