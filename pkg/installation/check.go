package installation

import (
	"errors"
	"fmt"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/acme"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/platform"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/profile"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage/app"
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
	unread = errors.Join(unread, InFile(name, platform.CheckSecrets(config)))
	p, err := platform.Complete(config)
	if err == nil {
		return name, errors.Join(unread, InFile(name, checkStages(p)))
	}
	// Each of the checks goes on where another one has found something.
	p.Config = platform.WithDefaults(config)
	if _, e := profile.Load(p.Profile); e == nil {
		_, e = chosenProfile(p)
		err = errors.Join(err, e)
	}
	return name, errors.Join(unread, InFile(name, errors.Join(err, checkProvider(p))))
}

func checkProvider(p platform.Platform) error {
	if p.TLS.DNS.Provider == "" {
		return nil
	}
	if _, err := acme.Variables(p.TLS.DNS.Provider); err != nil {
		return fmt.Errorf("tls.dns.provider: %w", err)
	}
	return nil
}

// checkStages says what would stop a stage of this datalab: what the profile has not, and what Onyxia's chart cannot do.
func checkStages(p platform.Platform) error {
	errs := []error{checkProvider(p)}
	chosen, err := chosenProfile(p)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	env := stage.Env{Platform: p, Profile: chosen, Present: map[string]bool{"auth": true, "s3": true, "vault": true}, Warn: func(string) {}}
	if !p.Ingress.Existing() {
		if _, err := chosen.Component(env.IngressController()); err != nil {
			errs = append(errs, fmt.Errorf("ingress.controller: %w", err))
		}
	}
	if p.HasVault() && !p.Vault.External() {
		if _, err := chosen.Component(p.Vault.Flavor); err != nil {
			errs = append(errs, fmt.Errorf("vault.flavor: %w", err))
		}
	}
	return errors.Join(append(errs, app.Check(env))...)
}

// checkSecrets refuses secrets in the configuration. Those that an earlier version recorded do not stop status and removal.
func (i *Installation) checkSecrets() error {
	err := platform.CheckSecrets(i.config)
	if err == nil || i.lenient {
		return nil
	}
	if i.File != "" {
		err = InFile(i.File, err)
	}
	return fmt.Errorf("nothing was written:\n%w\nWhat an earlier run left in the record goes when the file has the same key with the value null. Change the secret: it was readable", err)
}
