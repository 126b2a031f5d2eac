package platform

import (
	"errors"
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strings"
)

// speaksTLS tells a port whose servers speak TLS from the first byte (RFC 8314 section 3.3; 2465 is Amazon SES's).
func (s SMTP) speaksTLS() bool { return s.Port == 465 || s.Port == 2465 }

// SESRegion is the AWS region of an endpoint of Amazon SES's SMTP interface: email-smtp.REGION.amazonaws.com, its FIPS
// form, or that of a VPC (AWS General Reference, Amazon SES endpoints). The answer is empty for every other mail server.
func (s SMTP) SESRegion() string {
	found := regexp.MustCompile(`^(?:vpce-[0-9a-z-]+\.)?email-smtp(?:-fips)?\.([a-z]{2}(?:-[a-z]+)+-[1-9])(?:\.vpce)?\.amazonaws\.com$`).FindStringSubmatch(s.Host)
	if found == nil || !slices.Contains(strings.Fields("af ap ca eu il me mx sa us"), found[1][:2]) {
		return ""
	}
	return found[1]
}

// checkMail says what no mail server could work with.
func checkMail(s SMTP) error {
	if s.Host == "" {
		return nil
	}
	var errs []error
	addresses := map[string]string{"from": s.From, "replyTo": s.ReplyTo}
	for _, key := range sortedKeys(addresses) {
		address := addresses[key]
		if parsed, err := mail.ParseAddress(address); (address != "" || key == "from") && (err != nil || parsed.Address != address) {
			errs = append(errs, fmt.Errorf("auth.smtp.%s: %q is not an address such as datalab@example.org", key, address))
		}
	}
	if s.Port < 1 || s.Port > 65535 {
		errs = append(errs, fmt.Errorf("auth.smtp.port: %d is no port", s.Port))
	}
	if s.Username != "" && s.PasswordSecret == "" {
		errs = append(errs, errors.New("auth.smtp.passwordSecret: the namespace/name of a Secret is needed, because auth.smtp.username needs a password"))
	}
	return errors.Join(append(errs, checkSES(s))...)
}

// checkSES holds the rules of Amazon SES's SMTP interface (Amazon SES Developer Guide, "Connecting to an SMTP endpoint").
func checkSES(s SMTP) error {
	if !strings.HasSuffix(s.Host, ".amazonaws.com") {
		return nil
	}
	if s.SESRegion() == "" {
		return fmt.Errorf("auth.smtp.host: %q is no SMTP endpoint of Amazon SES: write email-smtp.REGION.amazonaws.com with the region of your identities, such as email-smtp.eu-west-1.amazonaws.com", s.Host)
	}
	var errs []error
	encryption := "starttls"
	if s.speaksTLS() {
		encryption = "tls"
	}
	switch {
	case !slices.Contains([]int{25, 587, 2587, 465, 2465}, s.Port):
		errs = append(errs, fmt.Errorf("auth.smtp.port: Amazon SES does not listen on %d: take 587 (or 2587), or 465 (or 2465) for TLS from the start", s.Port))
	case s.Encryption != encryption:
		errs = append(errs, fmt.Errorf("auth.smtp.encryption: Amazon SES wants %q on port %d, not %q", encryption, s.Port, s.Encryption))
	}
	switch {
	case s.Username == "":
		errs = append(errs, errors.New("auth.smtp.username: Amazon SES takes no mail without a login: make SMTP credentials in its console (SMTP settings), and name the password's Secret in auth.smtp.passwordSecret"))
	case strings.HasPrefix(s.Username, "ASIA"):
		errs = append(errs, errors.New("auth.smtp.username: ASIA... is a temporary access key, which Amazon SES takes for no SMTP login: make SMTP credentials in its console (SMTP settings)"))
	case strings.ContainsAny(s.Username, "@ /"):
		errs = append(errs, fmt.Errorf("auth.smtp.username: %q is no SMTP user name of Amazon SES, which looks like AKIA...: make SMTP credentials in its console (SMTP settings)", s.Username))
	}
	return errors.Join(errs...)
}
