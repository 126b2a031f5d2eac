package acme

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/go-acme/lego/v4/acme/api"
	"github.com/go-acme/lego/v4/certcrypto"
)

// requestTimeout bounds one request to the authority, its answer included, and largestAnswer the answer; a chain of
// certificates has some kB.
const (
	requestTimeout = time.Minute
	largestAnswer  = 1 << 20
)

const userAgent = "kubectl-onyxia"

// connect reads the directory and makes a client whose requests end with the context.
func connect(ctx context.Context, directory string, caPEM []byte, uri string, key crypto.Signer) (*api.Core, error) {
	client, err := httpClient(ctx, caPEM)
	if err != nil {
		return nil, err
	}
	core, err := api.New(client, userAgent, directory, uri, key)
	if err != nil {
		return nil, explainDirectory(directory, err)
	}
	return core, nil
}

// httpClient trusts the system's authorities and those given. lego makes requests without a context, so the transport
// puts ours into each of them.
func httpClient(ctx context.Context, caPEM []byte) (*http.Client, error) {
	base, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, fmt.Errorf("the program's HTTP transport is a %T, which takes no authorities", http.DefaultTransport)
	}
	transport := base.Clone()
	if len(caPEM) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(caPEM) {
			return nil, errors.New("tls.acme.caBundle holds no certificate in PEM form")
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{Transport: &bound{ctx: ctx, next: transport}}, nil
}

// bound makes requests under a context of its own.
type bound struct {
	ctx  context.Context
	next http.RoundTripper
}

func (b *bound) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(b.ctx, requestTimeout)
	response, err := b.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	response.Body = &body{ReadCloser: http.MaxBytesReader(nil, response.Body, largestAnswer), done: cancel}
	return response, nil
}

// body frees the request's timer once it was read.
type body struct {
	io.ReadCloser
	done context.CancelFunc
}

func (b *body) Close() error {
	defer b.done()
	return b.ReadCloser.Close()
}

// The types of keys that a certificate can have.
const (
	KeyEC256   = "ec256"   // ECDSA P-256, which every public authority takes
	KeyEC384   = "ec384"   // ECDSA P-384
	KeyRSA2048 = "rsa2048" // RSA, for old clients
	KeyRSA4096 = "rsa4096"
)

// newKey makes an ECDSA P-256 key.
func newKey() (crypto.Signer, string, error) { return newKeyOf(KeyEC256) }

// newKeyOf makes a key of one of the types above; empty for ECDSA P-256.
func newKeyOf(kind string) (crypto.Signer, string, error) {
	var key crypto.Signer
	var err error
	switch kind {
	case "", KeyEC256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case KeyEC384:
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case KeyRSA2048:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case KeyRSA4096:
		key, err = rsa.GenerateKey(rand.Reader, 4096)
	default:
		err = fmt.Errorf("there is no key type %q", kind)
	}
	if err != nil {
		return nil, "", fmt.Errorf("make a private key: %w", err)
	}
	return key, string(certcrypto.PEMEncode(key)), nil
}
