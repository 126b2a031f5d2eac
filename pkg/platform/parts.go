package platform

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/spelling"
)

// checkParts: what the cluster or an authority would refuse later.
func checkParts(c Config) error {
	var errs []error
	if server := c.TLS.ACME.Server; server != "letsencrypt" && server != "letsencrypt-staging" {
		if u, err := url.Parse(server); err != nil || u.Host == "" || u.Scheme != "https" {
			errs = append(errs, fmt.Errorf("tls.acme.server: %q is not letsencrypt, letsencrypt-staging or an https:// address%s", server, meant(server, []string{"letsencrypt", "letsencrypt-staging"})))
		}
	}
	for _, domain := range c.Auth.EmailDomains {
		if len(validation.IsDNS1123Subdomain(strings.ToLower(domain))) > 0 {
			errs = append(errs, fmt.Errorf("auth.emailDomains: %q is not a domain such as example.org: give what stands behind the @", domain))
		}
	}
	if service := c.Ingress.Service; service != "" && !secretReference(service) {
		errs = append(errs, fmt.Errorf("ingress.service: %q is not namespace/name of a Service", service))
	}
	return errors.Join(errs...)
}

// meant is the hint at the nearest of several words.
func meant(word string, words []string) string {
	if near := spelling.Nearest(word, words); len(near) > 0 {
		return fmt.Sprintf(": did you mean %q?", near[0])
	}
	return ""
}
