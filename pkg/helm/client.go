// Package helm is the only importer of Helm. It decides what a release needs before Helm is called, because Helm writes
// at each upgrade whether anything changed or not.
package helm

import (
	"context"
	"net/http"
	"sync"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
)

// Client runs Helm releases on one cluster. Use it by pointer; it may be used from several goroutines at once.
type Client struct {
	Kube *kube.Client
	// ChartDir holds charts as NAME-VERSION.tgz; when set, nothing is downloaded.
	ChartDir string
	// Looking says that nothing is going to be written, so no chart is asked for: a look at what is there needs no internet.
	Looking bool
	// CacheDir keeps downloaded charts by their sha256. Empty keeps none.
	CacheDir string
	// HTTP downloads from chart repositories. Nil means http.DefaultClient.
	HTTP *http.Client
	// Warn tells the admin something that stops nothing, one line. Nil says nothing.
	Warn func(string)
	// Waiting tells what a chart's hook or a removal waits for. Nil says nothing.
	Waiting func(id engine.ID, reason string)
	// Busy says which other run is at work on the installation and since when, empty for none. Nil: nobody knows of one.
	Busy func(ctx context.Context) (string, error)
	// Installation names the datalab that releases are installed for, on each of them. Empty names none.
	Installation string
	// Unrecorded says that the cluster has no record of this datalab.
	Unrecorded bool
	// Debug takes what Helm itself logs. Nil drops it.
	Debug func(format string, args ...any)

	mu       sync.Mutex
	stores   map[string]*store         // by namespace
	warned   map[string]bool           // by text
	archives map[profile.Chart]archive // charts that this run has read
}

// warn says a line once in the life of the client.
func (c *Client) warn(line string) {
	c.mu.Lock()
	said := c.warned[line]
	if c.warned == nil {
		c.warned = map[string]bool{}
	}
	c.warned[line] = true
	c.mu.Unlock()
	if !said && c.Warn != nil {
		c.Warn(line)
	}
}

// busy says which other run has an unfinished release of ours in its hands; empty when it was cut off.
func (c *Client) busy(ctx context.Context, stored *Stored) (string, error) {
	if stored == nil || stored.Party != "" || c.Busy == nil || doing(stored) == "" {
		return "", nil
	}
	who, err := c.Busy(ctx)
	if err != nil || who == "" {
		return "", err
	}
	return "being " + doing(stored) + " by " + who, nil
}

func (c *Client) debug(format string, args ...any) {
	if c.Debug != nil {
		c.Debug(format, args...)
	}
}

func (c *Client) httpClient() *http.Client {
	if c.HTTP != nil {
		return c.HTTP
	}
	return http.DefaultClient
}
