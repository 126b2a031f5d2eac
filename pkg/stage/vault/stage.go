// Package vault is the stage of the users' secrets: Vault or OpenBao, initialised and opened, with login by the realm's
// tokens and a folder for each user and each group.
package vault

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/stage"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

// Name of the stage.
const Name = "vault"

// Options are what a command brings along beyond onyxia.yaml.
type Options struct {
	// Keys is where the keys are, or are to go. Nil: the Secret in the cluster if one was made by name, else nowhere.
	Keys *Keys
	// Token that may configure Vault, given by hand; empty for none. TokenAddress is the Vault that the environment says it is
	// for; empty where it says nothing. Agreed says that a person agreed to send it all the same.
	Token        vault.Secret
	TokenAddress string
	Agreed       bool
	// Shares asks a person for key shares; nil for nobody to ask.
	Shares func(context.Context) (vault.Shares, error)
	// Say is told what the unsealing and the proof do, one line at a time; nil for nobody.
	Say func(string)
	// Sessions gathers what is to be closed when the command ends; nil if nobody does.
	Sessions *Sessions
	// Inside says that the command is about what is inside Vault, so that keys which are found are used for that.
	Inside bool
	// Removing says that the stage is to be taken away, so that what is inside Vault is looked at whatever was proved before.
	Removing bool
	// Prove runs the proof although it was run for this configuration before.
	Prove bool
}

// Stage is the vault stage.
func Stage() stage.Stage { return With(Options{}) }

// With is the vault stage for a command that brings keys, a token or a person along. Its steps have the same names.
func With(o Options) stage.Stage {
	return stage.Stage{
		Name:  Name,
		Short: "Vault or OpenBao, with a private corner for each user, or the one that you already have",
		Verb:  "install",
		Steps: func(ctx context.Context, env stage.Env) ([]engine.Step, error) { return steps(ctx, env, o) },
		// Onyxia keeps secrets in the browser as long as it knows of no Vault.
		Rerenders: true,
		On:        []string{"ingress", "tls", "auth"},
	}
}

func steps(ctx context.Context, env stage.Env, o Options) ([]engine.Step, error) {
	if !env.Platform.HasVault() {
		return nil, nil
	}
	if !env.Has("auth") {
		return nil, errors.New("users reach Vault with a token of the realm, and there is no login yet: put up stage auth first, or both at once with `kubectl onyxia up auth vault`")
	}
	s, err := newSite(ctx, env, o)
	if err != nil {
		return nil, err
	}
	var list []engine.Step
	if !s.external() {
		if list, err = s.server(); err != nil {
			return nil, err
		}
	}
	list = append(engine.Serving(list), s.unsealing()...)
	s.realm = s.clients()
	inside, err := s.inside(ctx)
	if err != nil {
		return nil, err
	}
	return slices.Concat(list, s.realm, inside), nil
}

// inside are the steps that need rights on an open Vault, and those that show that it works.
func (s *site) inside(ctx context.Context) ([]engine.Step, error) {
	setup, err := s.setup()
	if err != nil {
		return nil, err
	}
	s.policy = setup.OperatorPolicyText()
	proof := newProof(s, setup)
	closed, err := s.unattended(ctx, proof)
	if err != nil {
		return nil, err
	}
	list := s.configuration(setup)
	if closed {
		s.env.Warn("vault: what is inside it was checked before and is not compared now, because " + (&rights{site: s}).unused())
		list = nil
	}
	last := append(s.open(), stage.AddressID, stage.CertificateID)
	for _, step := range list {
		last = append(last, step.ID)
	}
	list = append(list,
		engine.New(reachID, stage.Gate((&reachable{env: s.env}).trouble), last...),
		engine.New(stage.VaultReadyID, proof, reachID, stage.NamespaceID(s.env.Platform.Namespace())),
	)
	if !s.external() && !s.release.Dev {
		list = append(list, engine.New(rootTokenID, &rootToken{site: s}, stage.VaultReadyID))
	}
	return list, nil
}

// open are the steps by which the servers are.
func (s *site) open() []engine.ID {
	var list []engine.ID
	for _, server := range s.servers() {
		list = append(list, sealID(server))
	}
	return list
}

// configuration are the steps inside Vault, after the one that brings the rights for them.
func (s *site) configuration(setup vault.Setup) []engine.Step {
	gate := &rights{site: s}
	s.session.seek = func(ctx context.Context) error {
		seen, err := gate.Observe(ctx)
		if err == nil && !seen.open {
			err = &engine.NotYetError{After: rightsID, Why: cmp.Or(seen.trouble, noRights)}
		}
		return err
	}
	return append([]engine.Step{engine.New(rightsID, gate, s.beforeRights()...)}, setup.Steps()...)
}

// unattended tells whether this run cannot look inside, or could by keys that it found and nobody named, and need not: what
// stands was configured and checked as it is wanted now. With a realm of ours its service account looks each time.
func (s *site) unattended(ctx context.Context, p *stage.Proof) (bool, error) {
	named := s.keys != nil && (!s.keys.found || s.options.Inside)
	if s.operated() || s.release.Dev || s.options.Removing || named || !s.options.Token.Empty() || s.env.Platform.Vault.CredentialsSecret != "" {
		return false, nil
	}
	shown, err := p.Note.Read(ctx)
	return shown.Digest == p.Digest, err
}
