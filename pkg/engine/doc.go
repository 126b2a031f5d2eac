// Package engine observes, plans and applies steps.
//
// A step is one thing in the world: a Helm release, a Kubernetes object, a certificate, a Keycloak client, a Vault
// policy. Every command is a view of the same three acts: diff observes and plans, install also applies, status shows
// what was observed, uninstall removes in reverse. The engine knows no system by name; what it runs is handed to it.
package engine
