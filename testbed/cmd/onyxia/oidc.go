package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// oidc is what the API tells browsers about the issuer (OIDCConfiguration.java at v4.12.0).
type oidc struct {
	IssuerURI                    string `json:"issuerURI"`
	ClientID                     string `json:"clientID"`
	ExtraQueryParams             string `json:"extraQueryParams"`
	Scope                        string `json:"scope"`
	IdleSessionLifetimeInSeconds *int   `json:"idleSessionLifetimeInSeconds,omitempty"`
	Audience                     string `json:"audience"`
}

// newOIDC takes the defaults of application.properties and fetches the issuer's discovery document and keys, without
// which the real API does not start.
func newOIDC(ctx context.Context, env map[string]string) (*oidc, error) {
	o := &oidc{
		IssuerURI:        env["oidc.issuer-uri"],
		ClientID:         or(env["oidc.clientID"], "onyxia"),
		ExtraQueryParams: env["oidc.extra-query-params"],
		Scope:            or(env["oidc.scope"], "openid profile"),
		Audience:         env["oidc.audience"],
	}
	if text := env["oidc.idleSessionLifetimeInSeconds"]; text != "" {
		seconds, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("oidc.idleSessionLifetimeInSeconds: %w", err)
		}
		o.IdleSessionLifetimeInSeconds = &seconds
	}
	client, err := issuerClient(or(env["CACERTS_DIR"], "/usr/local/share/ca-certificates"), env["oidc.skip-tls-verify"] == "true")
	if err != nil {
		return nil, err
	}
	if err := discover(ctx, client, o.IssuerURI); err != nil {
		return nil, fmt.Errorf("unable to resolve the configuration with the provided issuer of %q: %w", o.IssuerURI, err)
	}
	return o, nil
}

// discover wants what the real API's token decoder wants: the issuer called by the very name it gives itself, and keys.
func discover(ctx context.Context, client *http.Client, issuer string) error {
	var document struct {
		Issuer  string
		JWKSURI string `json:"jwks_uri"`
	}
	if err := get(ctx, client, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration", &document); err != nil {
		return err
	}
	if document.Issuer != issuer {
		return fmt.Errorf("it calls itself %q", document.Issuer)
	}
	var keys struct{ Keys []any }
	if err := get(ctx, client, document.JWKSURI, &keys); err != nil {
		return err
	}
	if len(keys.Keys) == 0 {
		return errors.New("it has no keys")
	}
	return nil
}

func get(ctx context.Context, client *http.Client, url string, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(v)
}

// issuerClient trusts the system's authorities and those in a folder, which a chart mounts for a private one (the real
// image's entrypoint imports every file there).
func issuerClient(folder string, skipVerify bool) (*http.Client, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if pem, err := os.ReadFile(filepath.Join(folder, e.Name())); err == nil {
			pool.AppendCertsFromPEM(pem)
		}
	}
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		Proxy:           http.ProxyFromEnvironment,
		TLSClientConfig: &tls.Config{RootCAs: pool, InsecureSkipVerify: skipVerify, MinVersion: tls.VersionTLS12},
	}}, nil
}
