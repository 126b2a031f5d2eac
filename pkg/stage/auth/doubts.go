package auth

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/acme"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/keycloak"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// doubts are what may well go wrong and stops nothing, each in one line with its fix. They follow from the configuration. Of a
// realm that stands the realm itself tells what can be seen in it.
func doubts(p platform.Platform, stands bool) []string {
	var list []string
	verified := on(p.Auth.Login.VerifyEmail)
	if verified && p.Auth.SMTP.Host == "" && p.Auth.InstallsKeycloak() && !stands {
		list, verified = append(list, keycloak.NoMailServer(p.Auth.Realm)), false
	}
	if verified && on(p.Auth.Login.AcceptTerms) {
		list = append(list, "the terms page may be empty for those who open the link of the mail (auth.login.verifyEmail) in another browser than the one they signed up in: tell them so, or set auth.login.acceptTerms to false")
	}
	if login, app := site(p.Issuer()), site(p.OnyxiaURL()); login != app {
		list = append(list, "Keycloak is below "+login+" and Onyxia below "+app+", which browsers take for different sites: the first login may fail in Firefox; give Keycloak a name below "+app+" (auth.url)")
	}
	switch open := *p.Auth.Registration && !verified; {
	case open && len(p.Auth.EmailDomains) > 0:
		list = append(list, "anyone can sign up with an address of somebody else at "+strings.Join(p.Auth.EmailDomains, ", ")+", because none is verified: name a mail server (auth.smtp) that asks them (auth.login.verifyEmail), or set auth.registration to false")
	case open:
		list = append(list, "anyone can sign up and no address is checked: set auth.registration to false, or name a mail server (auth.smtp) and the domains that may sign up (auth.emailDomains)")
	}
	if p.TLS.Mode == platform.TLSACME && acme.StagingDirectory(acme.DirectoryURL(p.TLS.ACME.Server)) && len(p.CAPEM) == 0 {
		list = append(list, "certificates of "+p.TLS.ACME.Server+" are for trying out, and neither pods nor browsers trust them: set tls.acme.server to letsencrypt, or name the roots of that authority by trust.caBundle")
	}
	for _, same := range platform.SameNames(p.Auth.Groups) {
		list = append(list, SameGroups(same))
	}
	return append(list, mailDoubts(p.Auth.SMTP)...)
}

// on tells a switch that is set to true.
func on(key *bool) bool { return key != nil && *key }

// site is what browsers call one: the registrable domain of an address, or its host where it has none.
func site(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return address
	}
	host := parsed.Hostname()
	if net.ParseIP(host) != nil {
		return host
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil {
		return host
	}
	return domain
}

// SameGroups is the doubt about groups whose paths end in one name: tokens give the last part of a group's path alone, and so does everything that is called after it.
func SameGroups(paths []string) string {
	return "the groups " + strings.Join(paths, " and ") + " have the same last part, so their members share namespace, bucket and secrets: give one another name"
}

// mailDoubts: what a mail server may refuse, and nobody can see from here.
func mailDoubts(s platform.SMTP) []string {
	switch region := s.SESRegion(); {
	case s.Host == "":
		return nil
	case region != "":
		return sesDoubts(s, region)
	case (s.Port == 465) != (s.Encryption == "tls"):
		return []string{fmt.Sprintf("auth.smtp: mail servers speak TLS from the start on port 465, and not on others (RFC 8314), but encryption is %s on port %d: a mail may hang; try it by `kubectl onyxia auth test-mail`", s.Encryption, s.Port)}
	case s.Encryption == "none" && s.Username != "":
		return []string{"auth.smtp: the password of the mail server crosses the network in the clear: set auth.smtp.encryption to starttls or tls"}
	}
	return nil
}

// sesDoubts hold for Amazon SES (Amazon SES Developer Guide: SMTP endpoints, SMTP credentials, verified identities, sandbox).
func sesDoubts(s platform.SMTP, region string) []string {
	var list []string
	if s.Port == 25 {
		list = append(list, "auth.smtp.port: Amazon EC2 throttles port 25: take 587 or 2587")
	}
	if !regexp.MustCompile(`^AKIA[A-Z0-9]{16}$`).MatchString(s.Username) {
		list = append(list, fmt.Sprintf("auth.smtp.username: %q does not look like an SMTP user name of Amazon SES (AKIA and 16 more): make SMTP credentials in its console (SMTP settings) in region %s", s.Username, region))
	}
	_, domain, _ := strings.Cut(s.From, "@")
	return append(list,
		fmt.Sprintf("auth.smtp.from: Amazon SES sends for verified identities only, which cannot be seen from here: %s or %s has to be among those of region %s (`aws sesv2 get-email-identity --email-identity %s --region %s`)", domain, s.From, region, domain, region),
		fmt.Sprintf("auth.smtp: as long as the account is in Amazon SES's sandbox, mail reaches verified addresses only, so nobody new can sign up: see ProductionAccessEnabled of `aws sesv2 get-account --region %s`, and ask for production access", region))
}

// passwordDoubt: AWS secret access keys have 40 characters, the SMTP passwords that are derived from them 44: one byte of
// version, 4, and an HMAC-SHA256, in base64 (Amazon SES Developer Guide, "Convert existing AWS credentials").
func passwordDoubt(s platform.SMTP, password string) string {
	switch {
	case s.SESRegion() == "":
		return ""
	case regexp.MustCompile(`^[A-Za-z0-9/+]{40}$`).MatchString(password):
		return "auth.smtp.passwordSecret: the password has 40 characters as a secret access key has, and Amazon SES wants the SMTP password that is derived from it (44): make SMTP credentials in its console (SMTP settings)"
	case !regexp.MustCompile(`^B[A-Za-z0-9/+]{43}$`).MatchString(password):
		return "auth.smtp.passwordSecret: the password does not look like an SMTP password of Amazon SES (44 characters, the first one B): make SMTP credentials in its console (SMTP settings)"
	}
	return ""
}

// untrusted says that a certificate is signed by nobody that pods would trust; empty when somebody is, or when something
// else is wrong with it, which is for the tls stage to say.
func untrusted(chain, ca []byte, host string, now time.Time) string {
	certificates := certificatesIn(chain)
	roots, err := platform.Roots(ca)
	if err != nil || len(certificates) == 0 {
		return ""
	}
	between := x509.NewCertPool()
	for _, c := range certificates[1:] {
		between.AddCert(c)
	}
	_, err = certificates[0].Verify(x509.VerifyOptions{DNSName: host, Roots: roots, Intermediates: between, CurrentTime: now})
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) {
		return ""
	}
	return fmt.Sprintf("the certificate of %s is signed by %q, which is neither a public authority nor in trust.caBundle: Onyxia's API, MinIO and Vault will not trust the login; name the PEM file of that authority by trust.caBundle, or take a public one (tls.acme.server: letsencrypt)",
		host, certificates[len(certificates)-1].Issuer.CommonName)
}

// certificatesIn reads what can be read of a bundle.
func certificatesIn(bundle []byte) []*x509.Certificate {
	var list []*x509.Certificate
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		if c, err := x509.ParseCertificate(block.Bytes); err == nil && block.Type == "CERTIFICATE" {
			list = append(list, c)
		}
	}
	return list
}
