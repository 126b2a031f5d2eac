package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
)

// Preflight asks Vault what a browser asks before a page of the origin may log in or read a secret (Fetch standard, CORS
// protocol): OPTIONS with the method and the headers that Onyxia's web sends. nil means that the browser goes on.
func (c *Client) Preflight(ctx context.Context, path, method, origin string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodOptions, c.location(path), nil)
	if err != nil {
		return fmt.Errorf("vault: preflight of %s: %w", path, err)
	}
	req.Header.Set("Origin", origin)
	req.Header.Set("Access-Control-Request-Method", method)
	req.Header.Set("Access-Control-Request-Headers", "content-type,x-vault-token")
	res, err := secret.Direct(c.HTTP).Do(req)
	if err != nil {
		return fmt.Errorf("vault: preflight of %s: %w", path, unwrapURL(err))
	}
	defer func() { _ = res.Body.Close() }()
	refuse := func(why string) error {
		return preflightError(fmt.Sprintf("vault: preflight of %s %s from %s: %s; allow it with: vault write sys/config/cors enabled=true allowed_origins=%s (kubectl onyxia vault configure does)", method, path, origin, why, origin))
	}
	// Any 2xx is fine for a browser: Vault says 200, a proxy before it may say 204.
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return refuse(fmt.Sprintf("answered %d", res.StatusCode))
	}
	if allowed := res.Header.Get("Access-Control-Allow-Origin"); allowed != origin && allowed != "*" {
		return refuse(fmt.Sprintf("allows the origin %q", allowed))
	}
	if methods := listed(res.Header.Get("Access-Control-Allow-Methods")); !slices.Contains(methods, strings.ToLower(method)) {
		return refuse("does not allow the method")
	}
	headers := listed(res.Header.Get("Access-Control-Allow-Headers"))
	for _, needed := range []string{"content-type", "x-vault-token"} {
		if !slices.Contains(headers, needed) {
			return refuse("does not allow the header " + needed)
		}
	}
	return nil
}

// preflightError says that Vault answered, and that a browser does not go on with that answer.
type preflightError string

func (e preflightError) Error() string { return string(e) }

func listed(header string) []string {
	items := strings.Split(strings.ToLower(header), ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}

// foreignOrigin is one that nobody can own (RFC 2606).
const foreignOrigin = "https://elsewhere.invalid"

// preflights shows that Onyxia's pages may ask, and that others may not.
func preflights(ctx context.Context, client *Client, mount, secret, origin string, report func(string)) error {
	login := "auth/" + mount + "/login"
	if err := client.Preflight(ctx, login, http.MethodPost, origin); err != nil {
		return err
	}
	if err := client.Preflight(ctx, secret, http.MethodPut, origin); err != nil {
		return err
	}
	say(report, fmt.Sprintf("the browser may ask from %s", origin))
	err := client.Preflight(ctx, login, http.MethodPost, foreignOrigin)
	var refused preflightError
	if err != nil && !errors.As(err, &refused) {
		return err
	}
	if err == nil {
		// An admin may have allowed every origin: no error, for a page elsewhere has no token.
		say(report, "and from anywhere else too: sys/config/cors allows every origin")
		return nil
	}
	say(report, "and from no other origin")
	return nil
}
