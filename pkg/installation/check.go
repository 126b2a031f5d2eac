package installation

import (
	"errors"
	"fmt"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/acme"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
)

// Check holds the configuration file, with the flags over it, against all that can be known without a cluster. It returns
// the file's name.
func Check(o Options) (string, error) {
	keys, file, unread := o.readFile()
	name := fileRead(o.File, keys)
	switch {
	case keys == nil && unread != nil:
		return name, unread
	case keys == nil:
		return name, fmt.Errorf("configuration: there is no %s in this directory: name a file with -f, or write one; the line `domain: example.org` is enough", DefaultFile)
	}
	// What could be read, as keys again: a value of the wrong type is none.
	readable, err := keysOf(file)
	if err != nil {
		return name, err
	}
	config, err := layered(o.Flags, readable, platform.Config{})
	if err != nil {
		return name, err
	}
	_, err = platform.Complete(config)
	// Each of the checks goes on where another one has found something.
	p := platform.Platform{Config: platform.WithDefaults(config)}
	if _, e := profile.Load(p.Profile); e == nil {
		_, e = chosenProfile(p)
		err = errors.Join(err, e)
	}
	if provider := p.TLS.DNS.Provider; provider != "" {
		if _, e := acme.Variables(provider); e != nil {
			err = errors.Join(err, fmt.Errorf("tls.dns.provider: %w", e))
		}
	}
	return name, errors.Join(unread, InFile(name, err))
}
