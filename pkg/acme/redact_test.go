package acme

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestRedact(t *testing.T) {
	const secret = `p/ss+w"rd & more`
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("token-from-a-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	keyfile := filepath.Join(t.TempDir(), "tsig")
	if err := os.WriteFile(keyfile, []byte("key \"onyxia\" {\n\tsecret \"c2VjcmV0LW9mLWEta2V5LWZpbGU=\";\n};\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"OVH_APPLICATION_SECRET": secret,
		"OVH_ENDPOINT":           "ovh-eu",
		"OVH_TTL":                "3600",
		"OVH_CONSUMER_KEY_FILE":  file,
		"OVH_UNDOCUMENTED":       "undocumented value",
		"SOME_API_TOKEN":         "token-of-another-program",
		"RFC2136_TSIG_SECRET":    "old-name-of-the-secret",
		"DNSUPDATE_TSIG_FILE":    keyfile,
		"DNSUPDATE_NAMESERVER":   "192.0.2.1:53",
		"DNSUPDATE_TSIG_KEY":     "onyxia.",
	} {
		t.Setenv(name, value)
	}
	for name, tc := range map[string]struct{ provider, text, want string }{
		"plain":            {"ovh", "bad password " + secret + ".", "bad password $OVH_APPLICATION_SECRET."},
		"in a query":       {"ovh", "GET /?s=" + url.QueryEscape(secret), "GET /?s=$OVH_APPLICATION_SECRET"},
		"in JSON":          {"ovh", `{"s":"p/ss+w\"rd \u0026 more"}`, `{"s":"$OVH_APPLICATION_SECRET"}`},
		"in a header":      {"ovh", "Basic " + base64.StdEncoding.EncodeToString([]byte(secret)), "Basic $OVH_APPLICATION_SECRET"},
		"from a file":      {"ovh", "token-from-a-file is wrong", "$OVH_CONSUMER_KEY_FILE is wrong"},
		"undocumented":     {"ovh", "undocumented value", "$OVH_UNDOCUMENTED"},
		"other program's":  {"ovh", "token-of-another-program", "$SOME_API_TOKEN"},
		"place and number": {"ovh", "ovh-eu 3600", "ovh-eu 3600"},
		"old name":         {"rfc2136", "old-name-of-the-secret", "$RFC2136_TSIG_SECRET"},
		"key file":         {"rfc2136", "c2VjcmV0LW9mLWEta2V5LWZpbGU=", "$DNSUPDATE_TSIG_FILE"},
		"server and key":   {"rfc2136", "server 192.0.2.1:53, key onyxia.", "server 192.0.2.1:53, key onyxia."},
		"given":            {"ovh", "hmac hmac-of-the-account", "hmac (secret)"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := newRedactor(tc.provider, "hmac-of-the-account").redact(tc.text); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// A redacted error can be matched, but what it hides cannot be got out of it.
func TestRedactedErrors(t *testing.T) {
	t.Setenv("OVH_APPLICATION_SECRET", "very-secret")
	err := newRedactor("ovh").wrap(errors.Join(context.Canceled, errors.New("very-secret was refused")))
	if !errors.Is(err, context.Canceled) {
		t.Error("it is no longer known what the error was")
	}
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		if strings.Contains(inner.Error(), "very-secret") {
			t.Errorf("%T holds the secret", inner)
		}
	}
	if newRedactor("ovh").wrap(nil) != nil {
		t.Error("no error became one")
	}
}

func TestKeysDoNotPrint(t *testing.T) {
	account := Account{Directory: "https://ca.example.org", Key: "the-key", URI: "https://ca.example.org/1"}
	certificate := Certificate{Key: []byte("the-key"), Account: account, Info: Info{Names: []string{"a.b"}}}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		for _, value := range []any{account, certificate, &certificate} {
			if text := fmt.Sprintf(format, value); strings.Contains(text, "the-key") || !strings.Contains(text, "a") {
				t.Errorf("%s of %T: %s", format, value, text)
			}
		}
	}
}

// <(...) works for the variables that end with _FILE: a run makes its provider more than once, and a pipe gives its content once.
func TestProviderReadsAPipeOnce(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"DNSUPDATE_NAMESERVER": "192.0.2.1:53", "DNSUPDATE_TSIG_KEY": "onyxia.", "DNSUPDATE_TSIG_SECRET": "", "DNSUPDATE_TSIG_SECRET_FILE": pipe,
		// One of another program is not ours to empty, nor to wait for.
		"OTHER_TOKEN_FILE": pipe,
	} {
		t.Setenv(name, value)
	}
	go func() { _ = os.WriteFile(pipe, []byte("c2VjcmV0LW9mLWEtcGlwZQ==\n"), 0) }()
	for range 3 {
		if err := CheckProvider("rfc2136"); err != nil {
			t.Error(err)
		}
	}
	if got := newRedactor("rfc2136").redact("it is c2VjcmV0LW9mLWEtcGlwZQ=="); got != "it is $DNSUPDATE_TSIG_SECRET" {
		t.Error(got)
	}
}
