package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// State is what sys/health says of one server.
type State struct {
	Initialised bool   `json:"initialized"`
	Sealed      bool   `json:"sealed"`
	Standby     bool   `json:"standby"`
	Version     string `json:"version"`
	// ClusterName and ClusterID are known once it is unsealed.
	ClusterName string `json:"cluster_name"`
	ClusterID   string `json:"cluster_id"`
}

// Open tells whether it can answer requests for secrets.
func (s State) Open() bool { return s.Initialised && !s.Sealed }

// String is the state in words, with what to do next.
func (s State) String() string {
	switch {
	case !s.Initialised:
		return "not initialised; kubectl onyxia vault init gives it its keys"
	case s.Sealed:
		return "sealed; kubectl onyxia vault unseal opens it"
	case s.Standby:
		return "open, standby"
	default:
		return "open"
	}
}

// Health asks sys/health. It answers 200 when active, 429 standby, 472 and 473 for the standbys of Vault Enterprise, 501
// not initialised, 503 sealed; all of them are states and no errors.
func (c *Client) Health(ctx context.Context) (State, error) {
	const path = "sys/health"
	status, body, err := c.exchange(ctx, http.MethodGet, path, nil)
	if err != nil {
		return State{}, err
	}
	var state State
	switch status {
	case http.StatusOK, http.StatusTooManyRequests, 472, 473, http.StatusNotImplemented, http.StatusServiceUnavailable:
		// A load balancer without a server behind it answers 503 as well, but not in JSON.
		if err := json.Unmarshal(body, &state); err != nil || state.Version == "" {
			return State{}, fmt.Errorf("vault: GET %s: %d without a state: what answers at %s is no Vault (no pod behind the Service yet, or another server)", path, status, c.Address)
		}
		return state, nil
	default:
		return State{}, c.refusal(http.MethodGet, path, status, body)
	}
}

// Seal is what sys/seal-status says of one server.
type Seal struct {
	// Type is "shamir", or the name of an auto-unseal such as "transit" or "awskms".
	Type        string `json:"type"`
	Initialised bool   `json:"initialized"`
	Sealed      bool   `json:"sealed"`
	Threshold   int    `json:"t"`
	Shares      int    `json:"n"`
	// Progress is how many shares have been given since the last reset.
	Progress int `json:"progress"`
	// Recovery says that the keys are recovery keys: they make root tokens, and open nothing.
	Recovery  bool   `json:"recovery_seal"`
	ClusterID string `json:"cluster_id"`
}

// A server that is being initialised, for instance on behalf of a run that was killed, has a barrier and no seal for some
// hundredths of a second, and answers with 500 (seen with Vault 1.14.1).
const (
	halfInitialised = "barrier reports initialized but no seal configuration found"
	initialisePause = 250 * time.Millisecond
	initialiseTries = 40
)

// halted tells the answer of a server that is being initialised. One that was killed meanwhile gives it for good.
func halted(err error) bool {
	var answer *APIError
	return errors.As(err, &answer) && answer.Says(halfInitialised)
}

// SealStatus asks sys/seal-status; it needs no token.
func (c *Client) SealStatus(ctx context.Context) (Seal, error) {
	for try := 1; ; try++ {
		var seal Seal
		err := c.Read(ctx, "sys/seal-status", &seal)
		if try == initialiseTries || !halted(err) {
			return seal, err
		}
		select {
		case <-ctx.Done():
			return seal, err
		case <-time.After(initialisePause):
		}
	}
}

// active tells whether this server or its leader takes requests, and if not, why.
func (c *Client) active(ctx context.Context) (bool, string, error) {
	state, err := c.Health(ctx)
	if err != nil {
		return false, "", err
	}
	if !state.Open() {
		return false, state.String(), nil
	}
	if !state.Standby {
		return true, "", nil
	}
	var leader struct {
		Address string `json:"leader_address"`
	}
	if err := c.Read(ctx, "sys/leader", &leader); err != nil {
		return false, "", err
	}
	if leader.Address == "" {
		return false, "open, waiting for a leader", nil
	}
	// A standby that cannot hand requests on yet sends its clients to the leader's own address (seen with Vault 1.14.1),
	// where a port-forward does not lead. Any answer of the leader will do, and without a token it is a refusal.
	_, _, err = c.WithToken(Secret{}).exchange(ctx, http.MethodGet, "auth/token/lookup-self", nil)
	if err != nil {
		return false, "open, waiting for a way to the leader", nil
	}
	return true, "", nil
}
