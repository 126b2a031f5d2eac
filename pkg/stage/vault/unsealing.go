package vault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/engine"
	"github.com/kubectl-onyxia/kubectl-onyxia/pkg/vault"
)

// patience is how long the answer of an initialisation that was interrupted is waited for; a server takes some seconds.
const patience = time.Minute

// unsealing makes the steps by which servers get their keys and are opened. Where nobody gave a key they say what to do,
// and end the run rather than wait for a person.
func (s *site) unsealing() []engine.Step {
	var list []engine.Step
	var before []engine.ID
	if !s.external() {
		before = append(before, s.releaseID())
	}
	if !s.release.Dev {
		first := initialisation{InitStep: vault.InitStep{Access: s.reach(0), Init: s.making()}, site: s}
		list = append(list, engine.New(KeysID, first, before...))
		before = append(before, KeysID)
	}
	// All at once: which server has to be open before another can join is for them to find out.
	for i, server := range s.servers() {
		report := func(line string) { s.say(server + ": " + line) }
		list = append(list, engine.New(sealID(server), vault.UnsealStep{Access: s.reach(i), Shares: s.shares(), Report: report}, before...))
	}
	return list
}

// elsewhere tells whether a server other than the first has keys.
func (s *site) elsewhere(ctx context.Context) (bool, error) {
	for i, server := range s.reached[1:] {
		seal, err := server.SealStatus(ctx)
		if err != nil {
			return false, fmt.Errorf("%s, which may know of keys: %w", s.servers()[i+1], err)
		}
		if seal.Initialised {
			return true, nil
		}
	}
	return false, nil
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
	switch {
	case s.keys != nil:
		return func(ctx context.Context) (vault.Shares, error) {
			decrypted, err := s.keys.read(ctx)
			if err != nil {
				return nil, err
			}
			return vault.SharesOf(decrypted), nil
		}
	case s.options.Shares != nil:
		return func(ctx context.Context) (vault.Shares, error) {
			shares, err := s.options.Shares(ctx)
			return oneByOne{shares, &s.asking}, err
		}
	}
	return nil
}

// oneByOne asks for the shares of one server at a time.
type oneByOne struct {
	vault.Shares
	asking *sync.Mutex
}

// Next asks when nobody else does.
func (o oneByOne) Next(ctx context.Context, missing int) (vault.Secret, error) {
	o.asking.Lock()
	defer o.asking.Unlock()
	return o.Shares.Next(ctx, missing)
}

// noPlace is why a Vault that is put up in this run will get no keys.
const noPlace = "it will wait there, unless you say where its keys are to go: --keys-file FILE"

// LacksPlace tells whether a plan puts up a Vault and nobody said where its keys are to go: the run would end there.
func LacksPlace(plan engine.Plan) bool {
	return slices.ContainsFunc(plan.Steps, func(s engine.Planned) bool { return s.ID == KeysID && s.Change.Why == noPlace })
}

// initialisation adds what a command wants to be told, and what the other servers of a cluster know.
type initialisation struct {
	vault.InitStep
	site *site
}

// Observe is told early where keys will be needed, and refuses a document that is not this Vault's. A first server without
// keys has lost its volume if another one has them: it has to join that, and must not become a Vault of its own.
func (i initialisation) Observe(ctx context.Context) (vault.InitSeen, error) {
	seen, err := i.InitStep.Observe(ctx)
	var notYet *engine.NotYetError
	if errors.As(err, &notYet) && i.Init == nil && i.site.keys == nil {
		return seen, &engine.NotYetError{After: notYet.After, Why: noPlace}
	}
	if err == nil && (!seen.Initialised || seen.Unfinished) {
		err = i.others(ctx, &seen)
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

// others looks for keys at the other servers of a cluster. They have some only after the first was opened once, so a
// document that was begun and not finished is not theirs.
func (i initialisation) others(ctx context.Context, seen *vault.InitSeen) error {
	there, err := i.site.elsewhere(ctx)
	if err != nil || !there {
		return err
	}
	seen.Initialised = true
	if !seen.Unfinished {
		return nil
	}
	document, err := i.site.keys.document(ctx)
	if err == nil && document.State == vault.KeysPending {
		err = fmt.Errorf("%s was begun and holds no keys, and another server of the cluster has some: name the file that they are in", i.site.keys.keeper)
	}
	return err
}

// Ready tells whether there are keys.
func (i initialisation) Ready(ctx context.Context) (engine.Health, error) {
	health, err := i.InitStep.Ready(ctx)
	if err != nil || health.Ready {
		return health, err
	}
	if there, err := i.site.elsewhere(ctx); err != nil || there {
		return engine.Health{Ready: there}, err
	}
	return health, nil
}
