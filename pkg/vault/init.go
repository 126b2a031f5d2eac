package vault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
)

// Init gives a Vault its keys, once.
//
// Vault tells its keys in one answer and keeps no copy, so whoever loses that answer has lost them. What holds when this
// program is killed (SIGKILL, power, network) at any moment:
//
//  1. Before Vault is asked, a document with the private half of a one-time OpenPGP pair is durable at the Keeper. Vault
//     is asked to seal its answer to that pair, or to the holders' own keys.
//  2. With a Spool, Vault's answer is laid down and synced beside Vault's own data before anybody reads it. Killing this
//     program then loses nothing: the next Run finds the answer, and finishes. Only if Vault itself is killed while it
//     initialises itself, or its machine stops before that sync, are there no keys; see 4.
//  3. Without a Spool, the keys are gone if this program stops between Vault's last write and the document's; see 4.
//  4. A Vault whose keys are gone this way is empty: nothing can be put into it before it was unsealed once, and the only
//     keys that could have done so never reached anybody. Run says so with *LostError, and never loses more than that.
//  5. The answer on the Spool is removed only after the finished document is durable.
type Init struct {
	Client *Client
	Keeper Keeper
	// Spool may be nil; see above.
	Spool Spool
	// Shares of the key, and how many of them open it.
	Shares, Threshold int
	// Recipients, if any, are whom the document's private key is encrypted to.
	Recipients []age.Recipient
	// Holders, if any, are OpenPGP public keys as ParseHolders gives them, one for each share; the first also gets the root token.
	Holders []string
	// Here is the Vault; the document names it.
	Here Identity
	// Agreed says that a person agreed to go on with a document that names no cluster.
	Agreed bool
	// Now is the clock.
	Now func() time.Time
	// Patience is how long an earlier run's answer is waited for, if Vault is initialised and none lies there yet.
	Patience time.Duration
}

// Outcome is what Run did.
type Outcome string

// The outcomes.
const (
	Initialised Outcome = "initialised" // now
	Finished    Outcome = "finished"    // an earlier run's initialisation, its keys are safe
	Untouched   Outcome = "unchanged"   // Vault was initialised and its keys are at the Keeper
)

// AlreadyInitialisedError says that Vault has keys and the Keeper has none of them.
type AlreadyInitialisedError struct{ Address, Keeper string }

func (e *AlreadyInitialisedError) Error() string {
	return fmt.Sprintf("vault at %s was initialised before, and its keys are not at %s: they are with whoever did it; name the right key file, or go on with: kubectl onyxia vault unseal", e.Address, e.Keeper)
}

// LostError says that Vault was initialised, or half so, and nobody received its keys.
type LostError struct {
	Address, Keeper string
	Begun           time.Time
	// Sealed says that it has not been opened since, so it holds nothing.
	Sealed bool
	// Half says that Vault itself stopped while it initialised itself: it is neither new nor initialised.
	Half bool
	// Damaged is where an answer lies that is not whole; empty for nowhere.
	Damaged string
}

func (e *LostError) Error() string {
	if e.Half {
		return fmt.Sprintf("vault at %s stopped in the middle of initialising itself and cannot begin again; it is empty and has no keys: delete its volume and its pod (kubectl onyxia vault init --reset does), and run init again with the same key file, %s", e.Address, e.Keeper)
	}
	text := fmt.Sprintf("vault at %s was initialised after %s began to (%s), and its answer with the keys ", e.Address, e.Keeper, e.Begun.Format(time.RFC3339))
	if e.Damaged == "" {
		text += "arrived nowhere"
	} else {
		text += "is damaged at " + e.Damaged + ", which may have been full"
	}
	if !e.Sealed {
		return text + "; but it is open, so somebody else initialised it and has them: ask them, and remove " + e.Keeper
	}
	return text + "; unless somebody else initialised it since then, it is empty and cannot be opened by anyone: delete its volume and its pod (kubectl onyxia vault init --reset does), and run init again with the same key file"
}

