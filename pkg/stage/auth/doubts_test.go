package auth

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
)

// Each doubt is one line with its fix, and is told where its cause is and nowhere else.
func TestDoubts(t *testing.T) {
	yes, no := true, false
	closed := platform.Auth{Registration: &no}
	mail := func(change func(*platform.SMTP)) platform.Auth {
		s := platform.SMTP{Host: "mail.a.org", From: "lab@a.org"}
		change(&s)
		return platform.Auth{SMTP: s}
	}
	ses := func(change func(*platform.SMTP)) platform.Auth {
		return mail(func(s *platform.SMTP) {
			s.Host, s.Username, s.PasswordSecret = "email-smtp.eu-west-1.amazonaws.com", "AKIAIOSFODNN7EXAMPLE", "keycloak/mail"
			change(s)
		})
	}
	elsewhere := func(address string, login platform.Login) platform.Auth {
		return platform.Auth{Mode: platform.AuthKeycloak, URL: address, CredentialsSecret: "n/s", Login: login}
	}
	always := []string{"verified identities only", "sandbox"}
	for name, c := range map[string]struct {
		auth platform.Auth
		tls  platform.TLS
		want []string
		// stands is a datalab from before this run.
		stands bool
	}{
		"open sign-up":           {want: []string{"anyone can sign up"}},
		"closed":                 {auth: closed},
		"some may sign up":       {auth: platform.Auth{EmailDomains: []string{"a.org"}}, want: []string{"somebody else at a.org"}},
		"two groups of one name": {auth: platform.Auth{Registration: &no, Groups: []string{"a/x", "b/x", "y"}}, want: []string{"the groups a/x and b/x have the same last part"}},
		"a realm that verifies":  {auth: platform.Auth{Login: platform.Login{VerifyEmail: &yes}}, want: []string{"has no mail server that sends it", "anyone can sign up"}},
		"one that stands":        {auth: platform.Auth{Login: platform.Login{VerifyEmail: &yes}}, stands: true},
		"one with a mail server": {auth: platform.Auth{Login: platform.Login{VerifyEmail: &yes}, SMTP: platform.SMTP{Host: "mail.a.org", From: "lab@a.org"}}},
		"one of somebody else's": {auth: elsewhere("https://sso.demo.test", platform.Login{VerifyEmail: &yes})},
		"terms behind a mail": {auth: platform.Auth{Login: platform.Login{VerifyEmail: &yes, AcceptTerms: &yes}, Terms: map[string]string{"en": "https://a.org/t"}, SMTP: platform.SMTP{Host: "mail.a.org", From: "lab@a.org"}},
			want: []string{"the terms page may be empty"}},
		"a Keycloak of another site":     {auth: elsewhere("https://sso.example.org", platform.Login{VerifyEmail: &yes}), want: []string{"the first login may fail in Firefox"}},
		"a mail server that does not":    {auth: platform.Auth{Login: platform.Login{VerifyEmail: &no}, SMTP: platform.SMTP{Host: "mail.a.org", From: "lab@a.org"}}, want: []string{"anyone can sign up"}},
		"a staging authority":            {auth: closed, tls: platform.TLS{ACME: platform.ACME{Server: "letsencrypt-staging"}}, want: []string{"tls.acme.server to letsencrypt"}},
		"somebody else's certificate":    {auth: closed, tls: platform.TLS{Mode: "existing", ACME: platform.ACME{Server: "letsencrypt-staging"}}},
		"mail":                           {auth: mail(func(*platform.SMTP) {})},
		"mail, TLS from the start":       {auth: mail(func(s *platform.SMTP) { s.Port = 465 })},
		"mail, starttls on 465":          {auth: mail(func(s *platform.SMTP) { s.Port, s.Encryption = 465, "starttls" }), want: []string{"auth test-mail"}},
		"mail, TLS on 587":               {auth: mail(func(s *platform.SMTP) { s.Encryption = "tls" }), want: []string{"encryption is tls on port 587"}},
		"mail, a password in the clear":  {auth: mail(func(s *platform.SMTP) { s.Encryption, s.Username, s.PasswordSecret = "none", "u", "n/s" }), want: []string{"in the clear"}},
		"mail in the clear, no password": {auth: mail(func(s *platform.SMTP) { s.Encryption, s.Port = "none", 25 })},
		"SES":                            {auth: ses(func(*platform.SMTP) {}), want: always},
		"SES on port 25":                 {auth: ses(func(s *platform.SMTP) { s.Port = 25 }), want: append([]string{"EC2 throttles port 25"}, always...)},
		"SES, an odd user":               {auth: ses(func(s *platform.SMTP) { s.Username = "ses-smtp-user.20240101" }), want: append([]string{"AKIA and 16 more"}, always...)},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := platform.Complete(platform.Config{Domain: "demo.test", Auth: c.auth, TLS: c.tls})
			if err != nil {
				t.Fatal(err)
			}
			got := doubts(p, c.stands)
			if len(got) != len(c.want) {
				t.Fatalf("told %q, want %q", got, c.want)
			}
			for i, want := range c.want {
				if !strings.Contains(got[i], want) || strings.Contains(got[i], "\n") || !strings.ContainsAny(got[i], ":") {
					t.Errorf("told %q, want one line with %q", got[i], want)
				}
			}
		})
	}
}

