package acme

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/go-acme/lego/v4/acme"
)

// problemSpace is how the types of ACME's problem documents begin (RFC 8555 section 6.7).
const problemSpace = "urn:ietf:params:acme:error:"

// isProblem tells whether an error is a problem document of that type.
func isProblem(err error, kind string) bool {
	var problem *Problem
	return errors.As(err, &problem) && problem.Kind == kind
}

// Problem is what the authority says when it refuses something, in words.
type Problem struct {
	// Kind is the short type of the problem document: "rateLimited", "caa", "dns".
	Kind string
	text string
}

func (p *Problem) Error() string { return p.text }

// explain turns problem documents and connection errors into sentences. Other errors come back as they are.
func explain(err error) error {
	var document *acme.ProblemDetails
	if !errors.As(err, &document) {
		return explainConnection(err)
	}
	kind := strings.TrimPrefix(document.Type, problemSpace)
	text := &strings.Builder{}
	fmt.Fprintf(text, "%s (%s)", strings.TrimSuffix(document.Detail, "."), kind)
	for _, sub := range document.SubProblems {
		fmt.Fprintf(text, "; %s: %s", sub.Identifier.Value, strings.TrimSuffix(sub.Detail, "."))
	}
	var limited *acme.RateLimitedError
	if errors.As(err, &limited) && limited.RetryAfter != "" {
		fmt.Fprintf(text, "; it says to come back after %s", after(limited.RetryAfter))
	}
	if advice := advise(kind); advice != "" {
		text.WriteString("; " + advice)
	}
	return &Problem{Kind: kind, text: text.String()}
}

// after reads a Retry-After header: seconds, or a date as it is.
func after(header string) string {
	if strings.Trim(header, "0123456789") == "" {
		return header + " seconds"
	}
	return header
}

// advise says what to do about the problems that an admin can mend (RFC 8555 section 6.7, RFC 8659 for CAA).
func advise(kind string) string {
	switch kind {
	case "rateLimited":
		return "try with tls.acme.server letsencrypt-staging until everything else works"
	case "dns":
		return "its resolvers could not read the TXT record: check with `dig TXT` that the domain is delegated and that all of its name servers answer from outside"
	case "unauthorized", "incorrectResponse":
		return "its resolvers saw another TXT record, or none: look for an old _acme-challenge record or an alias, and for name servers that differ"
	case "caa":
		return "a CAA record of the domain names other authorities: add this one to it"
	case "rejectedIdentifier":
		return "it does not issue for this name: check the domain, and that the authority is a public one only for public domains"
	case "invalidContact", "unsupportedContact":
		return "check tls.acme.email"
	default:
		return ""
	}
}

// explainConnection names the setting that mends a connection which isn't trusted.
func explainConnection(err error) error {
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		return fmt.Errorf("the ACME server's own certificate is signed by an authority that this machine does not trust; give that authority's PEM file as tls.acme.caBundle: %w", err)
	}
	return err
}

// explainDirectory says why an address is no use as a directory.
func explainDirectory(directory string, err error) error {
	var unknown x509.UnknownAuthorityError
	var document *acme.ProblemDetails
	switch text := err.Error(); {
	case errors.As(err, &unknown):
		return explainConnection(fmt.Errorf("%s: %w", directory, err))
	case errors.As(err, &document), strings.Contains(text, "unmarshal"), strings.Contains(text, "directory missing"), strings.Contains(text, " :: "):
		return fmt.Errorf("%s answers, but not as an ACME directory does (RFC 8555 section 7.1.1); check tls.acme.server: %s", directory, shorten(text))
	default:
		return fmt.Errorf("the ACME server %s cannot be reached; check tls.acme.server and the way out of this network (HTTPS_PROXY is honoured): %w", directory, err)
	}
}

// shorten keeps an error that quotes a whole page readable.
func shorten(text string) string {
	const most = 200
	text = strings.Join(strings.Fields(text), " ")
	if len(text) <= most {
		return text
	}
	return text[:most] + "..."
}
