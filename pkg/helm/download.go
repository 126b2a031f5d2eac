package helm

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
)

// How often and how long a download is tried, and how large an index may be.
const (
	attempts       = 3
	firstPause     = 500 * time.Millisecond
	attemptTimeout = time.Minute
	maxIndex       = 32 << 20
)

// download gets a chart from its repository and checks it against the sha256 that somebody vouched for.
func (c *Client) download(ctx context.Context, ch profile.Chart) (archive, error) {
	data, tried, err := c.fetch(ctx, ch)
	failure := &ChartError{Chart: ch, Tried: tried, Err: err,
		Fix: "get " + fileName(ch) + " on a machine that can reach it and use --chart-dir DIR"}
	if err != nil {
		return archive{}, failure
	}
	a := newArchive(data)
	if ch.SHA256 != "" && !strings.EqualFold(a.digest, ch.SHA256) {
		failure.Err = &DigestError{From: tried, Wanted: ch.SHA256, Found: a.digest}
		failure.Fix = "do not install it before you know why: the repository or something on the way changed a published chart; " +
			"a good copy can be used with --chart-dir DIR"
		return archive{}, failure
	}
	return a, nil
}

func (c *Client) fetch(ctx context.Context, ch profile.Chart) (data []byte, tried string, err error) {
	repository, err := url.Parse(ch.Repository)
	if err != nil {
		return nil, ch.Repository, fmt.Errorf("not an address: %w", err)
	}
	switch repository.Scheme {
	case "oci":
		return c.fetchOCI(ctx, ch)
	case "https":
		return c.fetchHTTP(ctx, ch, repository)
	case "http":
		if ch.SHA256 == "" {
			return nil, repository.Redacted(), errors.New("plain http and no sha256: anyone on the way could change it")
		}
		return c.fetchHTTP(ctx, ch, repository)
	}
	return nil, repository.Redacted(), fmt.Errorf("a repository is https:// or oci://, not %q", repository.Scheme)
}

// repoIndex is the part of a chart repository's index.yaml that leads to an archive.
type repoIndex struct {
	Entries map[string][]struct {
		Version string   `json:"version"`
		URLs    []string `json:"urls"`
		Digest  string   `json:"digest"`
	} `json:"entries"`
}

func (c *Client) fetchHTTP(ctx context.Context, ch profile.Chart, repository *url.URL) ([]byte, string, error) {
	indexURL := repository.JoinPath("index.yaml")
	text, err := c.get(ctx, indexURL, maxIndex)
	if err != nil {
		return nil, indexURL.Redacted(), err
	}
	var index repoIndex
	if err := yaml.Unmarshal(text, &index); err != nil {
		return nil, indexURL.Redacted(), fmt.Errorf("not an index: %w", err)
	}
	link, digest, err := index.find(ch)
	if err != nil {
		return nil, indexURL.Redacted(), err
	}
	ref, err := url.Parse(link)
	if err != nil {
		return nil, indexURL.Redacted(), fmt.Errorf("index names %q for it: %w", link, err)
	}
	// Relative addresses start at the repository, which Helm takes for a directory even without a slash at its end.
	address := repository.JoinPath("/").ResolveReference(ref)
	data, err := c.get(ctx, address, maxChart)
	if err != nil {
		return nil, address.Redacted(), err
	}
	if found := newArchive(data).digest; ch.SHA256 == "" && digest != "" && !strings.EqualFold(strings.TrimPrefix(digest, "sha256:"), found) {
		return nil, address.Redacted(), &DigestError{From: address.Redacted(), Wanted: digest, Found: found}
	}
	return data, address.Redacted(), nil
}

// find gives the address and the digest that the index has for a chart.
func (i repoIndex) find(ch profile.Chart) (link, digest string, err error) {
	entries, ok := i.Entries[ch.Name]
	if !ok {
		return "", "", fmt.Errorf("the index has no chart %s", ch.Name)
	}
	var versions []string
	for _, entry := range entries {
		if sameVersion(entry.Version, ch.Version) && len(entry.URLs) > 0 {
			return entry.URLs[0], entry.Digest, nil
		}
		versions = append(versions, entry.Version)
	}
	return "", "", missingVersion(ch.Version, versions)
}

// get downloads one document, trying again where that may help.
func (c *Client) get(ctx context.Context, address *url.URL, limit int64) ([]byte, error) {
	var body []byte
	err := retry(ctx, func() (bool, error) {
		var again bool
		var err error
		body, again, err = c.getOnce(ctx, address, limit)
		return again, err
	})
	return body, err
}

func (c *Client) getOnce(ctx context.Context, address *url.URL, limit int64) (body []byte, again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, false, err
	}
	resp, err := c.httpClient().Do(req)
	if err != nil {
		var untrusted *tls.CertificateVerificationError
		return nil, !errors.As(err, &untrusted), err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		again = resp.StatusCode >= http.StatusInternalServerError || resp.StatusCode == http.StatusTooManyRequests
		return nil, again, fmt.Errorf("the server answered %s", resp.Status)
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, true, err
	}
	if int64(len(body)) > limit {
		return nil, false, tooLarge(limit)
	}
	return body, false, nil
}

func tooLarge(limit int64) error { return fmt.Errorf("larger than %d MiB", limit>>20) }

// retry calls a function a few times while it asks for it. It gives up at once when the context ends.
func retry(ctx context.Context, try func() (again bool, err error)) error {
	pause := firstPause
	for n := 1; ; n++ {
		again, err := try()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil || !again || n == attempts {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
		pause *= 2
	}
}
