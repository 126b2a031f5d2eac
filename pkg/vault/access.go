package vault

import (
	"context"
	"errors"
	"sort"
	"strings"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
)

// Access gives a client with the rights for the steps below: through a port-forward, with a session's token. Before Vault
// can be asked at all it gives *engine.NotYetError.
type Access func(context.Context) (*Client, error)

// missing says why Vault cannot be asked, where that is known; a removal would take what cannot be asked for gone.
func (a Access) missing(ctx context.Context) string {
	_, err := a(ctx)
	var notYet *engine.NotYetError
	if errors.As(err, &notYet) {
		return notYet.Why
	}
	return ""
}

// differences gathers what differs between seen and wanted.
type differences []engine.Field

func (d *differences) text(path, from, to string) {
	if from != to {
		*d = append(*d, engine.Field{Path: path, From: from, To: to})
	}
}

// list compares without regard to order; Vault keeps these lists as sets.
func (d *differences) list(path string, from, to []string) {
	d.text(path, joined(from), joined(to))
}

func (d *differences) pairs(path string, from, to map[string]string) {
	for name := range merged(from, to) {
		d.text(path+"."+name, from[name], to[name])
	}
}

// change is unchanged without differences, else configure.
func (d differences) change() engine.Change {
	if len(d) == 0 {
		return engine.Change{Action: engine.Unchanged}
	}
	sort.Slice(d, func(i, j int) bool { return d[i].Path < d[j].Path })
	return engine.Change{Action: engine.Configure, Fields: d}
}

func joined(list []string) string {
	ordered := append([]string(nil), list...)
	sort.Strings(ordered)
	return strings.Join(ordered, ", ")
}

func merged(a, b map[string]string) map[string]bool {
	all := map[string]bool{}
	for k := range a {
		all[k] = true
	}
	for k := range b {
		all[k] = true
	}
	return all
}
