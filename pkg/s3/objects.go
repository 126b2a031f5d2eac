package s3

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Object is one entry of a listing.
type Object struct {
	Key       string `xml:"Key"`
	Size      int64  `xml:"Size"`
	VersionID string `xml:"VersionId"`
}

// BucketInfo is one entry of the list of buckets.
type BucketInfo struct {
	Name    string    `xml:"Name"`
	Created time.Time `xml:"CreationDate"`
}

// Location is how people write a bucket or an object: "s3://user-alice/hello.txt".
func Location(bucket, key string) string {
	if key == "" {
		return "s3://" + bucket
	}
	return "s3://" + bucket + "/" + key
}

// s3 sends a request to a bucket or object, signed for the client's region.
func (c *Client) s3(ctx context.Context, operation, method, bucket, key string, query url.Values, body []byte) (response, error) {
	path := "/" + bucket
	if key != "" {
		path += "/" + key
	}
	r := request{operation: operation + " " + Location(bucket, key), method: method, path: path, query: query, body: body, region: c.region()}
	return c.send(ctx, r)
}

// CreateBucket makes a bucket. It tells whether it is new: making one's own bucket again is no error.
func (c *Client) CreateBucket(ctx context.Context, bucket string) (created bool, err error) {
	var body []byte
	if c.region() != DefaultRegion {
		body = fmt.Appendf(nil, `<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>%s</LocationConstraint></CreateBucketConfiguration>`, c.region())
	}
	_, err = c.s3(ctx, "make", http.MethodPut, bucket, "", nil, body)
	if IsCode(err, "BucketAlreadyOwnedByYou") {
		return false, nil
	}
	return err == nil, err
}

// DeleteBucket removes an empty bucket. One that is not there is no error.
func (c *Client) DeleteBucket(ctx context.Context, bucket string) error {
	_, err := c.s3(ctx, "remove", http.MethodDelete, bucket, "", nil, nil)
	if IsCode(err, "NoSuchBucket") {
		return nil
	}
	return err
}

// HasBucket tells whether a bucket exists.
func (c *Client) HasBucket(ctx context.Context, bucket string) (bool, error) {
	_, err := c.s3(ctx, "look for", http.MethodGet, bucket, "", url.Values{"location": {""}}, nil)
	if IsCode(err, "NoSuchBucket") {
		return false, nil
	}
	return err == nil, err
}

// Buckets lists the buckets that these credentials may see.
func (c *Client) Buckets(ctx context.Context) ([]BucketInfo, error) {
	var x struct {
		Buckets []BucketInfo `xml:"Buckets>Bucket"`
	}
	return x.Buckets, c.into(ctx, &x, "list", "", nil)
}

// Put writes an object.
func (c *Client) Put(ctx context.Context, bucket, key string, content []byte) error {
	_, err := c.s3(ctx, "put", http.MethodPut, bucket, key, nil, content)
	return err
}

// Get reads an object of at most 16 MiB.
func (c *Client) Get(ctx context.Context, bucket, key string) ([]byte, error) {
	res, err := c.s3(ctx, "get", http.MethodGet, bucket, key, nil, nil)
	return res.body, err
}

// Delete removes an object; with a version, that version for good. An object that is not there is no error.
func (c *Client) Delete(ctx context.Context, bucket, key, version string) error {
	query := url.Values{}
	if version != "" {
		query.Set("versionId", version)
	}
	_, err := c.s3(ctx, "delete", http.MethodDelete, bucket, key, query, nil)
	if IsCode(err, "NoSuchKey", "NoSuchBucket") {
		return nil
	}
	return err
}

// List is up to 1000 objects whose keys begin with the prefix.
func (c *Client) List(ctx context.Context, bucket, prefix string) ([]Object, error) {
	var x struct {
		Contents []Object `xml:"Contents"`
	}
	return x.Contents, c.into(ctx, &x, "list", bucket, url.Values{"list-type": {"2"}, "prefix": {prefix}})
}

// Versions is up to 1000 versions and delete markers of objects whose keys begin with the prefix. In a bucket without
// versioning each object has one.
func (c *Client) Versions(ctx context.Context, bucket, prefix string) ([]Object, error) {
	var x struct {
		Version []Object `xml:"Version"`
		Marker  []Object `xml:"DeleteMarker"`
	}
	err := c.into(ctx, &x, "list", bucket, url.Values{"versions": {""}, "prefix": {prefix}})
	return append(x.Version, x.Marker...), err
}

// Empty deletes every version of every object whose key begins with the prefix, for good.
func (c *Client) Empty(ctx context.Context, bucket, prefix string) error {
	for {
		versions, err := c.Versions(ctx, bucket, prefix)
		if err != nil || len(versions) == 0 {
			return err
		}
		for _, v := range versions {
			if err := c.Delete(ctx, bucket, v.Key, v.VersionID); err != nil {
				return err
			}
		}
	}
}

// into reads a listing into x.
func (c *Client) into(ctx context.Context, x any, operation, bucket string, query url.Values) error {
	res, err := c.s3(ctx, operation, http.MethodGet, bucket, "", query, nil)
	if err != nil {
		return err
	}
	if err := xml.Unmarshal(res.body, x); err != nil {
		return fmt.Errorf("%s %s: the answer does not read as S3: %w", operation, Location(bucket, ""), err)
	}
	return nil
}
