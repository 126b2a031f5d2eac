package vault

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net/http"
)

// rootAttempt is the answer of sys/generate-root.
type rootAttempt struct {
	Nonce     string `json:"nonce"`
	Started   bool   `json:"started"`
	Progress  int    `json:"progress"`
	Required  int    `json:"required"`
	Complete  bool   `json:"complete"`
	Encoded   string `json:"encoded_token"`
	OTPLength int    `json:"otp_length"`
}

// ErrGenerateRootClosed says that this Vault makes no root token from key shares without a token.
var ErrGenerateRootClosed = errors.New("this vault makes no root token from key shares alone")

// GenerateRoot makes a new root token from key shares: the way back to full rights after the root token was revoked.
// The caller revokes it (RevokeSelf). An attempt left open by an earlier run is cancelled. If this program is killed in
// the middle, nobody knows the token: Vault has it xor a one-time pad that only this process had.
//
// Vault 2.x and OpenBao from 2.5.3 close these endpoints (CVE-2026-5807: anybody could cancel an attempt); then the error
// matches ErrGenerateRootClosed. Release.GenerateRoot opens them, on OpenBao at GenerateRootPort.
func (c *Client) GenerateRoot(ctx context.Context, shares Shares, report func(string)) (Secret, error) {
	c = c.WithToken(Secret{})
	var attempt rootAttempt
	if err := c.Read(ctx, "sys/generate-root/attempt", &attempt); err != nil {
		return Secret{}, closedRoot(err)
	}
	if attempt.Started {
		say(report, fmt.Sprintf("an attempt at a root token with %d share(s) given is cancelled", attempt.Progress))
		if err := c.Delete(ctx, "sys/generate-root/attempt"); err != nil {
			return Secret{}, closedRoot(err)
		}
	}
	pad, err := oneTimePad(attempt.OTPLength)
	if err != nil {
		return Secret{}, err
	}
	if err := c.Write(ctx, "sys/generate-root/attempt", map[string]string{"otp": pad}, &attempt); err != nil {
		return Secret{}, closedRoot(err)
	}
	token, err := c.giveRootShares(ctx, shares, attempt, pad, report)
	if err != nil {
		return Secret{}, errors.Join(err, c.Delete(context.WithoutCancel(ctx), "sys/generate-root/attempt"))
	}
	return token, nil
}

// MakesRoot is nil if root tokens can be made from key shares, else why not; a closed server matches
// ErrGenerateRootClosed. It changes nothing.
func (c *Client) MakesRoot(ctx context.Context) error {
	var attempt rootAttempt
	return closedRoot(c.WithToken(Secret{}).Read(ctx, "sys/generate-root/attempt", &attempt))
}

func (c *Client) giveRootShares(ctx context.Context, shares Shares, attempt rootAttempt, pad string, report func(string)) (Secret, error) {
	for !attempt.Complete {
		missing := attempt.Required - attempt.Progress
		share, err := shares.Next(ctx, missing)
		if err != nil {
			return Secret{}, fmt.Errorf("%d more key share(s) needed for a root token: %w", missing, err)
		}
		in := map[string]string{"key": share.Reveal(), "nonce": attempt.Nonce}
		if err := c.Write(ctx, "sys/generate-root/update", in, &attempt); err != nil {
			var refused *APIError
			if errors.As(err, &refused) && refused.Status == http.StatusBadRequest {
				return Secret{}, fmt.Errorf("%w: %w", ErrShares, err)
			}
			return Secret{}, err
		}
		say(report, fmt.Sprintf("%d of %d key shares given for a root token", attempt.Progress, attempt.Required))
	}
	return decodeRoot(attempt.Encoded, pad)
}

// decodeRoot undoes Vault's encoding: base64 without padding of token xor one-time pad.
func decodeRoot(encoded, pad string) (Secret, error) {
	sealed, err := base64.RawStdEncoding.DecodeString(encoded)
	if err != nil || len(sealed) != len(pad) {
		return Secret{}, fmt.Errorf("vault's encoded root token has %d characters, which do not fit the one-time pad of %d; is this a version that encodes differently?", len(encoded), len(pad))
	}
	for i := range sealed {
		sealed[i] ^= pad[i]
	}
	return NewSecret(string(sealed)), nil
}

// oneTimePad is random text of the length that Vault asks for, from the letters that it uses itself (base62).
func oneTimePad(length int) (string, error) {
	const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	if length < 16 || length > 256 {
		return "", fmt.Errorf("vault asks for a one-time pad of %d characters; between 16 and 256 were expected", length)
	}
	pad := make([]byte, length)
	for i := range pad {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
		if err != nil {
			return "", fmt.Errorf("one-time pad: %w", err)
		}
		pad[i] = letters[n.Int64()]
	}
	return string(pad), nil
}

// closedRoot recognises the refusals of servers that keep these endpoints closed: 403 without a token, 404 and 405.
func closedRoot(err error) error {
	var refused *APIError
	if !errors.As(err, &refused) || errors.Is(err, ErrSealed) || errors.Is(err, ErrNotInitialised) {
		return err
	}
	switch refused.Status {
	case http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed:
		return fmt.Errorf("%w: %w; give a token that may configure it, or allow it for as long as it takes: vault.generateRoot: true in onyxia.yaml, `kubectl onyxia vault install`, delete the pod, `kubectl onyxia vault unseal`, and run this again", ErrGenerateRootClosed, err)
	}
	return err
}
