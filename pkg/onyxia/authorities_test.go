package onyxia

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

	"github.com/google/go-cmp/cmp"
)

func authority(t *testing.T, name string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// keytool takes the first certificate of a file and leaves the rest, so each has to have a file of its own.
func TestCAFiles(t *testing.T) {
	one, two := authority(t, "one"), authority(t, "two")
	got, err := CAFiles(bytes.Join([][]byte{[]byte("# the institution's own"), one, two, one}, []byte("\n")))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 {
		t.Fatalf("%d files, want one for each of two certificates", len(got))
	}
	for name, text := range got {
		if strings.Count(text, "BEGIN CERTIFICATE") != 1 || !strings.HasSuffix(name, ".crt") {
			t.Errorf("%s: %s", name, text)
		}
		if text != string(one) && text != string(two) {
			t.Errorf("%s is none of the two", name)
		}
	}
	again, err := CAFiles(append(append([]byte{}, two...), one...))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(got, again); d != "" {
		t.Errorf("the order in the bundle shows:\n%s", d)
	}
}

func TestCAFilesRefuses(t *testing.T) {
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("do not show this")})
	for name, c := range map[string]struct {
		bundle []byte
		fail   string
	}{
		"nothing":       {nil, "holds no PEM certificate"},
		"text":          {[]byte("hello"), "holds no PEM certificate"},
		"a private key": {append(authority(t, "one"), private...), "holds a PRIVATE KEY"},
	} {
		_, err := CAFiles(c.bundle)
		if err == nil || !strings.Contains(err.Error(), c.fail) || strings.Contains(err.Error(), "do not show") {
			t.Errorf("%s: %v, want %q", name, err, c.fail)
		}
	}
}
