package platform

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// checkSecretNames: each of these keys names a Secret. A value that cannot be such a name may be the secret itself, pasted
// into the wrong place, so it is not repeated.
func checkSecretNames(c Config) error {
	var errs []error
	for _, named := range []struct{ key, value, secret string }{
		{"auth.credentialsSecret", c.Auth.CredentialsSecret, "a login stands"},
		{"auth.smtp.passwordSecret", c.Auth.SMTP.PasswordSecret, "the password itself stands"},
		{"s3.credentialsSecret", c.S3.CredentialsSecret, "a login stands"},
		{"tls.acme.eab.hmacSecret", c.TLS.ACME.EAB.HMACSecret, "the HMAC key itself stands"},
		{"vault.credentialsSecret", c.Vault.CredentialsSecret, "the token itself stands"},
	} {
		if named.value != "" && !secretReference(named.value) {
			elsewhere := ""
			if named.key == "tls.acme.eab.hmacSecret" {
				elsewhere = ", or in the environment"
			}
			errs = append(errs, fmt.Errorf("%s: not namespace/name of a Secret; %s in that Secret%s, never in the configuration", named.key, named.secret, elsewhere))
		}
	}
	if name := c.TLS.SecretName; len(validation.IsDNS1123Subdomain(name)) > 0 {
		errs = append(errs, errors.New("tls.secretName: not the name of a Secret in the ingress controller's namespace"))
	}
	if name := c.Auth.Database.CredentialsSecret; name != "" && len(validation.IsDNS1123Subdomain(name)) > 0 {
		errs = append(errs, fmt.Errorf("auth.database.credentialsSecret: not the name of a Secret in namespace %s; the Secret holds username and password", c.Auth.Namespace))
	}
	return errors.Join(errs...)
}

// NamedSecrets are the Secrets of a namespace that the configuration names: people made them, and they outlive the datalab.
func (p Platform) NamedSecrets(namespace string) []string {
	var names []string
	for _, reference := range []string{
		p.Auth.CredentialsSecret, p.Auth.SMTP.PasswordSecret, p.S3.CredentialsSecret, p.TLS.ACME.EAB.HMACSecret, p.Vault.CredentialsSecret,
		p.Auth.Namespace + "/" + p.Auth.Database.CredentialsSecret,
	} {
		if in, name, _ := strings.Cut(reference, "/"); in == namespace && name != "" {
			names = append(names, name)
		}
	}
	return names
}

// secretReference tells namespace/name from anything else.
func secretReference(text string) bool {
	namespace, name, ok := strings.Cut(text, "/")
	return ok && len(validation.IsDNS1123Label(namespace)) == 0 && len(validation.IsDNS1123Subdomain(name)) == 0
}

// SecretKeyError is a key that was made up to hold a secret.
type SecretKeyError struct {
	Path string
	// Instead is the key that names a Secret in its place; empty for none.
	Instead string
}

func (e *SecretKeyError) Error() string {
	if e.Instead == "" {
		return fmt.Sprintf("unknown key %q: no passwords in this file", e.Path)
	}
	return fmt.Sprintf("unknown key %q: no passwords in this file: put it into a Secret and name that by %s", e.Path, e.Instead)
}

// instead finds the key beside a made-up one that names a Secret.
func instead(path string, siblings []string) string {
	for _, key := range siblings {
		if strings.HasSuffix(key, "Secret") {
			return path + key
		}
	}
	return ""
}
