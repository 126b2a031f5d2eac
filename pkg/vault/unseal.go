package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Shares gives key shares one by one.
type Shares interface {
	// Next is asked with how many more are needed; io.EOF says that there are no more.
	Next(ctx context.Context, missing int) (Secret, error)
	// Whole tells whether all shares come from here. Where they do not, several people bring theirs one after the other, and
	// what was given before stays.
	Whole() bool
}

// ErrShares says that the shares given do not open this Vault.
var ErrShares = errors.New("these key shares do not open this vault")

// MoreSharesError says that the holder at the prompt has given what they have, and that it takes more.
type MoreSharesError struct{ Given, Threshold int }

func (e *MoreSharesError) Error() string {
	return fmt.Sprintf("vault is still sealed: %d of %d key shares given; the next holder runs the same command, on any machine", e.Given, e.Threshold)
}

// Unseal gives shares to one server until it is open. That it is open already is no error. report gets one line after
// each share; it may be nil. Each server of a cluster is unsealed on its own.
func (c *Client) Unseal(ctx context.Context, shares Shares, report func(string)) error {
	seal, err := c.SealStatus(ctx)
	if err != nil {
		return err
	}
	switch {
	case !seal.Initialised:
		return fmt.Errorf("%w: it has nothing to open; kubectl onyxia vault init gives it its keys", ErrNotInitialised)
	case !seal.Sealed:
		say(report, "already open, nothing to do")
		return nil
	case seal.Recovery:
		return fmt.Errorf("vault opens itself with %s, and has not: recovery keys open nothing; look at its log for why %s cannot be reached", seal.Type, seal.Type)
	}
	switch {
	case seal.Progress > 0 && shares.Whole():
		// Of an earlier, interrupted try: of no use if they were wrong, and no loss if they were right.
		say(report, fmt.Sprintf("%d share(s) given before are dropped", seal.Progress))
		if err := c.Write(ctx, "sys/unseal", map[string]bool{"reset": true}, nil); err != nil {
			return err
		}
		seal.Progress = 0
	case seal.Progress > 0:
		say(report, fmt.Sprintf("%d of %d key shares were given before", seal.Progress, seal.Threshold))
	}
	return c.giveShares(ctx, shares, seal, report)
}

// giveShares goes on from the state of the seal.
func (c *Client) giveShares(ctx context.Context, shares Shares, seal Seal, report func(string)) error {
	for {
		missing, before := seal.Threshold-seal.Progress, seal.Progress
		share, err := shares.Next(ctx, missing)
		if errors.Is(err, io.EOF) && !shares.Whole() {
			return &MoreSharesError{Given: seal.Progress, Threshold: seal.Threshold}
		}
		if err != nil {
			return fmt.Errorf("%d more key share(s) needed: %w", missing, err)
		}
		seal = Seal{}
		err = c.Write(ctx, "sys/unseal", map[string]string{"key": share.Reveal()}, &seal)
		var refused *APIError
		if errors.As(err, &refused) && refused.Status == http.StatusBadRequest {
			return c.refusedShares(ctx, err)
		}
		var slow net.Error
		if errors.As(err, &slow) && slow.Timeout() && ctx.Err() == nil {
			say(report, "no answer to the last key share yet, which happens when a server has to find its cluster first")
			return c.waitJoined(ctx, report)
		}
		if err != nil {
			return err
		}
		if seal.Sealed && seal.Progress == 0 && missing <= 1 {
			say(report, "enough key shares given, joining the cluster")
			return c.waitJoined(ctx, report)
		}
		if !seal.Sealed {
			say(report, "open")
			return nil
		}
		if seal.Progress == before {
			say(report, "this key share was given before")
		}
		say(report, fmt.Sprintf("%d of %d key shares given", seal.Progress, seal.Threshold))
	}
}

// refusedShares says what became of the shares before one that Vault refused. It drops all of them when there were enough
// and they do not open it, and none when the last one was no key share at all.
func (c *Client) refusedShares(ctx context.Context, err error) error {
	seal, sealErr := c.SealStatus(ctx)
	switch {
	case sealErr != nil:
		return errors.Join(err, sealErr)
	case seal.Progress > 0:
		return fmt.Errorf("%w: %w; this one is no key share; %d of %d are given: run the same command again", ErrShares, err, seal.Progress, seal.Threshold)
	}
	return fmt.Errorf("%w: %w; they may belong to another one, or to the data before a reset; all shares given are dropped: begin again", ErrShares, err)
}

// joinTime is how long a further server of a cluster may take to find the first, and to take over its data.
const joinTime = 2 * time.Minute

// waitJoined waits for a further server of a cluster on raft: it has what it needs when it has its shares, and opens when
// the leader has let it in.
func (c *Client) waitJoined(ctx context.Context, report func(string)) error {
	return c.waitSeal(ctx, func(seal Seal) bool {
		if !seal.Sealed {
			say(report, "open")
		}
		return !seal.Sealed
	}, "has not joined the cluster; these key shares may not be those of its leader, or the leader cannot be reached")
}

// waitSeal asks for the seal until it is as wanted.
func (c *Client) waitSeal(ctx context.Context, wanted func(Seal) bool, otherwise string) error {
	ctx, cancel := context.WithTimeout(ctx, joinTime)
	defer cancel()
	for {
		seal, err := c.SealStatus(ctx)
		if err != nil {
			return err
		}
		if wanted(seal) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("vault at %s %s: %w", c.Address, otherwise, ctx.Err())
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func say(report func(string), line string) {
	if report != nil {
		report(line)
	}
}
