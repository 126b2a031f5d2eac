// Package acme obtains certificates from an authority that speaks ACME (RFC 8555), by DNS-01 challenges, and looks at
// the certificates that are there. It is the only package that imports lego, and it knows nothing of Kubernetes.
//
// lego brings the signed messages and the DNS providers. The course of an order is ours and not that of lego's own
// Obtain, which takes no context, gives up the pending authorizations when it fails, and waits a minute between two
// names where the provider works one by one. Ours stops at any point, takes away every record it made, and takes up a
// pending order that an earlier run left.
package acme
