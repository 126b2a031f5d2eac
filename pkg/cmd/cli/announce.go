package cli

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/installation"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

// announce says once, before anything else, which cluster, which datalab and which file this is about. Inst is nil where
// the installation could not be opened.
func (o *Options) announce(client *kube.Client, inst *installation.Installation) {
	o.session.cluster = client.Name()
	if o.session.announced {
		return
	}
	o.session.announced = true
	about := fmt.Sprintf("cluster %s (%s)", client.Name(), client.Config.Host)
	if inst != nil {
		source := "recorded configuration"
		if inst.File != "" {
			source = "configuration " + shortPath(inst.File)
		} else if !inst.Recorded {
			source = "no configuration file"
		}
		about += fmt.Sprintf(", domain %s, %s", inst.Platform.Domain, source)
	}
	fmt.Fprintln(o.ErrOut, about)
}

// shortPath tells a file in this directory from a word.
func shortPath(file string) string {
	if filepath.IsAbs(file) || filepath.Dir(file) != "." || file == "-" {
		return file
	}
	return "./" + filepath.Base(file)
}

// NothingRecordedError says that there is no datalab where it was looked for. Its exit code is that of a check that failed.
type NothingRecordedError struct {
	Namespace, Cluster string
	// Install is the command that puts one up there.
	Install string
}

func (e *NothingRecordedError) Error() string {
	return fmt.Sprintf("no datalab is recorded in namespace %s of cluster %s. If it is elsewhere, give -n or --context. To install one: %s", e.Namespace, e.Cluster, e.Install)
}

// Is makes errors.Is(err, ErrCheck) true.
func (e *NothingRecordedError) Is(target error) bool { return target == ErrCheck }

// unrecorded rewords, for commands that need a datalab that is there, that nothing is known of one.
func (o *Options) unrecorded(err error) error {
	var unknown *installation.UnknownError
	if !errors.As(err, &unknown) {
		return err
	}
	install := o.Command + " up"
	if *o.Kube.Context != "" {
		install += " --context " + quoted(*o.Kube.Context)
	}
	if unknown.Namespace != installation.DefaultNamespace {
		install += " -n " + unknown.Namespace
	}
	return &NothingRecordedError{Namespace: unknown.Namespace, Cluster: o.session.cluster, Install: install + " --domain DOMAIN"}
}
