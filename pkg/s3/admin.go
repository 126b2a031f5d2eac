package s3

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// Admin is MinIO's admin API, version 3, as far as the datalab needs it. Requests are signed like S3's, with no region.
// What is sent here is not encrypted by the API itself: reach it through a port-forward or TLS.
type Admin struct {
	Client *Client
}

const adminPath = "/minio/admin/v3/"

func (a *Admin) call(ctx context.Context, operation, method, name string, query url.Values, body []byte) ([]byte, error) {
	res, err := a.Client.send(ctx, request{operation: operation, method: method, path: adminPath + name, query: query, body: body})
	return res.body, err
}

// PutPolicy writes a named policy, over one of the same name.
func (a *Admin) PutPolicy(ctx context.Context, name string, p Policy) error {
	_, err := a.call(ctx, "put policy "+name, http.MethodPut, "add-canned-policy", url.Values{"name": {name}}, p.JSON())
	return err
}

// PolicyDocument reads a named policy as the server has it; nil when there is none.
func (a *Admin) PolicyDocument(ctx context.Context, name string) ([]byte, error) {
	body, err := a.call(ctx, "read policy "+name, http.MethodGet, "info-canned-policy", url.Values{"name": {name}}, nil)
	if IsCode(err, "XMinioAdminNoSuchPolicy") {
		return nil, nil
	}
	return body, err
}

// Policies lists the names of all policies with their documents, MinIO's own five among them.
func (a *Admin) Policies(ctx context.Context) (map[string]json.RawMessage, error) {
	body, err := a.call(ctx, "list policies", http.MethodGet, "list-canned-policies", nil, nil)
	if err != nil {
		return nil, err
	}
	var policies map[string]json.RawMessage
	if err := json.Unmarshal(body, &policies); err != nil {
		return nil, fmt.Errorf("list policies: the answer does not read as MinIO's: %w", err)
	}
	return policies, nil
}

// RemovePolicy removes a named policy. One that is not there is no error.
func (a *Admin) RemovePolicy(ctx context.Context, name string) error {
	_, err := a.call(ctx, "remove policy "+name, http.MethodDelete, "remove-canned-policy", url.Values{"name": {name}}, nil)
	if IsCode(err, "XMinioAdminNoSuchPolicy") {
		return nil
	}
	return err
}

// quota is MinIO's bucket quota; "hard" is the only kind left, and older servers read the field "quota" instead of "size".
type quota struct {
	Quota uint64 `json:"quota"`
	Size  uint64 `json:"size"`
	Type  string `json:"quotatype,omitempty"`
}

// Quota is the size in bytes that a bucket may reach; 0 for no limit.
func (a *Admin) Quota(ctx context.Context, bucket string) (uint64, error) {
	body, err := a.call(ctx, "read quota of "+Location(bucket, ""), http.MethodGet, "get-bucket-quota", url.Values{"bucket": {bucket}}, nil)
	if err != nil {
		return 0, err
	}
	var q quota
	if err := json.Unmarshal(body, &q); err != nil {
		return 0, fmt.Errorf("read quota of %s: the answer does not read as MinIO's: %w", Location(bucket, ""), err)
	}
	return max(q.Size, q.Quota), nil
}

// SetQuota limits a bucket to a size in bytes; 0 takes the limit away.
func (a *Admin) SetQuota(ctx context.Context, bucket string, bytes uint64) error {
	q := quota{Quota: bytes, Size: bytes}
	if bytes > 0 {
		q.Type = "hard"
	}
	_, err := a.call(ctx, "set quota of "+Location(bucket, ""), http.MethodPut, "set-bucket-quota", url.Values{"bucket": {bucket}}, compact(q))
	return err
}
