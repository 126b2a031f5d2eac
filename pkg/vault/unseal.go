package vault

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Shares gives key shares one by one. Next is asked with how many more are needed; io.EOF says that there are no more.
type Shares interface {
	Next(ctx context.Context, missing int) (Secret, error)
}

// ErrShares says that the shares given do not open this Vault.
var ErrShares = errors.New("these key shares do not open this vault")

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
	if seal.Progress > 0 {
		// Shares of an earlier, interrupted try: of no use if they were wrong, and no loss if they were right.
		say(report, fmt.Sprintf("%d share(s) given before are dropped", seal.Progress))
		if err := c.Write(ctx, "sys/unseal", map[string]bool{"reset": true}, nil); err != nil {
			return err
		}
	}
	return c.giveShares(ctx, shares, seal.Threshold, report)
}

func (c *Client) giveShares(ctx context.Context, shares Shares, missing int, report func(string)) error {
	for given := 1; ; given++ {
		share, err := shares.Next(ctx, missing)
		if err != nil {
			return fmt.Errorf("%d more key share(s) needed: %w", missing, err)
		}
		var seal Seal
		err = c.Write(ctx, "sys/unseal", map[string]string{"key": share.Reveal()}, &seal)
		var refused *APIError
		if errors.As(err, &refused) && refused.Status == http.StatusBadRequest {
			return fmt.Errorf("%w: %w; they may belong to another one, or to the data before a reset", ErrShares, err)
		}
		var slow net.Error
		if errors.As(err, &slow) && slow.Timeout() && ctx.Err() == nil {
			say(report, "no answer to the last key share yet, which happens when a server has to find its cluster first")
			return c.waitJoined(ctx, report)
		}
		if err != nil {
			return err
		}
		if seal.Sealed && seal.Progress == 0 && given >= seal.Threshold {
			say(report, "enough key shares given, joining the cluster")
			return c.waitJoined(ctx, report)
		}
		if !seal.Sealed {
			say(report, "open")
			return nil
		}
		missing = seal.Threshold - seal.Progress
		say(report, fmt.Sprintf("%d of %d key shares given", seal.Progress, seal.Threshold))
	}
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
