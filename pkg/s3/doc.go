// Package s3 talks to S3 servers: buckets and objects, STS (AssumeRoleWithWebIdentity), and the part of MinIO's admin API
// that the datalab needs (policies, quota, version). It renders the policies that give each user and each group a bucket,
// and proves that they do. It knows no Kubernetes: an *http.Client and an endpoint are given from outside, so that both
// may lead through a port-forward.
//
// A token for MinIO carries the username as a string, MinIO's client in the audience, and in the claim "policy" the names
// of all policies that apply: platform.S3Policy for everybody, and for each group of the user the one that
// Tenancy.GroupPolicy names. In Keycloak (tried on 20.0.5, 21.1.2, 24.0.5 and 26.5.6) these are roles of the client
// "minio": one mapper oidc-hardcoded-role-mapper gives platform.S3Policy to every token, each group has its role by a role
// mapping, and one mapper oidc-usermodel-client-role-mapper writes the roles into the claim, as a list, in the access token.
package s3
