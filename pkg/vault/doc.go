// Package vault speaks to HashiCorp Vault and OpenBao over their HTTP API, which is the same on the wire: it initialises
// and unseals, takes short-lived rights, describes mounts, policies and roles as steps, proves that a user reaches their
// own secrets and nobody else's, and renders the values of both Helm charts.
//
// Keys. The document that opens a Vault (Keys) is YAML. It is written once, by a Keeper that refuses to overwrite:
//
//	version: 1
//	state: pending | complete     pending: written before Vault was asked, holds no key yet
//	kind: unseal | recovery       recovery: for a Vault with auto-unseal
//	address, created, shares, threshold
//	cluster                       UID of namespace kube-system of the cluster that Vault is in
//	vault                         Vault's own cluster_id, once these keys have opened it
//	form: plain | age | pgp
//	publicKey, privateKey         the one-time OpenPGP pair that Vault's answer is sealed to; in the form plain gone at the end
//	recipients: [...]             in the form age, whom privateKey is encrypted to
//	keys: [...]                   one for each share
//	rootToken                     gone once it has been revoked
//	beside                        a copy of Vault's answer that is still to be removed
//
// In the form plain, keys are hexadecimal and the file has mode 0600. In the form age, privateKey is encrypted to the
// recipients with age and keys are OpenPGP messages in base64, so ordinary programs open it too: age -d for the private
// key, gpg --import, gpg -d for each key. In the form pgp, each key is sealed to one holder's own OpenPGP key.
//
// The root token is revoked once all stands. Full rights come back from key shares: Client.GenerateRoot, or by hand vault
// operator generate-root -init, then vault operator generate-root once for each share, then vault operator generate-root
// -decode=ENCODED -otp=OTP; revoke it afterwards with vault token revoke -self. Vault 2 and OpenBao from 2.5.3 have to be
// configured for it, see Client.GenerateRoot; docs/vault.md says how one comes back into such a Vault.
//
// What is guaranteed when this program is killed at any moment: see Init.
package vault
