package acme

import (
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Import checks a certificate and key that somebody else obtained, for instance certbot's fullchain.pem and
// privkey.pem. The error names everything that is wrong with them. What comes back holds the certificates and the key
// alone, whatever else stood in the files.
func Import(certPEM, keyPEM []byte, names []string, now time.Time) (*Certificate, error) {
	if err := swapped(certPEM, keyPEM); err != nil {
		return nil, err
	}
	info, err := Inspect(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("the certificate: %w", err)
	}
	if err := faults(info, keyPEM, names, now); err != nil {
		return nil, err
	}
	isKey := func(kind string) bool { return strings.HasSuffix(kind, "PRIVATE KEY") }
	isCertificate := func(kind string) bool { return kind == "CERTIFICATE" }
	return &Certificate{Chain: blocks(certPEM, isCertificate), Key: blocks(keyPEM, isKey), Info: info}, nil
}

// blocks are the parts of a PEM text that are of a kind.
func blocks(text []byte, wanted func(kind string) bool) []byte {
	var out []byte
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if wanted(block.Type) {
			out = append(out, pem.EncodeToMemory(block)...)
		}
	}
	return out
}

// faults are all that is wrong with a certificate that can be read.
func faults(info Info, keyPEM []byte, names []string, now time.Time) error {
	var errs []error
	if _, err := parseKey(keyPEM); err != nil {
		errs = append(errs, fmt.Errorf("the key: %w", err))
	} else if !info.KeyMatches {
		errs = append(errs, errors.New("the key belongs to another certificate; take both files from the same folder and the same issuance"))
	}
	if info.ChainProblem != "" {
		errs = append(errs, fmt.Errorf("the chain is out of order: %s; put the server's certificate first, then the one that signed it, and so on (certbot's fullchain.pem is right)", info.ChainProblem))
	}
	if missing := info.Missing(names); len(missing) > 0 {
		errs = append(errs, fmt.Errorf("the certificate is for %s and lacks %s; a wildcard does not stand for names above or below its own level", listed(info.Names), strings.Join(missing, ", ")))
	}
	switch {
	case !now.Before(info.NotAfter):
		errs = append(errs, fmt.Errorf("the certificate expired on %s; renew it first", date(info.NotAfter)))
	case now.Before(info.NotBefore):
		errs = append(errs, fmt.Errorf("the certificate is not valid before %s; check the clock of this machine", info.NotBefore.UTC().Format(time.RFC3339)))
	}
	return errors.Join(errs...)
}

func listed(names []string) string {
	if len(names) == 0 {
		return "no DNS name at all"
	}
	return strings.Join(names, ", ")
}

// swapped finds the most common mistake.
func swapped(certPEM, keyPEM []byte) error {
	_, certErr := parseCertificates(certPEM)
	_, keyErr := parseKey(keyPEM)
	if certErr == nil || keyErr == nil {
		return nil
	}
	_, certInKey := parseCertificates(keyPEM)
	_, keyInCert := parseKey(certPEM)
	if certInKey == nil && keyInCert == nil {
		return errors.New("the certificate and the key are mixed up: the file given as the key holds the certificate")
	}
	return nil
}
