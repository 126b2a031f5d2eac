package acme

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// Info is what one can see of a certificate and its key without asking anybody.
type Info struct {
	// Names are the DNS names it is good for.
	Names []string `json:"names"`
	// Issuer is the name of the authority that signed it.
	Issuer    string    `json:"issuer"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
	// Serial in hex.
	Serial string `json:"serial"`
	// Key is the type of its key: "ec256", "rsa2048".
	Key string `json:"key,omitempty"`
	// KeyMatches tells whether the key given belongs to the certificate.
	KeyMatches bool `json:"keyMatches"`
	// Chain are the subjects of the certificates in the file, the server's first.
	Chain []string `json:"chain"`
	// ChainProblem says what is wrong with the order of the chain; empty for nothing.
	ChainProblem string `json:"chainProblem,omitempty"`
	// SelfSigned certificates are trusted by nobody.
	SelfSigned bool `json:"selfSigned,omitempty"`
	// Staging certificates come from an authority for trying out; browsers don't trust them.
	Staging bool `json:"staging,omitempty"`
	// Renewal is when the authority wants it renewed. Inspect leaves it empty; ask Renewal.
	Renewal *Window `json:"renewal,omitempty"`
}

// Inspect reads a certificate with its chain, and its key, both in PEM. It fails only if there is no certificate to
// read; a key that is missing or does not belong to it is told by KeyMatches.
func Inspect(certPEM, keyPEM []byte) (Info, error) {
	certificates, err := parseCertificates(certPEM)
	if err != nil {
		return Info{}, err
	}
	leaf := certificates[0]
	info := Info{
		Names:        leaf.DNSNames,
		Issuer:       issuer(leaf),
		NotBefore:    leaf.NotBefore,
		NotAfter:     leaf.NotAfter,
		Serial:       fmt.Sprintf("%x", serial(leaf)),
		Key:          keyType(leaf),
		ChainProblem: chainProblem(certificates),
		SelfSigned:   bytes.Equal(leaf.RawIssuer, leaf.RawSubject) && leaf.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature) == nil,
		Staging:      isStaging(leaf),
	}
	for _, c := range certificates {
		info.Chain = append(info.Chain, subject(c))
	}
	if key, err := parseKey(keyPEM); err == nil {
		info.KeyMatches = matches(leaf, key)
	}
	return info, nil
}

// Missing are the names that the certificate is not good for. A wildcard stands for one label and not for itself
// (RFC 6125 section 6.4.3).
func (i Info) Missing(names []string) []string {
	var missing []string
	for _, name := range names {
		_, parent, _ := strings.Cut(name, ".")
		good := slices.ContainsFunc(i.Names, func(have string) bool {
			return strings.EqualFold(have, name) || strings.EqualFold(have, "*."+parent) && !strings.HasPrefix(name, "*")
		})
		if !good {
			missing = append(missing, name)
		}
	}
	return missing
}

// Trusted tells whether a certificate is more than a trial: signed by an authority, and not a staging one.
func (i Info) Trusted() bool { return !i.Staging && !i.SelfSigned }

func parseCertificates(text []byte) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d in the file cannot be read: %w", len(out)+1, err)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, errors.New("no certificate in PEM form (-----BEGIN CERTIFICATE-----) in it")
	}
	return out, nil
}

// parseKey reads the first private key: PKCS #8, or the older forms for RSA and elliptic curves.
func parseKey(text []byte) (crypto.Signer, error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
			return nil, errors.New("the private key is encrypted; write it without its passphrase (openssl pkey -in KEY -out PLAIN) and give that")
		}
		return parseKeyBlock(block)
	}
	return nil, errors.New("no private key in PEM form (-----BEGIN PRIVATE KEY-----) in it")
}

func parseKeyBlock(block *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		return nil, fmt.Errorf("the private key cannot be read: %w", err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a %T is not a key that a server can use", key)
	}
	return signer, nil
}

// keyType names the type and size of a certificate's key as the configuration does; empty for one that it has no name for.
func keyType(c *x509.Certificate) string {
	switch key := c.PublicKey.(type) {
	case *ecdsa.PublicKey:
		return fmt.Sprintf("ec%d", key.Params().BitSize)
	case *rsa.PublicKey:
		return fmt.Sprintf("rsa%d", key.N.BitLen())
	}
	return ""
}

func matches(c *x509.Certificate, key crypto.Signer) bool {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(c.PublicKey)
}

// chainProblem checks that each certificate is signed by the next one (RFC 8446 section 4.4.2).
func chainProblem(certificates []*x509.Certificate) string {
	if len(certificates) > 1 && certificates[0].IsCA {
		return "the first certificate in the file is an authority's, " + subject(certificates[0]) + "; the server's own comes first"
	}
	for i := range len(certificates) - 1 {
		if err := certificates[i].CheckSignatureFrom(certificates[i+1]); err != nil {
			return fmt.Sprintf("certificate %d in the file, %s, did not sign the one before it, %s", i+2, subject(certificates[i+1]), subject(certificates[i]))
		}
	}
	return ""
}

// isStaging knows the staging authorities of Let's Encrypt, old and new, and Pebble.
func isStaging(c *x509.Certificate) bool {
	names := c.Issuer.String()
	return slices.ContainsFunc([]string{"(STAGING)", "Fake LE", "Pebble"}, func(mark string) bool { return strings.Contains(names, mark) })
}

func issuer(c *x509.Certificate) string {
	if organization := c.Issuer.Organization; len(organization) > 0 && c.Issuer.CommonName != "" {
		return organization[0] + " " + c.Issuer.CommonName
	}
	return c.Issuer.CommonName + strings.Join(c.Issuer.Organization, "")
}

func subject(c *x509.Certificate) string {
	if c.Subject.CommonName != "" {
		return c.Subject.CommonName
	}
	return strings.Join(c.DNSNames, ", ")
}

func serial(c *x509.Certificate) *big.Int {
	if c.SerialNumber == nil {
		return new(big.Int)
	}
	return c.SerialNumber
}
