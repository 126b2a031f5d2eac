package acme

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"
)

// Renewal asks the authority when it wants a certificate renewed (RFC 9773). It needs no account. Nil without an error
// means that the authority has no opinion. Callers ask only after AskFrom.
func Renewal(ctx context.Context, directory string, caPEM, certPEM []byte) (*Window, error) {
	id, err := certificateID(certPEM)
	if err != nil {
		return nil, err
	}
	// The client wants a key to sign with, though this request is not signed.
	key, _, err := newKey()
	if err != nil {
		return nil, err
	}
	core, err := connect(ctx, directory, caPEM, "", key)
	if err != nil {
		return nil, err
	}
	response, err := core.Certificates.GetRenewalInfo(id)
	if errors.Is(err, api.ErrNoARI) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ask when to renew: %w", explain(err))
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNotFound {
		return nil, nil
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask when to renew: the authority answers %s", response.Status)
	}
	var info acme.RenewalInfoResponse
	if err := json.NewDecoder(http.MaxBytesReader(nil, response.Body, 1<<16)).Decode(&info); err != nil {
		return nil, fmt.Errorf("ask when to renew: %w", err)
	}
	return &Window{Start: info.SuggestedWindow.Start, End: info.SuggestedWindow.End, Explanation: info.ExplanationURL}, nil
}
