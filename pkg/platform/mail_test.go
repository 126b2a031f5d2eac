package platform

import (
	"strings"
	"testing"
)

// An endpoint of Amazon SES is told by its host (AWS General Reference, Amazon SES endpoints and quotas).
func TestSESRegion(t *testing.T) {
	for host, want := range map[string]string{
		"email-smtp.eu-west-1.amazonaws.com":                          "eu-west-1",
		"email-smtp.us-gov-west-1.amazonaws.com":                      "us-gov-west-1",
		"email-smtp.ap-southeast-2.amazonaws.com":                     "ap-southeast-2",
		"email-smtp-fips.us-east-1.amazonaws.com":                     "us-east-1",
		"vpce-0a1b2c-3d4e.email-smtp.eu-central-1.vpce.amazonaws.com": "eu-central-1",
		"email-smtp.amazonaws.com":                                    "",
		"email-smtp.eu-west.amazonaws.com":                            "",
		"email-smtp.euwest1.amazonaws.com":                            "",
		"email-smtp.xx-west-1.amazonaws.com":                          "",
		"email-smtp.eu-west-1.amazonaws.com.evil.org":                 "",
		"email.eu-west-1.amazonaws.com":                               "",
		"mail.example.org":                                            "",
		"":                                                            "",
	} {
		if got := (SMTP{Host: host}).SESRegion(); got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
}

// What cannot work is refused, each in one line with what to write; the rules are those of the SES Developer Guide.
func TestMail(t *testing.T) {
	ses := SMTP{Host: "email-smtp.eu-west-1.amazonaws.com", From: "lab@example.org", Username: "AKIAIOSFODNN7EXAMPLE", PasswordSecret: "keycloak/mail"}
	own := SMTP{Host: "mail.example.org", From: "lab@example.org"}
	change := func(s SMTP, f func(*SMTP)) SMTP { f(&s); return s }
	for name, c := range map[string]struct {
		smtp SMTP
		fail string
	}{
		"none":                       {},
		"own":                        {smtp: own},
		"own, odd port":              {smtp: change(own, func(s *SMTP) { s.Port = 2526 })},
		"no sender":                  {change(own, func(s *SMTP) { s.From = "" }), `auth.smtp.from: "" is not an address`},
		"sender with a name":         {change(own, func(s *SMTP) { s.From = "Lab <lab@example.org>" }), "auth.smtp.from"},
		"answers to nobody":          {change(own, func(s *SMTP) { s.ReplyTo = "lab" }), `auth.smtp.replyTo: "lab"`},
		"no port":                    {change(own, func(s *SMTP) { s.Port = 70000 }), "auth.smtp.port: 70000"},
		"user without a password":    {change(own, func(s *SMTP) { s.Username = "lab" }), "auth.smtp.passwordSecret"},
		"Secret without a namespace": {change(own, func(s *SMTP) { s.Username, s.PasswordSecret = "lab", "mail" }), "auth.smtp.passwordSecret: not namespace/name of a Secret; the password itself stands in that Secret"},

		"SES":                   {smtp: ses},
		"SES 2587":              {smtp: change(ses, func(s *SMTP) { s.Port = 2587 })},
		"SES 25":                {smtp: change(ses, func(s *SMTP) { s.Port = 25 })},
		"SES 465 by itself":     {smtp: change(ses, func(s *SMTP) { s.Port = 465 })},
		"SES 2465 with tls":     {smtp: change(ses, func(s *SMTP) { s.Port, s.Encryption = 2465, "tls" })},
		"SES 465 with starttls": {change(ses, func(s *SMTP) { s.Port, s.Encryption = 465, "starttls" }), `wants "tls" on port 465, not "starttls"`},
		"SES 587 with tls":      {change(ses, func(s *SMTP) { s.Encryption = "tls" }), `wants "starttls" on port 587, not "tls"`},
		"SES in the clear":      {change(ses, func(s *SMTP) { s.Encryption = "none" }), `not "none"`},
		"SES on another port":   {change(ses, func(s *SMTP) { s.Port = 2525 }), "does not listen on 2525: take 587"},
		"SES without a region":  {change(ses, func(s *SMTP) { s.Host = "email-smtp.amazonaws.com" }), "email-smtp.REGION.amazonaws.com"},
		"SES with a slip":       {change(ses, func(s *SMTP) { s.Host = "email-smtp.eu-wset1.amazonaws.com" }), "no SMTP endpoint of Amazon SES"},
		"SES's other API":       {change(ses, func(s *SMTP) { s.Host = "email.eu-west-1.amazonaws.com" }), "no SMTP endpoint of Amazon SES"},
		"SES without a login":   {change(ses, func(s *SMTP) { s.Username, s.PasswordSecret = "", "" }), "takes no mail without a login"},
		"SES, a temporary key":  {change(ses, func(s *SMTP) { s.Username = "ASIAIOSFODNN7EXAMPLE" }), "temporary access key"},
		"SES, an address":       {change(ses, func(s *SMTP) { s.Username = "lab@example.org" }), "no SMTP user name of Amazon SES"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Complete(Config{Domain: "example.org", Auth: Auth{SMTP: c.smtp}})
			if c.fail == "" && err != nil || c.fail != "" && (err == nil || !strings.Contains(err.Error(), c.fail)) {
				t.Errorf("got %v, want %q", err, c.fail)
			}
			if err != nil && strings.Count(err.Error(), "\n") > 0 {
				t.Errorf("more than one line: %v", err)
			}
		})
	}
}

// The ports of which TLS is spoken from the start say so by themselves.
func TestEncryptionByPort(t *testing.T) {
	for port, want := range map[int]string{0: "starttls", 587: "starttls", 25: "starttls", 465: "tls", 2465: "tls"} {
		p, err := Complete(Config{Domain: "example.org", Auth: Auth{SMTP: SMTP{Host: "mail.example.org", From: "a@example.org", Port: port}}})
		if err != nil || p.Auth.SMTP.Encryption != want {
			t.Errorf("port %d: %q, %v", port, p.Auth.SMTP.Encryption, err)
		}
	}
}