// Run initialises the Vault, or finishes an initialisation that was interrupted, or sees that all is done.
func (in Init) Run(ctx context.Context) (Outcome, error) {
	seal, err := in.Client.SealStatus(ctx)
	if err != nil {
		return "", in.stopped(ctx, err)
	}
	document, err := in.Keeper.Read(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		if seal.Initialised {
			return "", &AlreadyInitialisedError{in.Here.Address, in.Keeper.String()}
		}
		return in.begin(ctx, seal)
	}
	if err != nil {
		return "", err
	}
	keys, err := ParseKeys(document)
	if err != nil {
		return "", fmt.Errorf("%s: %w; name another key file", in.Keeper, err)
	}
	if err := in.ours(keys, seal); err != nil {
		return "", err
	}
	switch {
	case keys.State == KeysComplete && !seal.Initialised:
		return "", fmt.Errorf("vault at %s is not initialised, but %s holds keys from %s: its data is gone, or new; if it is gone for good, move the key file away and run init again",
			in.Here.Address, in.Keeper, keys.Created.Format(time.RFC3339))
	case keys.State == KeysComplete:
		return Untouched, in.tidy(ctx, keys)
	case seal.Initialised:
		return in.collect(ctx, keys, seal)
	default:
		return in.resume(ctx, keys)
	}
}

// ours refuses the document of another Vault. Whether one of before, which names no cluster, is this Vault's shows in the answer
// on the Spool. Before Vault is asked a person has to agree, because with the answer the document is of no use to another one.
func (in Init) ours(keys Keys, seal Seal) error {
	err := keys.For(in.Here, seal)
	switch {
	case errors.Is(err, ErrUnnamed) && (in.Agreed || seal.Initialised || keys.State == KeysComplete):
		return nil
	case err != nil:
		return fmt.Errorf("%s %w", in.Keeper, err)
	}
	return nil
}

// begin makes the document durable, and only then asks Vault.
func (in Init) begin(ctx context.Context, seal Seal) (Outcome, error) {
	keys, err := in.pending(seal)
	if err != nil {
		return "", err
	}
	document, err := keys.encode()
	if err != nil {
		return "", err
	}
	if err := in.Keeper.Create(ctx, document); err != nil {
		return "", err
	}
	return in.ask(ctx, keys)
}

// pending is the document as it stands before Vault is asked.
func (in Init) pending(seal Seal) (Keys, error) {
	keys := Keys{
		Version: keysVersion, State: KeysPending, Kind: KindUnseal, Form: FormPlain,
		Address: in.Here.Address, Cluster: in.Here.Cluster, Created: in.Now().UTC().Truncate(time.Second), Shares: in.Shares, Threshold: in.Threshold,
	}
	if seal.Recovery {
		keys.Kind = KindRecovery
	}
	if err := CheckSharing(in.Shares, in.Threshold); err != nil {
		return keys, err
	}
	if len(in.Holders) > 0 {
		keys.Form = FormPGP
		if len(in.Recipients) > 0 {
			return keys, fmt.Errorf("keys for age recipients and for OpenPGP holders at once: choose one")
		}
		if len(in.Holders) != in.Shares {
			return keys, fmt.Errorf("%d OpenPGP keys for %d shares: Vault wants one for each; give as many keys as shares", len(in.Holders), in.Shares)
		}
		return keys, nil
	}
	pair, err := newPGPPair(in.Now())
	if err != nil {
		return keys, err
	}
	if keys.PublicKey, err = pair.public(); err != nil {
		return keys, err
	}
	if keys.PrivateKey, err = pair.private(); err != nil {
		return keys, err
	}
	if len(in.Recipients) > 0 {
		keys.Form, keys.Recipients = FormAge, recipientNames(in.Recipients)
		keys.PrivateKey, err = sealAge(keys.PrivateKey, in.Recipients)
	}
	return keys, err
}

