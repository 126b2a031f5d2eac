// Package cli is what all commands share: the flags, how an installation is opened, how plans and progress are printed,
// and which exit code an error means.
package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/installation"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/ingress"
)

// Options are the flags and streams that every command has.
type Options struct {
	genericiooptions.IOStreams
	// Kube are kubectl's own flags.
	Kube *genericclioptions.ConfigFlags
	// File is the onyxia.yaml.
	File string
	// ChartDir holds charts as .tgz files.
	ChartDir string
	// CacheDir keeps charts that were downloaded.
	CacheDir string
	// ForceConflicts takes over fields that another field manager holds.
	ForceConflicts bool
	// Debug shows Helm's own log.
	Debug bool
	// DNSWait is how long the DNS record of the login is waited for.
	DNSWait time.Duration
	// Records is told the DNS records that a run waits for; nil for nobody.
	Records func([]ingress.Record)
	// Command is how the plugin was called: "kubectl onyxia", "helm onyxia" or "kubectl-onyxia".
	Command string
	// Stages that exist.
	Stages []stage.Stage

	flags   platform.Config
	mu      *sync.Mutex
	warned  map[string]bool
	session *session
}

// New makes the options from the streams and the environment that the plugin was called in.
func New(streams genericiooptions.IOStreams, stages []stage.Stage, command string) *Options {
	return &Options{IOStreams: streams, Kube: genericclioptions.NewConfigFlags(true), Stages: stages, Command: command, mu: &sync.Mutex{}, warned: map[string]bool{}, session: &session{}}
}

// AddFlags registers the flags.
func (o *Options) AddFlags(cmd *cobra.Command) {
	fs := cmd.PersistentFlags()
	o.Kube.AddFlags(fs)
	fs.Lookup("namespace").Usage = "Namespace of Onyxia and of the installation's record (default \"" + installation.DefaultNamespace + "\")"
	completeWith(cmd, "namespace", o.namespaces)
	complete(cmd, "context", o.contexts)
	fs.StringVarP(&o.File, "file", "f", "", "Configuration file, - for standard input (default onyxia.yaml in this directory, if there is one)")
	fs.StringVar(&o.flags.Domain, "domain", "", "Domain under which everything is served")
	fs.StringVar(&o.flags.Profile, "profile", "", "Catalogue of charts and images: current or guide-2023")
	complete(cmd, "profile", profiles)
	fs.StringVar(&o.ChartDir, "chart-dir", "", "Take charts from this directory (NAME-VERSION.tgz) instead of downloading them")
	fs.BoolVar(&o.ForceConflicts, "force-conflicts", false, "Take over fields of objects that somebody else has set")
	fs.BoolVar(&o.Debug, "debug", false, "Show the log of Helm")
}

// AddTLSFlags registers what a first certificate needs.
func (o *Options) AddTLSFlags(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&o.flags.TLS.DNS.Provider, "dns-provider", "", "DNS provider that answers the ACME challenge (a lego code such as ovh, route53, rfc2136); its credentials come from the environment")
	complete(cmd, "dns-provider", providers)
	fs.StringVar(&o.flags.TLS.ACME.Server, "acme-server", "", "ACME directory: letsencrypt, letsencrypt-staging or an address")
	fs.StringVar(&o.flags.TLS.ACME.Email, "email", "", "E-mail address of the ACME account")
}

// Open connects to the cluster and opens the installation in it, for a command that may write.
func (o *Options) Open(ctx context.Context) (*installation.Installation, error) {
	return o.open(ctx, o.Warn, false)
}

// OpenSettled is Open for a command that is going to write: it waits first until a namespace of Onyxia that is still being
// deleted is gone.
func (o *Options) OpenSettled(ctx context.Context, timeout time.Duration) (*installation.Installation, error) {
	inst, err := o.Open(ctx)
	if err != nil {
		return nil, err
	}
	waited, err := inst.AwaitHome(ctx, timeout, o.Progress(nil).Report)
	if err != nil || !waited {
		return inst, err
	}
	return o.Open(ctx)
}

// OpenToRead is Open for a command that only looks: doubts about what would be written are not its matter, and where there
// is nothing to look at it says so.
func (o *Options) OpenToRead(ctx context.Context) (*installation.Installation, error) {
	inst, err := o.open(ctx, func(string) {}, true)
	return inst, o.unrecorded(err)
}

func (o *Options) open(ctx context.Context, warn func(string), looking bool) (*installation.Installation, error) {
	o.underHelm(os.LookupEnv)
	if o.Kube.Namespace != nil && *o.Kube.Namespace != "" {
		o.flags.App.Namespace = *o.Kube.Namespace
	}
	client, err := kube.Connect(o.Kube)
	if err != nil {
		return nil, err
	}
	client.ForceConflicts = o.ForceConflicts
	cache, err := o.cacheDir()
	if err != nil {
		return nil, err
	}
	options := installation.Options{
		Flags: o.flags, File: o.File, Read: o.read, ChartDir: o.ChartDir, CacheDir: cache,
		Kube: client, Stages: o.Stages, Warn: warn,
		DNSWait: o.DNSWait, Records: o.Records, Looking: looking,
	}
	options.Waiting = func(id engine.ID, reason string) {
		fmt.Fprintf(o.ErrOut, "waiting for %s: %s\n", id, o.Worded(oneLine(reason)))
	}
	if o.Debug {
		options.Debug = func(format string, args ...any) { fmt.Fprintf(o.ErrOut, "helm: "+format+"\n", args...) }
	}
	o.session.options = options
	inst, err := installation.Open(ctx, options)
	o.announce(client, inst)
	if err != nil {
		return nil, err
	}
	o.session.opened = inst
	return inst, nil
}

// CheckFile checks the configuration file without a cluster, and returns its name.
func (o *Options) CheckFile() (string, error) {
	return installation.Check(installation.Options{Flags: o.flags, File: o.File, Read: o.read})
}

// read gives a file's content; "-" is standard input, which can be read once only.
func (o *Options) read(name string) ([]byte, error) {
	if name != "-" {
		return os.ReadFile(name)
	}
	if o.session.input == nil {
		text, err := io.ReadAll(o.In)
		if err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
		o.session.input = append([]byte{}, text...)
	}
	return o.session.input, nil
}

func (o *Options) cacheDir() (string, error) {
	if o.CacheDir != "" {
		return o.CacheDir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no place to keep charts: %w; set XDG_CACHE_HOME", err)
	}
	return filepath.Join(dir, "kubectl-onyxia", "charts"), nil
}

// With are the same options with other stages in place of those of the same names.
func (o *Options) With(others ...stage.Stage) *Options {
	changed := *o
	changed.Stages = slices.Clone(o.Stages)
	for i := range changed.Stages {
		for _, s := range others {
			if changed.Stages[i].Name == s.Name {
				changed.Stages[i] = s
			}
		}
	}
	return &changed
}

// Warn prints one line on stderr, once. Steps that run at the same time may call it.
func (o *Options) Warn(line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.warned[line] {
		o.warned[line] = true
		fmt.Fprintln(o.ErrOut, "warning:", o.Worded(line))
	}
}

// Tell makes a listener that prints lines on stderr as what happens with a step. Steps that run at the same time may call it.
func (o *Options) Tell(id engine.ID) func(string) {
	return func(line string) {
		o.mu.Lock()
		defer o.mu.Unlock()
		fmt.Fprintf(o.ErrOut, "%s: %s\n", id, o.Worded(oneLine(line)))
	}
}

// Timeout is how long one step may take to become ready when nobody says otherwise.
const Timeout = 10 * time.Minute
