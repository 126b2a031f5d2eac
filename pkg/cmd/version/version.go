// Package version is the command that says which build this is.
package version

import (
	_ "embed"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/cmd/cli"
)

// Info is what the command prints.
type Info struct {
	Version   string `json:"version"`
	GitCommit string `json:"gitCommit,omitempty"`
	GoVersion string `json:"goVersion"`
	Platform  string `json:"platform"`
	Helm      string `json:"helm"`
	Lego      string `json:"lego"`
}

// released is the version of a release: make release puts it in the place of the empty file. A program that does not know
// its commit has the same bytes for the same sources, so the manifest that stands beside them can hold the archives' sums.
//
//go:embed released.txt
var released string

// Read takes the build's own information; the version is the release's, or the module's, which the Go toolchain sets.
func Read() Info {
	info := Info{Version: "devel", GoVersion: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return info
	}
	if v := build.Main.Version; v != "" && v != "(devel)" {
		info.Version = v
	}
	if v := strings.TrimSpace(released); v != "" {
		info.Version = v
	}
	for _, s := range build.Settings {
		if s.Key == "vcs.revision" {
			info.GitCommit = s.Value
		}
	}
	for _, d := range build.Deps {
		switch d.Path {
		case "helm.sh/helm/v3":
			info.Helm = d.Version
		case "github.com/go-acme/lego/v4":
			info.Lego = d.Version
		}
	}
	return info
}

// NewCommand makes the command.
func NewCommand(o *cli.Options) *cobra.Command {
	var format cli.Format
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Show the version",
		Example: "  " + o.Command + " version -o json",
		Args:    cli.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			info := Read()
			if format != "" {
				return cli.Structured(o.Out, format, info)
			}
			_, err := fmt.Fprintf(o.Out, "%s (%s, %s, helm %s, lego %s)\n", info.Version, info.GoVersion, info.Platform, info.Helm, info.Lego)
			return err
		},
	}
	cli.AddOutputFlag(cmd, &format)
	return cmd
}
