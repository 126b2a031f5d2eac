package platform

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
)

// ErrNoDomain says that the one key without a default is missing.
var ErrNoDomain = errors.New("no domain: give --domain, or the key \"domain\" in onyxia.yaml")

// Complete fills in the defaults, reads the files that the configuration names, and checks all of it.
func Complete(c Config) (Platform, error) {
	p := Platform{Config: WithDefaults(c)}
	if err := Validate(p.Config); err != nil {
		return Platform{}, err
	}
	var err error
	if p.CAPEM, err = readPEM("trust.caBundle", c.Trust.CABundle); err != nil {
		return Platform{}, err
	}
	if p.ACMECAPEM, err = readPEM("tls.acme.caBundle", c.TLS.ACME.CABundle); err != nil {
		return Platform{}, err
	}
	return p, nil
}

// readPEM reads a bundle of certificates and checks that there is one in it. The key may hold the PEM text itself: so
// the record in the cluster serves people on other machines.
func readPEM(key, file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	data := []byte(file)
	if strings.HasPrefix(file, "-----BEGIN") {
		file = "the text"
	} else {
		var err error
		if data, err = os.ReadFile(file); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	}
	if !x509.NewCertPool().AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("%s: %s holds no PEM certificate", key, file)
	}
	return data, nil
}

// Roots are the authorities to trust: the system's, and those of the bundles given.
func Roots(bundles ...[]byte) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("the system's certificate authorities: %w", err)
	}
	for _, pem := range bundles {
		pool.AppendCertsFromPEM(pem)
	}
	return pool, nil
}
