package helm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
)

// maxChart bounds a packaged chart; the largest that we install is Traefik's with 240 kB.
const maxChart = 20 << 20

// archive is the content of a packaged chart and its sha256 in hex.
type archive struct {
	data   []byte
	digest string
}

func newArchive(data []byte) archive {
	sum := sha256.Sum256(data)
	return archive{data: data, digest: hex.EncodeToString(sum[:])}
}

// Fetch makes sure that a chart can be had and is the one that was vouched for. What it downloads is kept for later.
// It fails with *ChartError.
func (c *Client) Fetch(ctx context.Context, ch profile.Chart) error {
	_, err := c.archive(ctx, ch)
	return err
}

// load gives a chart that nobody else holds, because rendering changes it, and the sha256 of its archive.
func (c *Client) load(ctx context.Context, ch profile.Chart) (*chart.Chart, string, error) {
	a, err := c.archive(ctx, ch)
	if err != nil {
		return nil, "", err
	}
	loaded, err := loader.LoadArchive(bytes.NewReader(a.data))
	if err != nil {
		return nil, "", fmt.Errorf("chart %s %s: %w", ch.Name, ch.Version, err)
	}
	if loaded.Name() != ch.Name || loaded.Metadata.Version != ch.Version {
		return nil, "", fmt.Errorf("chart %s %s: the archive holds %s %s; correct the name and version in the profile or the file's name",
			ch.Name, ch.Version, loaded.Name(), loaded.Metadata.Version)
	}
	return loaded, a.digest, nil
}

// archive gives a chart's content: from the chart directory if there is one, else from the cache or its repository.
// The working directory is never looked at.
func (c *Client) archive(ctx context.Context, ch profile.Chart) (archive, error) {
	if c.ChartDir != "" {
		return c.fromDir(ch)
	}
	if a, known := c.remembered(ch); known {
		return a, nil
	}
	if a, found := c.fromCache(ch.SHA256); found {
		c.remember(ch, a)
		return a, nil
	}
	a, err := c.download(ctx, ch)
	if err != nil {
		return archive{}, err
	}
	if ch.SHA256 == "" {
		c.warn(fmt.Sprintf("chart %s %s has no sha256 in the profile, so nobody vouches for what %s gave (sha256 %s)",
			ch.Name, ch.Version, ch.Repository, a.digest))
	}
	c.toCache(a)
	c.remember(ch, a)
	return a, nil
}

// fileName is what `helm package` names a chart.
func fileName(ch profile.Chart) string { return ch.Name + "-" + ch.Version + ".tgz" }

func (c *Client) fromDir(ch profile.Chart) (archive, error) {
	file := filepath.Join(c.ChartDir, fileName(ch))
	data, err := os.ReadFile(file)
	if err != nil {
		return archive{}, c.missingInDir(ch, file, err)
	}
	a := newArchive(data)
	if ch.SHA256 != "" && !strings.EqualFold(a.digest, ch.SHA256) {
		return archive{}, &ChartError{Chart: ch, Tried: file,
			Err: &DigestError{From: file, Wanted: ch.SHA256, Found: a.digest},
			Fix: "get the file anew from " + ch.Repository + ", or, if it is meant to differ, put its sha256 under charts in onyxia.yaml"}
	}
	if ch.SHA256 == "" {
		c.warn(fmt.Sprintf("chart %s %s has no sha256 in the profile, so nobody vouches for %s (sha256 %s)", ch.Name, ch.Version, file, a.digest))
	}
	return a, nil
}

// pulling is the command that gets the chart, for somebody whose machine reaches its repository.
func pulling(ch profile.Chart) string {
	if strings.HasPrefix(ch.Repository, "oci://") {
		return fmt.Sprintf("helm pull %s/%s --version %s", strings.TrimRight(ch.Repository, "/"), ch.Name, ch.Version)
	}
	return fmt.Sprintf("helm pull %s --repo %s --version %s", ch.Name, ch.Repository, ch.Version)
}

func (c *Client) missingInDir(ch profile.Chart, file string, err error) error {
	failure := &ChartError{Chart: ch, Tried: file, Err: err, Fix: "get " + fileName(ch) + " by `" + pulling(ch) + "` and put it there, or leave --chart-dir out to download it"}
	if info, e := os.Stat(filepath.Join(c.ChartDir, ch.Name)); e == nil && info.IsDir() {
		failure.Err = fmt.Errorf("there is an unpacked directory %s, which has no digest", filepath.Join(c.ChartDir, ch.Name))
		failure.Fix = "pack it with `helm package` in that directory"
		return failure
	}
	entries, e := os.ReadDir(c.ChartDir)
	if e != nil {
		failure.Err = e
		return failure
	}
	var versions []string
	for _, entry := range entries {
		if rest, ok := strings.CutPrefix(entry.Name(), ch.Name+"-"); ok {
			if version, ok := strings.CutSuffix(rest, ".tgz"); ok && parseVersion(version) != nil {
				versions = append(versions, version)
			}
		}
	}
	failure.Err = missingVersion(ch.Version, versions)
	return failure
}

// digest is the sha256 that a chart must have, as far as that can be told without downloading: the pinned one, or that
// of the file in the chart directory. Empty if it is not known.
func (c *Client) digest(ch profile.Chart) string {
	switch {
	case ch.SHA256 != "":
		return strings.ToLower(ch.SHA256)
	case c.ChartDir != "":
		if data, err := os.ReadFile(filepath.Join(c.ChartDir, fileName(ch))); err == nil {
			return newArchive(data).digest
		}
		return ""
	}
	a, _ := c.remembered(ch)
	return a.digest
}

func (c *Client) remembered(ch profile.Chart) (archive, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, known := c.archives[ch]
	return a, known
}

func (c *Client) remember(ch profile.Chart, a archive) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.archives == nil {
		c.archives = map[profile.Chart]archive{}
	}
	c.archives[ch] = a
}

func (c *Client) cacheFile(digest string) string {
	return filepath.Join(c.CacheDir, strings.ToLower(digest)+".tgz")
}

// fromCache reads a chart from the cache and checks its content again. A damaged file counts as none; the next download
// replaces it.
func (c *Client) fromCache(digest string) (archive, bool) {
	if c.CacheDir == "" || digest == "" {
		return archive{}, false
	}
	data, err := os.ReadFile(c.cacheFile(digest))
	if err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			c.warn(fmt.Sprintf("chart cache: %s", err))
		}
		return archive{}, false
	}
	a := newArchive(data)
	if !strings.EqualFold(a.digest, digest) {
		c.warn(fmt.Sprintf("chart cache: %s is damaged (its sha256 is %s) and is fetched anew", c.cacheFile(digest), a.digest))
		return archive{}, false
	}
	return a, true
}

// toCache keeps a chart. A cache that cannot be written costs the next run a download and stops nothing.
func (c *Client) toCache(a archive) {
	if c.CacheDir == "" {
		return
	}
	if err := writeFile(c.cacheFile(a.digest), a.data); err != nil {
		c.warn(fmt.Sprintf("chart cache: %s", err))
	}
}

// writeFile writes a file so that a reader sees all of it or nothing.
func writeFile(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".chart-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
