package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/installation"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/kube"
)

// reviewTime bounds the questions about rights that follow a refusal.
const reviewTime = 20 * time.Second

// session is what a command has got hold of so far, for the error that it may end with.
type session struct {
	options installation.Options
	opened  *installation.Installation
	names   []string
	writes  bool
	// cluster is what the kubeconfig calls it; announced tells that it was said.
	cluster   string
	announced bool
	// input is standard input, once it was read as the configuration file.
	input []byte
}

// About notes which stages a command is about, and whether it is going to write.
func (o *Options) About(writes bool, names ...string) {
	o.session.names, o.session.writes = names, writes
}

// Report prints an error: each of several that were joined begins with "error:", and what follows its first line, a role
// for instance, can be copied as it is. The command that failed is named where its help is of use.
func (o *Options) Report(ctx context.Context, command string, err error) {
	for _, one := range kube.Parts(o.explained(ctx, err)) {
		text := strings.TrimRight(one.Error(), "\n")
		if !errors.Is(one, ErrInterrupted) && !errors.Is(one, ErrCheck) {
			// The other two name a whole command already.
			text = o.Worded(text)
		}
		fmt.Fprintln(o.ErrOut, "error:", text)
	}
	hint(o.ErrOut, command, err)
}

func hint(out io.Writer, command string, err error) {
	var usage *UsageError
	if errors.As(err, &usage) {
		fmt.Fprintf(out, "see %s --help\n", command)
	}
}

// explained says what the Kubernetes client means. Where a right is missing, it asks for all that the command takes, so
// that nobody has to go to an administrator once for each.
func (o *Options) explained(ctx context.Context, err error) error {
	err = kube.Explain(err)
	var denied *kube.ClusterError
	if !errors.As(err, &denied) || len(denied.Missing) == 0 || o.session.options.Kube == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reviewTime)
	defer cancel()
	names := o.session.names
	if len(names) == 0 {
		names = StageNames(o.Stages)
	}
	rights := installation.Rights(o.session.options, o.session.opened, names, o.session.writes)
	missing, reviewErr := o.session.options.Kube.Missing(ctx, rights)
	if reviewErr != nil {
		return err
	}
	return kube.Denied(err, append(missing, denied.Missing...), rights)
}