// resume asks Vault with what an earlier run made durable.
func (in Init) resume(ctx context.Context, keys Keys) (Outcome, error) {
	if keys.Shares != in.Shares || keys.Threshold != in.Threshold || (keys.Form == FormPGP) != (len(in.Holders) > 0) || (keys.Form == FormAge) != (len(in.Recipients) > 0) {
		return "", fmt.Errorf("%s was begun for %d of %d shares in the form %s; run init with the same, or remove the file: it holds no key yet", in.Keeper, keys.Threshold, keys.Shares, keys.Form)
	}
	if names := recipientNames(in.Recipients); len(keys.Recipients) > 0 && !slices.Equal(names, keys.Recipients) {
		return "", fmt.Errorf("%s was begun for the recipients %s, and now it is to be %s; run init with the same, or remove the file: it holds no key yet",
			in.Keeper, strings.Join(keys.Recipients, ", "), strings.Join(names, ", "))
	}
	if keys.Form == FormPGP && len(in.Holders) != keys.Shares {
		return "", fmt.Errorf("%d OpenPGP keys for %d shares: Vault wants one for each", len(in.Holders), keys.Shares)
	}
	if keys.Cluster != in.Here.Cluster {
		keys.Cluster = in.Here.Cluster
		if err := Name(ctx, in.Keeper, in.Here, ""); err != nil {
			return "", err
		}
	}
	return in.ask(ctx, keys)
}

// askTime is how long Vault may take to answer; it writes some dozens of entries to its storage.
const askTime = 2 * time.Minute

// ask has Vault initialise itself. From here to the finished document nothing is to be interrupted by Ctrl-C.
func (in Init) ask(ctx context.Context, keys Keys) (Outcome, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTime)
	defer cancel()
	if in.Spool == nil {
		answer, err := in.Client.initialise(ctx, in.question(keys))
		if err != nil {
			return "", in.half(keys, err)
		}
		return Initialised, in.finish(ctx, keys, answer)
	}
	keys.Beside = in.Spool.String()
	if err := in.Spool.Initialise(ctx, in.question(keys)); err != nil {
		// An earlier run may have asked already, with its request still under way when this one looked.
		seal, sealErr := in.Client.SealStatus(ctx)
		if sealErr != nil || !seal.Initialised {
			return "", errors.Join(in.half(keys, err), sealErr)
		}
		return in.collect(ctx, keys, seal)
	}
	// An answer of an earlier Vault may lie there, and Vault was not asked because of it.
	seal, err := in.Client.SealStatus(ctx)
	if err != nil {
		return "", fmt.Errorf("vault was asked for its keys, and cannot be asked whether it has them: %w; run init again", err)
	}
	if !seal.Initialised {
		return "", fmt.Errorf("an answer with keys lies at %s, and this vault has none: it is an earlier vault's; remove .onyxia-init in its data folder, and run init again", in.Spool)
	}
	answer, found, err := in.fetch(ctx)
	if errors.Is(err, ErrDamaged) {
		return "", in.lost(keys, seal, err)
	}
	if err != nil {
		return "", fmt.Errorf("vault is initialised and its keys are safe, but could not be fetched yet: %w; run init again", err)
	}
	if !found {
		return "", fmt.Errorf("vault is initialised, but its answer is not at %s; run init again", in.Spool)
	}
	return Initialised, in.finish(ctx, keys, answer)
}

// stopped recognises a Vault that was killed while it initialised itself, if the document was begun for that.
func (in Init) stopped(ctx context.Context, err error) error {
	if !halted(err) {
		return err
	}
	document, readErr := in.Keeper.Read(ctx)
	if readErr != nil {
		return errors.Join(err, readErr)
	}
	keys, parseErr := ParseKeys(document)
	if parseErr != nil || keys.State != KeysPending {
		return errors.Join(err, parseErr)
	}
	if err := in.ours(keys, Seal{}); err != nil {
		return err
	}
	return in.half(keys, err)
}

