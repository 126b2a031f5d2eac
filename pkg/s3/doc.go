// Package s3 talks to S3 servers: buckets and objects, STS (AssumeRoleWithWebIdentity), and the part of MinIO's admin API
// that the datalab needs (policies, quota, version). It renders the policy that gives each user and each group a bucket,
// and proves that it does. It knows no Kubernetes: an *http.Client and an endpoint are given from outside, so that both
// may lead through a port-forward.
package s3
