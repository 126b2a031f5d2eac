// Command charts packs chart folders as Helm archives (.tgz) whose bytes depend on nothing but the folder: no date, no
// owner, files in order. A release made from such a chart is unchanged as long as the chart is.
//
//	charts OUT FOLDER...
//
// It prints the sha256 and the name of each archive, as sha256sum does.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "charts:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) < 2 {
		return errors.New("usage: charts OUT FOLDER [FOLDER]")
	}
	if err := os.MkdirAll(args[0], 0o755); err != nil {
		return err
	}
	for _, folder := range args[1:] {
		c, err := readChart(folder)
		if err != nil {
			return err
		}
		archive, err := c.pack()
		if err != nil {
			return fmt.Errorf("pack chart %s: %w", folder, err)
		}
		if err := replace(filepath.Join(args[0], c.archiveName()), archive); err != nil {
			return err
		}
		fmt.Fprintf(out, "%x  %s\n", sha256.Sum256(archive), c.archiveName())
	}
	return nil
}

// chart is a chart's folder with the name and version that its Chart.yaml gives.
type chart struct{ folder, name, version string }

// fields of Chart.yaml that make the archive's name; top level, plain scalars.
var (
	nameField    = regexp.MustCompile(`(?m)^name: *"?([a-z0-9-]+)"? *$`)
	versionField = regexp.MustCompile(`(?m)^version: *"?([0-9A-Za-z.+-]+)"? *$`)
)

func readChart(folder string) (chart, error) {
	text, err := os.ReadFile(filepath.Join(folder, "Chart.yaml"))
	if err != nil {
		return chart{}, fmt.Errorf("%s is not a chart: %w", folder, err)
	}
	name, version := nameField.FindSubmatch(text), versionField.FindSubmatch(text)
	if name == nil || version == nil {
		return chart{}, fmt.Errorf("%s/Chart.yaml gives no name or no version", folder)
	}
	return chart{folder, string(name[1]), string(version[1])}, nil
}

func (c chart) archiveName() string { return c.name + "-" + c.version + ".tgz" }

// pack returns the archive: every file of the folder under a folder with the chart's name.
func (c chart) pack() ([]byte, error) {
	var archive bytes.Buffer
	zipped := gzip.NewWriter(&archive)
	packed := tar.NewWriter(zipped)
	// WalkDir goes in lexical order.
	err := filepath.WalkDir(c.folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		within, err := filepath.Rel(c.folder, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		header := &tar.Header{Name: c.name + "/" + filepath.ToSlash(within), Mode: 0o644, Size: int64(len(text)), Format: tar.FormatUSTAR}
		if err := packed.WriteHeader(header); err != nil {
			return err
		}
		_, err = packed.Write(text)
		return err
	})
	err = errors.Join(err, packed.Close(), zipped.Close())
	return archive.Bytes(), err
}

// replace writes a file whole or not at all.
func replace(path string, data []byte) error {
	part := path + ".part"
	if err := os.WriteFile(part, data, 0o644); err != nil {
		return err
	}
	return os.Rename(part, path)
}