// half recognises the errors of a Vault that was killed while it initialised itself: the first was seen after kills on
// raft, the second on files from which the seal was taken away, both with vault 1.14.1.
func (in Init) half(keys Keys, err error) error {
	if text := err.Error(); !strings.Contains(text, "cluster already has state") && !strings.Contains(text, halfInitialised) {
		return err
	}
	return fmt.Errorf("%w (%w)", &LostError{Address: in.Here.Address, Keeper: in.Keeper.String(), Begun: keys.Created, Sealed: true, Half: true}, err)
}

// collect finishes what an earlier run began.
func (in Init) collect(ctx context.Context, keys Keys, seal Seal) (Outcome, error) {
	deadline := in.Now().Add(in.Patience)
	for in.Spool != nil {
		answer, found, err := in.fetch(ctx)
		if errors.Is(err, ErrDamaged) {
			return "", in.lost(keys, seal, err)
		}
		if err != nil {
			return "", err
		}
		if found {
			keys.Beside = in.Spool.String()
			return Finished, in.finish(ctx, keys, answer)
		}
		if !in.Now().Before(deadline) {
			break
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(time.Second):
		}
	}
	return "", in.lost(keys, seal, nil)
}

// fetch collects the answer. One that is damaged is read once more: what is said to be lost is going to be deleted.
func (in Init) fetch(ctx context.Context) (initAnswer, bool, error) {
	answer, found, err := in.Spool.Collect(ctx)
	if errors.Is(err, ErrDamaged) {
		answer, found, err = in.Spool.Collect(ctx)
	}
	return answer, found, err
}

// lost says that the keys reached nobody, because no answer came or a damaged one.
func (in Init) lost(keys Keys, seal Seal, damage error) error {
	lost := &LostError{Address: in.Here.Address, Keeper: in.Keeper.String(), Begun: keys.Created, Sealed: seal.Sealed}
	if damage == nil {
		return lost
	}
	lost.Damaged = in.Spool.String()
	return fmt.Errorf("%w (%w)", lost, damage)
}

// finish makes the keys durable, and then removes the answer from the Spool.
func (in Init) finish(ctx context.Context, keys Keys, answer initAnswer) error {
	if err := in.meant(keys, answer); err != nil {
		return err
	}
	if len(answer.Keys) != keys.Shares {
		return fmt.Errorf("vault gave %d keys instead of %d; do not use it: reset it and run init again", len(answer.Keys), keys.Shares)
	}
	keys.State, keys.Keys, keys.RootToken = KeysComplete, answer.Keys, answer.RootToken
	keys.Cluster, keys.Address = in.Here.Cluster, in.Here.Address
	if keys.Form == FormPlain {
		if err := keys.decryptAnswer(); err != nil {
			return err
		}
	}
	document, err := keys.encode()
	if err != nil {
		return err
	}
	if err := in.Keeper.Replace(ctx, document); err != nil {
		return err
	}
	if keys.Beside == "" {
		return nil
	}
	return in.tidied(ctx, keys, in.Spool.Remove(ctx))
}

// tidy removes the answer that an earlier run left on the Spool when it had made the document durable. Another one that lies
// there is another run's, and its keys may be nowhere else.
func (in Init) tidy(ctx context.Context, keys Keys) error {
	if keys.Beside == "" || in.Spool == nil {
		return nil
	}
	answer, found, err := in.Spool.Collect(ctx)
	switch {
	case errors.Is(err, ErrDamaged):
		// This document was made of one that was whole.
		err = nil
	case err == nil && found && in.laid(keys, answer):
		err = in.Spool.Remove(ctx)
	}
	return in.tidied(ctx, keys, err)
}

// tidied notes that the answer is no longer on the Spool.
func (in Init) tidied(ctx context.Context, keys Keys, err error) error {
	if err != nil {
		return fmt.Errorf("the keys are safe at %s, but their sealed copy at %s could not be removed: %w; run init again", in.Keeper, keys.Beside, err)
	}
	return rewrite(ctx, in.Keeper, func(k *Keys) {
		k.Beside = ""
		if k.Form == FormPlain {
			k.PublicKey = ""
		}
	})
}