// Two addresses are of one site by the list of public suffixes, not by their last two parts.
func TestSite(t *testing.T) {
	for address, want := range map[string]string{
		"https://auth.lab.demo.test/auth": "demo.test", "https://onyxia.a.co.uk": "a.co.uk", "https://onyxia.lab.github.io:8443": "lab.github.io",
		"https://10.0.0.1/auth": "10.0.0.1", "https://sso": "sso",
	} {
		if got := site(address); got != want {
			t.Errorf("%s: %s", address, got)
		}
	}
}

// What is said of SES names the region and the domain, so that the command can be copied.
func TestSESDoubtsNameRegionAndDomain(t *testing.T) {
	p, err := platform.Complete(platform.Config{Domain: "demo.test", Auth: platform.Auth{SMTP: platform.SMTP{
		Host: "email-smtp.eu-west-3.amazonaws.com", From: "lab@stats.example.org", Username: "AKIAIOSFODNN7EXAMPLE", PasswordSecret: "keycloak/mail",
	}}})
	if err != nil {
		t.Fatal(err)
	}
	told := strings.Join(doubts(p, false), "\n")
	for _, want := range []string{"--email-identity stats.example.org --region eu-west-3", "aws sesv2 get-account --region eu-west-3"} {
		if !strings.Contains(told, want) {
			t.Errorf("%q is not told in %q", want, told)
		}
	}
}

// The lengths are those of AWS's own examples: a secret access key, and an SMTP password (base64 of 33 bytes, the first 4).
func TestPasswordDoubt(t *testing.T) {
	ses, own := platform.SMTP{Host: "email-smtp.eu-west-1.amazonaws.com"}, platform.SMTP{Host: "mail.a.org"}
	const secretKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	const smtpPassword = "BBJalrXUtnFEMIaK7MDENGabPxRfiCYEXAMPLEKEYabc"
	for name, c := range map[string]struct {
		smtp     platform.SMTP
		password string
		want     string
	}{
		"a secret access key":               {ses, secretKey, "derived from it"},
		"an SMTP password":                  {ses, smtpPassword, ""},
		"something else":                    {ses, "hunter2", "does not look like"},
		"44 that begin with another":        {ses, "C" + smtpPassword[1:], "does not look like"},
		"a secret access key at an own one": {own, secretKey, ""},
	} {
		got := passwordDoubt(c.smtp, c.password)
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
		if strings.Contains(got, c.password) {
			t.Errorf("%s: the password is told", name)
		}
	}
}

// signed makes a certificate for a host, and the root that signed it, by way of an intermediate authority or without one.
func signed(t *testing.T, host string, steps int, notAfter time.Time) (chain, root []byte) {
	t.Helper()
	encode := func(der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	var parent *x509.Certificate
	var parentKey *ecdsa.PrivateKey
	var list [][]byte
	for i := range steps + 1 {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		made := &x509.Certificate{
			SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{CommonName: "Test Authority " + string(rune('A'+i))},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: notAfter, IsCA: i < steps, BasicConstraintsValid: true,
		}
		if i == steps {
			made.DNSNames = []string{host}
		}
		if parent == nil {
			parent, parentKey = made, key
		}
		der, err := x509.CreateCertificate(rand.Reader, made, parent, key.Public(), parentKey)
		if err != nil {
			t.Fatal(err)
		}
		if parent, err = x509.ParseCertificate(der); err != nil {
			t.Fatal(err)
		}
		parentKey = key
		list = append([][]byte{encode(der)}, list...)
	}
	return bytes.Join(list[:len(list)-1], nil), list[len(list)-1]
}

// A certificate is doubted when neither this machine nor trust.caBundle knows who signed it; what else may be wrong with it is
// for the tls stage to say.
func TestUntrusted(t *testing.T) {
	const host = "auth.lab.demo.test"
	soon := time.Now().Add(time.Hour)
	direct, root := signed(t, "*.lab.demo.test", 1, soon)
	between, above := signed(t, "*.lab.demo.test", 2, soon)
	expired, _ := signed(t, "*.lab.demo.test", 1, time.Now().Add(-time.Minute))
	other, otherRoot := signed(t, "example.org", 1, soon)
	for name, c := range map[string]struct {
		chain, ca []byte
		want      string
	}{
		"private":                       {chain: direct, want: `signed by "Test Authority A"`},
		"private, in the bundle":        {chain: direct, ca: root},
		"private, another bundle":       {chain: direct, ca: above, want: "trust.caBundle"},
		"by an intermediate":            {chain: between, want: `signed by "Test Authority A"`},
		"by an intermediate, in bundle": {chain: between, ca: above},
		"expired":                       {chain: expired, ca: root},
		"for others":                    {chain: other, ca: otherRoot},
		"none":                          {},
	} {
		got := untrusted(c.chain, c.ca, host, time.Now())
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}
