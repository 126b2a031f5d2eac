package vault

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

// patience is how long the answer of an initialisation that was interrupted is waited for; a server takes some seconds.
const patience = time.Minute

// opening makes the steps by which servers get their keys and are opened. Where nobody gave a key they say what to do,
// and end the run rather than wait for a person.
func (s *site) opening() []engine.Step {
	var list []engine.Step
	var before []engine.ID
	if !s.external() {
		before = append(before, s.releaseID())
	}
	if !s.release.Dev {
		first := initialisation{Initialisation: vault.Initialisation{Access: s.reach(0), Init: s.making()}, site: s}
		list = append(list, engine.New(KeysID, first, before...))
		before = append(before, KeysID)
	}
	servers := s.servers()
	for i, server := range servers {
		report := func(line string) { s.say(server + ": " + line) }
		step := vault.Opening{Access: s.reach(i), Shares: s.shares(), Report: report}
		needs := before
		if i > 0 {
			// It joins the first one, which has to be open for that.
			needs = append(needs[:len(needs):len(needs)], sealID(servers[0]))
		}
		list = append(list, engine.New(sealID(server), step, needs...))
	}
	return list
}

// making is how keys are made; nil if nobody said where they are to go.
func (s *site) making() *vault.Init {
	if s.keys == nil || s.keys.Make == nil {
		return nil
	}
	in := *s.keys.Make
	in.Keeper, in.Address, in.Now, in.Patience = s.keys.keeper, s.env.Platform.VaultURL(), time.Now, patience
	if !s.external() {
		in.Spool = vault.PodSpool{
			Exec: s.exec(s.release.Pod()), Folder: s.release.DataFolder(), CLI: s.release.CLI(),
			Where: "the volume of pod " + s.namespace() + "/" + s.release.Pod(),
		}
	}
	return &in
}

// shares opens the key document, or else asks a person; nil if there is neither.
func (s *site) shares() func(context.Context) (vault.Shares, error) {
	if s.keys == nil {
		return s.options.Shares
	}
	return func(ctx context.Context) (vault.Shares, error) {
		opened, err := s.keys.opened(ctx)
		if err != nil {
			return nil, err
		}
		return vault.SharesOf(opened), nil
	}
}

// initialisation adds what a command wants to be told.
type initialisation struct {
	vault.Initialisation
	site *site
}

// Observe is told early where keys will be needed, and refuses a document that is not this Vault's.
func (i initialisation) Observe(ctx context.Context) (vault.InitSeen, error) {
	seen, err := i.Initialisation.Observe(ctx)
	var notYet *engine.NotYetError
	if errors.As(err, &notYet) && i.Init == nil {
		return seen, &engine.NotYetError{After: notYet.After, Why: "it will wait there, unless you say where its keys are to go: --keys-file FILE"}
	}
	keys := i.site.keys
	if err != nil || keys == nil || !keys.Required || !seen.Initialised || seen.Unfinished {
		return seen, err
	}
	if _, err := keys.keeper.Read(ctx); errors.Is(err, fs.ErrNotExist) {
		return seen, &vault.AlreadyInitialisedError{Address: i.site.env.Platform.VaultURL(), Keeper: keys.keeper.String()}
	}
	return seen, nil
}
