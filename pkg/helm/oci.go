package helm

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"helm.sh/helm/v3/pkg/registry"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote/errcode"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/secret"
)

// fetchOCI pulls a chart from a registry, with the credentials that docker and helm keep for it.
func (c *Client) fetchOCI(ctx context.Context, ch profile.Chart) ([]byte, string, error) {
	repository := strings.TrimSuffix(strings.TrimPrefix(ch.Repository, "oci://"), "/") + "/" + ch.Name
	// A tag cannot hold a plus sign; Helm writes an underscore for it.
	ref := repository + ":" + strings.ReplaceAll(ch.Version, "+", "_")
	client, err := c.registryClient(ctx)
	if err != nil {
		return nil, "oci://" + ref, err
	}
	var data []byte
	err = retry(ctx, func() (bool, error) {
		result, err := client.Pull(ref)
		if err != nil {
			return !refused(err), err
		}
		data = result.Chart.Data
		return false, nil
	})
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		err = tooLarge(large.Limit)
	}
	if errors.Is(err, errdef.ErrNotFound) {
		if tags, e := client.Tags(repository); e == nil {
			err = missingVersion(ch.Version, tags)
		}
	}
	return data, "oci://" + ref, err
}

// registryClient makes a client whose requests end with the context and after a time, and whose answers, manifests as well as
// blobs, are no larger than a chart may be; Helm's own would not.
func (c *Client) registryClient(ctx context.Context) (*registry.Client, error) {
	base, limit := c.httpClient().Transport, cmp.Or(c.httpClient().Timeout, attemptTimeout)
	if base == nil {
		base = http.DefaultTransport
	}
	return registry.NewClient(
		registry.ClientOptHTTPClient(&http.Client{
			Transport: sizedTransport{&boundTransport{ctx: ctx, base: base}}, Timeout: limit, CheckRedirect: secret.Strip,
		}),
		registry.ClientOptWriter(io.Discard),
		registry.ClientOptEnableCache(true),
	)
}

// sizedTransport ends answers that are larger than a chart may be.
type sizedTransport struct{ base http.RoundTripper }

func (t sizedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(req)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxChart)
	}
	return resp, err
}

// refused tells whether a registry gave an answer that asking again won't change.
func refused(err error) bool {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return true
	}
	var answer *errcode.ErrorResponse
	if errors.As(err, &answer) {
		return answer.StatusCode < http.StatusInternalServerError && answer.StatusCode != http.StatusTooManyRequests
	}
	return errors.Is(err, errdef.ErrNotFound)
}
