package secret

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Client is an HTTP client for requests with a credential. It follows no redirect, see Direct.
func Client(transport http.RoundTripper, limit time.Duration) *http.Client {
	return Direct(&http.Client{Transport: transport, Timeout: limit})
}

// Direct is a client as it was given, but for redirects: it does not follow them. Go sends a password in a body on after a 307
// and an X-Vault-Token after any, to whatever host the answer names, and from https to http too. nil is the zero client.
func Direct(client *http.Client) *http.Client {
	direct := http.Client{}
	if client != nil {
		direct = *client
	}
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &direct
}

// maxRedirects is net/http's own limit.
const maxRedirects = 10

// Strip is a CheckRedirect for servers that send on to others by design, as registries do for their blobs: what is sent on goes
// without the credential as soon as host, port or scheme is another. Go itself looks at the host alone.
func Strip(request *http.Request, via []*http.Request) error {
	if len(via) >= maxRedirects {
		return fmt.Errorf("stopped after %d redirects", maxRedirects)
	}
	if !sameOrigin(request.URL, via[0].URL) {
		request.Header.Del("Authorization")
		request.Header.Del("Cookie")
	}
	return nil
}

// Transport carries requests of a client that adds the credential below net/http, where no CheckRedirect sees it: what was sent
// on to another origin does not leave.
func Transport(next http.RoundTripper) http.RoundTripper { return transport{next} }

type transport struct{ next http.RoundTripper }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	// Response is set on requests that a redirect caused, and on no others.
	if r.Response != nil && r.Response.Request != nil && !sameOrigin(r.URL, r.Response.Request.URL) {
		if r.Body != nil {
			return nil, errors.Join(sentOn(r.URL), r.Body.Close())
		}
		return nil, sentOn(r.URL)
	}
	return t.next.RoundTrip(r)
}

// WrappedRoundTripper lets client-go look through it.
func (t transport) WrappedRoundTripper() http.RoundTripper { return t.next }

// Redirected is the error of an answer that sends a request on; nil for any other. The address is said without its parameters.
func Redirected(response *http.Response) error {
	if response.StatusCode < 300 || response.StatusCode > 399 || response.StatusCode == http.StatusNotModified {
		return nil
	}
	to, err := response.Location()
	if err != nil {
		return fmt.Errorf("%s, without saying where to", response.Status)
	}
	return sentOn(to)
}

func sentOn(to *url.URL) error {
	return fmt.Errorf("sent on to %s://%s%s, which is not followed with a password or a token", to.Scheme, to.Host, to.EscapedPath())
}

func sameOrigin(a, b *url.URL) bool { return a.Scheme == b.Scheme && a.Host == b.Host }
