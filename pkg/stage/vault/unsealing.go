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
		step := vault.UnsealStep{Access: s.reach(i), Shares: s.shares(s.reached[i]), Report: func(line string) { s.say(server + ": " + line) }}
		if s.keys != nil {
			step.Opened = func(ctx context.Context) { s.keys.opened(ctx, s.reached[i]) }
		}
		list = append(list, engine.New(sealID(server), step, before...))
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
	in.Keeper, in.Now, in.Patience = s.keys.keeper, time.Now, patience
	if !s.external() {
		in.Spool = s.spool()
	}
	return &in
}

// spool is where the answer lies that Vault gave when it was initialised.
func (s *site) spool() vault.Spool {
	return vault.PodSpool{
		Exec: s.exec(s.release.Pod()), Folder: s.release.DataFolder(), CLI: s.release.CLI(),
		Where: "the volume of pod " + s.namespace() + "/" + s.release.Pod(),
	}
}

// shares opens the key document for a server, or else asks a person; nil if there is neither.
func (s *site) shares(server *vault.Client) func(context.Context) (vault.Shares, error) {
	switch {
	case s.keys != nil:
		return func(ctx context.Context) (vault.Shares, error) {
			decrypted, err := s.keys.use(ctx, server)
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
	// Another Vault's document is known by its cluster before anything is there to be asked.
	if keys := i.site.keys; keys != nil && !keys.found {
		here, err := i.site.identity(ctx)
		if err != nil {
			return vault.InitSeen{}, err
		}
		if i.Init != nil {
			i.Init.Here = here
		}
		if _, err := i.fits(ctx, vault.Seal{}); err != nil {
			return vault.InitSeen{Refused: err.Error()}, nil
		}
	}
	seen, err := i.InitStep.Observe(ctx)
	var notYet *engine.NotYetError
	if errors.As(err, &notYet) && i.Init == nil && i.site.keys == nil {
		return seen, &engine.NotYetError{After: notYet.After, Why: noPlace}
	}
	if err == nil && (!seen.Initialised || seen.Unfinished) {
		err = i.others(ctx, &seen)
	}
	keys := i.site.keys
	if err != nil || keys == nil || keys.found {
		return seen, err
	}
	if _, err := keys.keeper.Read(ctx); errors.Is(err, fs.ErrNotExist) && keys.Required && seen.Initialised && !seen.Unfinished {
		return seen, &vault.AlreadyInitialisedError{Address: i.site.env.Platform.VaultURL(), Keeper: keys.keeper.String()}
	}
	return seen, i.compare(ctx, &seen)
}

// fits reports whether the document says which Vault it is for. It is an error if that is another one. Keys that nobody named
// are looked at only by who uses them.
func (i initialisation) fits(ctx context.Context, seal vault.Seal) (named bool, err error) {
	keys := i.site.keys
	if keys == nil || keys.found {
		return true, nil
	}
	document, err := keys.document(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	err = keys.fits(ctx, document, seal)
	if err == nil && document.Opens(seal) {
		keys.known.opens.Store(true)
	}
	if errors.Is(err, vault.ErrUnnamed) {
		return false, nil
	}
	return true, err
}

// compare looks at each server that can be asked, and notes that keys are going to be used which name no Vault.
func (i initialisation) compare(ctx context.Context, seen *vault.InitSeen) error {
	for _, server := range i.site.reached {
		seal, err := server.SealStatus(ctx)
		if err != nil {
			// Who uses the keys meets it again.
			continue
		}
		named, err := i.fits(ctx, seal)
		if err != nil {
			return err
		}
		used := seal.Initialised && seal.Sealed && !seal.Recovery || !seal.Initialised && seen.Unfinished
		seen.Unnamed = seen.Unnamed || !named && used && !i.site.keys.known.isGiven()
	}
	return nil
}

// Plan asks before keys are used that name no Vault.
func (i initialisation) Plan(seen vault.InitSeen) engine.Change {
	if seen.Refused != "" {
		return engine.Change{Action: engine.Blocked, Why: seen.Refused}
	}
	change := i.InitStep.Plan(seen)
	if !seen.Unnamed {
		return change
	}
	if risk := i.site.keys.known.ask(KeysID, i.site.keys.question()); risk != "" {
		if !change.Action.Writes() {
			change = engine.Change{Action: engine.Configure, Why: "the keys do not say which Vault they are for"}
		}
		change.Risk = risk
	}
	return change
}

// Apply notes what was agreed to, and initialises if that is what the plan says.
func (i initialisation) Apply(ctx context.Context, seen vault.InitSeen) error {
	keys := i.site.keys
	keys.known.give(KeysID)
	if !i.InitStep.Plan(seen).Action.Writes() {
		return nil
	}
	i.Init.Agreed = keys.known.isGiven()
	outcome, err := i.Run(ctx)
	if outcome == vault.Initialised || outcome == vault.Finished {
		keys.known.opens.Store(true)
	}
	return err
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
